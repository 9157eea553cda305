package msgpack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/seed-d124fa34/socketio/parser"
)

// placeholder is how a JSON packet begins what stands for an attachment.
const placeholder = `{"` + placeholderKey + `":true,"num":`

// Encode returns no text: its one message is binary.
func (f *format) Encode(dst []byte, h parser.Header, args []any) (text []byte, attachments [][]byte, err error) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	packet, binary, err := f.json.Encode(s.json[:0], h, args)
	if err != nil {
		return nil, nil, err
	}
	if cap(packet) <= maxScratch {
		s.json = packet
	}
	msg, err := encodePacket(s, h, packet[payloadAt(h, len(binary)):], binary)
	if err != nil {
		return nil, nil, fmt.Errorf("parser: cannot encode: %w", err)
	}
	return dst, [][]byte{msg}, nil
}

// scratch is what Encode needs no longer than it runs.
type scratch struct {
	json        []byte
	sizes, open []int // of count
}

// maxScratch bounds, in bytes and in numbers, what is kept for the next call.
const maxScratch = 64 << 10

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// payloadAt is where the payload begins in a JSON packet with this header.
func payloadAt(h parser.Header, attachments int) int {
	at := len("2")
	if attachments > 0 {
		at += len(strconv.Itoa(attachments)) + len("-")
	}
	if h.Namespace != "" && h.Namespace != "/" {
		at += len(h.Namespace) + len(",")
	}
	if h.HasID {
		at += len(strconv.FormatUint(h.ID, 10))
	}
	return at
}

// encodePacket writes a packet whose data is given as JSON. The order of the
// keys is python-socketio's. A packet without data has no data: the JavaScript
// client refuses a null there.
func encodePacket(s *scratch, h parser.Header, data []byte, binary [][]byte) ([]byte, error) {
	kind := h.Type
	switch kind {
	case parser.BinaryEvent:
		kind = parser.Event
	case parser.BinaryAck:
		kind = parser.Ack
	}
	namespace := h.Namespace
	if namespace == "" {
		namespace = "/"
	}
	keys := 2
	if len(data) > 0 {
		keys++
	}
	if h.HasID {
		keys++
	}

	size := len(data) + 64
	for _, b := range binary {
		size += len(b)
	}
	w := writer{out: make([]byte, 0, size), binary: binary}
	w.out = appendMap(w.out, keys)
	w.out = appendStr(w.out, keyType)
	w.out = appendUint(w.out, uint64(kind))
	if len(data) > 0 {
		w.out = appendStr(w.out, keyData)
		if err := w.json(s, data); err != nil {
			return nil, err
		}
	}
	w.out = appendStr(w.out, keyNamespace)
	w.out = appendStr(w.out, namespace)
	if h.HasID {
		w.out = appendStr(w.out, keyID)
		w.out = appendUint(w.out, h.ID)
	}
	return w.out, nil
}

// writer rewrites JSON as msgpack, with binary data in place of its placeholders.
type writer struct {
	out    []byte
	binary [][]byte
}

var (
	errCodec       = errors.New("the codec returned invalid JSON")
	errPlaceholder = errors.New(`a map with the key "` + placeholderKey + `", which Socket.IO reserves, beside binary data`)
)

// json writes a JSON text. msgpack has the number of elements in front of an
// array or map, so that all of them are counted first; there is no recursion.
func (w *writer) json(s *scratch, text []byte) error {
	if n := len(w.binary); n > 0 && bytes.Count(text, []byte(placeholder)) != n {
		return errPlaceholder // one of them is not ours, and nobody can say which
	}
	sizes := s.count(text)
	next := 0 // attachment
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case ' ', '\t', '\r', '\n', ',', ':', ']', '}':
			i++
		case '{', '[':
			size := sizes[0]
			sizes = sizes[1:]
			if c == '[' {
				w.out = appendArray(w.out, size)
			} else if end := w.placeholder(text[i:], next); end > 0 {
				w.out = appendBin(w.out, w.binary[next])
				next++
				i += end
				continue
			} else {
				w.out = appendMap(w.out, size)
			}
			i++
		default:
			end, err := w.scalar(text[i:])
			if err != nil {
				return err
			}
			i += end
		}
	}
	return nil
}

