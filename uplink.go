package socketio

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/google/uuid"

	"github.com/seed-d124fa34/socketio/internal/outbox"
	"github.com/seed-d124fa34/socketio/parser"
)

// uplink writes messages of the queue: for a server, to the others, and for an
// Emitter.
type uplink struct {
	host    string // names this server or Emitter on the queue
	channel string
	out     *outbox.Outbox
	codec   parser.Parser // JSON
}

const hostLen = 32 // bytes of a newHost

// newHost returns a name for a server or an Emitter.
func newHost() string {
	id := uuid.New()
	return fmt.Sprintf("%x", id[:])
}

func newUplink(b Broker, host, channel string, limit, keep int, codec parser.Parser, log *slog.Logger, writeOnly bool) uplink {
	return uplink{host: host, channel: channel, codec: codec, out: outbox.New(outbox.Options{
		Broker: b, Channel: channel, Limit: limit, Keep: keep, Logger: log, WriteOnly: writeOnly,
	})}
}

// put publishes a message.
func (u *uplink) put(msg []byte) error {
	if !u.out.Put(u.channel, msg) {
		return ErrBrokerUnavailable
	}
	return nil
}

// outgoing is an event for clients elsewhere.
type outgoing struct {
	ns          string
	everyone    bool
	rooms       []string // unless everyone
	skip        []string // session ids
	except      []string
	volatile    bool
	noCompress  bool
	event, args []byte // JSON: the name, and the arguments with commas between
	attachments [][]byte
	ask         bool
	notices     bool   // tell who leaves without an answer, if ask
	id          uint64 // what the answers name, if ask
}

// putEvent publishes an event. For whom it is comes first, so that servers that
// have nobody of them need not read on.
func (u *uplink) putEvent(o *outgoing) error {
	size := 256 + len(o.event) + len(o.args)
	for _, b := range o.attachments {
		size += 4*len(b)/3 + 8
	}
	msg := appendHead(make([]byte, 0, size), "emit", u.host, o.ns)
	msg = append(msg, `,"room":`...)
	room := ""
	switch {
	case o.everyone:
		msg = append(msg, "null"...)
	case len(o.rooms) == 1:
		room = o.rooms[0]
		msg = appendText(msg, room)
	default:
		msg = appendTexts(msg, o.rooms)
	}
	msg = append(msg, `,"skip_sid":`...)
	if len(o.skip) == 0 {
		msg = append(msg, "null"...)
	} else {
		msg = appendTexts(msg, o.skip)
	}
	msg = append(msg, `,"callback":`...)
	if o.ask {
		msg = appendText(append(msg, '['), room)
		msg = appendText(append(msg, ','), o.ns)
		msg = append(strconv.AppendUint(append(msg, ','), o.id, 10), `],"bytes":true`...)
		if o.notices {
			msg = append(msg, `,"notices":true`...)
		}
	} else {
		msg = append(msg, "null"...)
	}
	if len(o.except) > 0 {
		msg = appendTexts(append(msg, `,"except":`...), o.except)
	}
	if o.volatile {
		msg = append(msg, `,"volatile":true`...)
	}
	if o.noCompress {
		msg = append(msg, `,"compress":false`...)
	}
	if string(o.args) == "null" {
		msg = append(msg, `,"argc":1`...)
	}
	msg = append(append(msg, `,"event":`...), o.event...)
	msg = strconv.AppendBool(append(msg, `,"binary":`...), len(o.attachments) > 0)
	msg = append(msg, `,"data":`...)
	return u.put(append(appendPayload(msg, o.args, o.attachments), '}'))
}

// putSocket publishes what is to be done with one socket. room is not used by
// every method.
func (u *uplink) putSocket(method, ns, sid, room string) error {
	msg := appendHead(make([]byte, 0, 192), method, u.host, ns)
	msg = appendText(append(msg, `,"sid":`...), sid)
	if method != "disconnect" {
		msg = appendText(append(msg, `,"room":`...), room)
	}
	return u.put(append(msg, '}'))
}

// putCloseRoom publishes that a room is to be closed.
func (u *uplink) putCloseRoom(ns, room string) error {
	msg := appendHead(make([]byte, 0, 160), "close_room", u.host, ns)
	return u.put(append(appendText(append(msg, `,"room":`...), room), '}'))
}

// checkSocket checks the names of putSocket.
func checkSocket(method, ns, sid, room string) error {
	switch {
	case sid == "":
		return fmt.Errorf("%w: %q in %s", ErrUnknownSocket, sid, ns)
	case method != "disconnect" && room == "":
		return errEmptyRoom
	case method != "disconnect" && room == sid:
		return errNothingToDo // every socket is in its own room, for ever
	}
	return nil
}

var errNothingToDo = errors.New("socketio: nothing to do")

// eventArgs is what the parser encodes of an event.
func eventArgs(event string, data any) []any {
	switch d := data.(type) {
	case nil:
		return []any{event}
	case Args:
		return append(append(make([]any, 0, 1+len(d)), event), d...)
	}
	return []any{event, data}
}

// encodeJSON encodes an event for the queue.
func encodeJSON(codec parser.Parser, event string, data any) (name, args []byte, attachments [][]byte, err error) {
	packet, attachments, err := codec.Encode(nil, parser.Header{Type: parser.Event, Namespace: "/"}, eventArgs(event, data))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("socketio: emit %q: %w", event, err)
	}
	name, args = splitPacket(packet, "/")
	return name, args, attachments, nil
}
