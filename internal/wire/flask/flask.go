package flask

import (
	"strconv"
	"time"
	"unicode/utf8"

	"bytes"
	"encoding/base64"

	"github.com/seed-d124fa34/socketio/internal/jsontext"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// Wire is the format for one server or emitter.
type Wire struct {
	host    string
	channel string
	quoted  []byte // host in quotes

	arrived arrival // the message that Read reads
}

var _ wire.Wire = (*Wire)(nil)

// New returns the format for a server or emitter with the id host on a channel.
func New(host, channel string) *Wire {
	return &Wire{host: host, channel: channel, quoted: jsontext.AppendText(nil, host)}
}

// Channels is the one channel.
func (w *Wire) Channels() []string { return []string{w.channel} }

func (w *Wire) message(data []byte) wire.Message { return wire.Message{Channel: w.channel, Data: data} }

// Event writes an emit. The recipients come first, so that servers without any of them need
// not read on.
func (w *Wire) Event(e *wire.Event) wire.Message {
	size := 256 + len(e.Name) + len(e.Args)
	for _, b := range e.Attachments {
		size += 4*len(b)/3 + 8
	}
	msg := w.head(make([]byte, 0, size), "emit", e.Namespace)
	msg = append(msg, `,"room":`...)
	room := ""
	switch {
	case e.Everyone:
		msg = append(msg, "null"...)
	case len(e.Rooms) == 1:
		room = e.Rooms[0]
		msg = jsontext.AppendText(msg, room)
	default:
		msg = jsontext.AppendTexts(msg, e.Rooms)
	}
	msg = append(msg, `,"skip_sid":`...)
	if len(e.Skip) == 0 {
		msg = append(msg, "null"...)
	} else {
		msg = jsontext.AppendTexts(msg, e.Skip)
	}
	msg = append(msg, `,"callback":`...)
	if e.Ask == nil {
		msg = append(msg, "null"...)
	} else {
		msg = appendAsk(msg, e.Ask, room, e.Namespace)
	}
	if len(e.Except) > 0 {
		msg = jsontext.AppendTexts(append(msg, `,"except":`...), e.Except)
	}
	if e.Volatile {
		msg = append(msg, `,"volatile":true`...)
	}
	if e.NoCompress {
		msg = append(msg, `,"compress":false`...)
	}
	if len(e.ID) > 0 {
		msg = append(append(append(msg, `,"event_id":"`...), e.ID...), '"')
	}
	if string(e.Args) == "null" {
		msg = append(msg, `,"argc":1`...)
	}
	msg = append(append(msg, `,"event":`...), e.Name...)
	msg = strconv.AppendBool(append(msg, `,"binary":`...), len(e.Attachments) > 0)
	msg = append(msg, `,"data":`...)
	return w.message(append(appendPayload(msg, e.Payload), '}'))
}

// appendAsk appends a callback, and the members that belong to it.
func appendAsk(msg []byte, a *wire.Ask, room, namespace string) []byte {
	msg = jsontext.AppendText(append(msg, '['), room)
	msg = jsontext.AppendText(append(msg, ','), namespace)
	msg = append(strconv.AppendUint(append(msg, ','), a.ID, 10), `],"bytes":true,"timeout":`...)
	msg = strconv.AppendInt(msg, milliseconds(a.Timeout), 10)
	if a.Failures {
		msg = append(msg, `,"notices":true`...)
	}
	if a.Home != "" {
		msg = jsontext.AppendText(append(msg, `,"home":`...), a.Home)
	}
	return msg
}

// milliseconds rounds up, because zero has another meaning.
func milliseconds(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

// Command writes a disconnect, enter_room, leave_room or close_room.
func (w *Wire) Command(c wire.Command) wire.Message {
	msg := w.head(make([]byte, 0, 192), methods[c.Do], c.Namespace)
	if c.Do != wire.CloseRoom {
		msg = jsontext.AppendText(append(msg, `,"sid":`...), c.SID)
	}
	if c.Do != wire.Disconnect {
		msg = jsontext.AppendText(append(msg, `,"room":`...), c.Room)
	}
	return w.message(append(msg, '}'))
}

// methods are the methods of commands.
var methods = [...]string{wire.Join: "enter_room", wire.Leave: "leave_room", wire.Disconnect: "disconnect", wire.CloseRoom: "close_room"}

// Question returns the question that a server would read in the callback of an emit.
func (w *Wire) Question(host, namespace string, id uint64, timeout time.Duration) *wire.Question {
	back := &callback{
		host: jsontext.AppendText(nil, host), sid: []byte(`""`), namespace: jsontext.AppendText(nil, namespace),
		id: strconv.AppendUint(nil, id, 10),
	}
	return &wire.Question{Host: host, ID: string(back.id), Timeout: timeout, Failures: true, Binary: true, Return: back}
}

// Answer writes a callback.
func (w *Wire) Answer(q *wire.Question, a wire.Answer) wire.Message {
	back := q.Return.(*callback)
	msg := make([]byte, 0, 256+len(a.Args))
	msg = append(append(msg, `{"method":"callback","host_id":`...), back.host...)
	msg = append(append(msg, `,"sid":`...), back.sid...)
	msg = append(append(msg, `,"namespace":`...), back.namespace...)
	msg = append(append(msg, `,"id":`...), back.id...)
	msg = jsontext.AppendText(append(msg, `,"from":`...), a.From)
	if a.Failed {
		msg = append(msg, `,"left":true`...)
		if a.Limit > 0 {
			msg = strconv.AppendInt(append(msg, `,"limit":`...), int64(a.Limit), 10)
		}
		return w.message(append(msg, `,"args":[]}`...))
	}
	if len(a.Attachments) > 0 {
		msg = append(msg, `,"binary":true`...)
	}
	return w.message(append(appendPayload(append(msg, `,"args":`...), a.Payload), '}'))
}

// Cancel writes a cancel.
func (w *Wire) Cancel(namespace string, id uint64) wire.Message {
	msg := w.head(make([]byte, 0, 128), "cancel", namespace)
	return w.message(append(strconv.AppendUint(append(msg, `,"id":`...), id, 10), '}'))
}

// head begins a message that this server sends to all.
func (w *Wire) head(dst []byte, method, namespace string) []byte {
	dst = append(append(dst, `{"method":"`...), method...)
	dst = append(append(dst, `","host_id":`...), w.quoted...)
	return jsontext.AppendText(append(dst, `,"namespace":`...), namespace)
}

// appendPayload appends a payload in the form of "data" and "args".
func appendPayload(dst []byte, p wire.Payload) []byte {
	begin := len(dst)
	if len(p.Attachments) > 0 {
		dst = append(dst, '[')
	}
	dst = append(append(append(dst, '['), p.Args...), ']')
	if !utf8.Valid(dst[begin:]) { // Python would drop the message
		dst = append(dst[:begin], bytes.ToValidUTF8(bytes.Clone(dst[begin:]), []byte("\ufffd"))...)
	}
	for _, b := range p.Attachments {
		dst = append(dst, ',', '"')
		dst = base64.StdEncoding.AppendEncode(dst, b)
		dst = append(dst, '"')
	}
	if len(p.Attachments) > 0 {
		dst = append(dst, ']')
	}
	return dst
}