// placeholder reports the length of the placeholder of an attachment that text
// begins with, 0 if there is none.
func (w *writer) placeholder(text []byte, num int) int {
	if num == len(w.binary) || !bytes.HasPrefix(text, []byte(placeholder)) {
		return 0
	}
	want := strconv.AppendInt(make([]byte, 0, 12), int64(num), 10)
	want = append(want, '}')
	if !bytes.HasPrefix(text[len(placeholder):], want) {
		return 0
	}
	return len(placeholder) + len(want)
}

// scalar writes the string, number or literal that text begins with, and
// returns its length.
func (w *writer) scalar(text []byte) (int, error) {
	switch text[0] {
	case '"':
		end, plain := stringEnd(text)
		if end < 0 {
			return 0, errCodec
		}
		if plain {
			w.out = appendStr(w.out, text[1:end-1])
			return end, nil
		}
		var s string
		if err := json.Unmarshal(text[:end], &s); err != nil {
			return 0, errCodec
		}
		w.out = appendStr(w.out, s)
		return end, nil
	case 't':
		return w.literal(text, "true", yes)
	case 'f':
		return w.literal(text, "false", no)
	case 'n':
		return w.literal(text, "null", null)
	}
	return w.number(text)
}

func (w *writer) literal(text []byte, name string, value byte) (int, error) {
	if len(text) < len(name) || string(text[:len(name)]) != name {
		return 0, errCodec
	}
	w.out = append(w.out, value)
	return len(name), nil
}

// number writes integers as such, exactly as far as msgpack has them.
func (w *writer) number(text []byte) (int, error) {
	end, n := 0, int64(0)
	for end < len(text) && '0' <= text[end] && text[end] <= '9' {
		n = 10*n + int64(text[end]-'0') // of use if it does not overflow
		end++
	}
	short := 0 < end && end <= 18
	for end < len(text) && strings.IndexByte("+-.0123456789eE", text[end]) >= 0 {
		end, short = end+1, false
	}
	if short {
		w.out = appendInt(w.out, n)
		return end, nil
	}
	lit := string(text[:end])
	if n, err := strconv.ParseInt(lit, 10, 64); err == nil && lit != "-0" {
		w.out = appendInt(w.out, n)
		return end, nil
	}
	if n, err := strconv.ParseUint(lit, 10, 64); err == nil {
		w.out = appendUint(w.out, n)
		return end, nil
	}
	f, err := strconv.ParseFloat(lit, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("the number %.40s has no msgpack form", lit)
	}
	if err != nil {
		return 0, errCodec
	}
	w.out = appendFloat(w.out, f)
	return end, nil
}

// stringEnd returns the length of the JSON string that text begins with, -1 if
// it does not end; plain if nothing in it needs to be decoded.
func stringEnd(text []byte) (end int, plain bool) {
	plain, ascii := true, true
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"': // invalid UTF-8 becomes U+FFFD
			return i + 1, plain && (ascii || utf8.Valid(text[1:i]))
		case c == '\\':
			plain = false
			i++
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return -1, false
}

// count returns how many elements each array and object of a JSON text has, in
// the order in which they begin. The result is the scratch's.
func (s *scratch) count(text []byte) []int {
	sizes, open := s.sizes[:0], s.open[:0] // open: those not closed yet, as indexes of sizes
	first := false                         // nothing has followed the last '[' or '{'
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ', '\t', '\r', '\n', ':':
		case ']', '}':
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
			first = false
		case ',':
			if len(open) > 0 {
				sizes[open[len(open)-1]]++
			}
		default:
			if first {
				sizes[open[len(open)-1]]++
				first = false
			}
			switch c {
			case '[', '{':
				open = append(open, len(sizes))
				sizes = append(sizes, 0)
				first = true
			case '"':
				end, _ := stringEnd(text[i:])
				if end < 0 {
					return sizes
				}
				i += end - 1
			}
		}
	}
	if cap(sizes) <= maxScratch && cap(open) <= maxScratch {
		s.sizes, s.open = sizes, open
	}
	return sizes
}
