package flask

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/seed-d124fa34/socketio/internal/jsontext"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// readPayload reads "data" or "args". Before 5.15 python-socketio did not wrap a
// single argument in a list.
func readPayload(data []byte, binary bool) (p wire.Payload, err error) {
	if binary {
		if data, p.Attachments, err = readBinary(data); err != nil {
			return p, fmt.Errorf("binary: %w", err)
		}
	}
	p.Args = data
	if len(data) > 0 && data[0] == '[' {
		if data[len(data)-1] != ']' {
			return p, jsontext.ErrBroken
		}
		p.Args = bytes.Trim(data[1:len(data)-1], " \t\r\n")
	}
	p.Args = clean(p.Args)
	return p, nil
}

// readBinary reads a list of arguments with placeholders, and of attachments.
func readBinary(list []byte) (args []byte, attachments [][]byte, err error) {
	walked := jsontext.WalkArray(list, func(value []byte) bool {
		if args == nil {
			args = value
			return true
		}
		var b []byte
		b, err = readBase64(value)
		attachments = append(attachments, b)
		return err == nil
	})
	if err = errors.Join(walked, err); err == nil && args == nil {
		err = errors.New("there is no data")
	}
	return args, attachments, err
}

func readBase64(lit []byte) ([]byte, error) {
	s, ok := jsontext.Text(lit)
	if !ok {
		return nil, errors.New("an attachment is no string")
	}
	return base64.StdEncoding.DecodeString(s)
}

// name returns a room or session id: a string, or the decimal text of a number, which rooms
// of Flask-SocketIO may be.
func name(lit []byte) (s string, ok bool) {
	if len(lit) > 0 && (lit[0] == '-' || lit[0] >= '0' && lit[0] <= '9') {
		return string(lit), true
	}
	return jsontext.Text(lit)
}

// appendNames appends a list of names, or a single one. It leaves out values that are no names.
func appendNames(list []string, lit []byte) ([]string, error) {
	if len(lit) == 0 || lit[0] != '[' {
		if s, ok := name(lit); ok {
			list = append(list, s)
		}
		return list, nil
	}
	err := jsontext.WalkArray(lit, func(value []byte) bool {
		if s, ok := name(value); ok {
			list = append(list, s)
		}
		return true
	})
	return list, err
}

// absent reports whether a value is missing or null.
func absent(lit []byte) bool { return len(lit) == 0 || string(lit) == "null" }

// truthy returns the truth value that Python gives to a value.
func truthy(lit []byte) bool {
	switch string(lit) {
	case "", "null", "false", "0", `""`, "[]", "{}":
		return false
	}
	return true
}

// clean turns JSON that Python has written into JSON that all clients read: in UTF-8, and
// without NaN and Infinity.
func clean(data []byte) []byte {
	if !utf8.Valid(data) {
		data = bytes.ToValidUTF8(data, []byte("\ufffd"))
	}
	for _, token := range [...]string{"NaN", "Infinity"} {
		if bytes.Contains(data, []byte(token)) {
			return withoutNaN(data)
		}
	}
	return data
}

// withoutNaN replaces NaN, Infinity and -Infinity, which Python writes and no JSON
// parser of a client reads, with null, as JavaScript does.
func withoutNaN(data []byte) []byte {
	out := make([]byte, 0, len(data)+8)
	done := 0 // data[:done] is in out
	for i := 0; i < len(data); {
		if data[i] == '"' {
			if i = jsontext.String(data, i); i < 0 {
				break
			}
			continue
		}
		n := tokenAt(data[i:])
		if n == 0 {
			i++
			continue
		}
		out = append(append(out, data[done:i]...), "null"...)
		i += n
		done = i
	}
	return append(out, data[done:]...)
}

// tokenAt returns the length of the NaN or Infinity with which data begins, 0 if there is none.
func tokenAt(data []byte) int {
	for _, token := range [...]string{"NaN", "Infinity", "-Infinity"} {
		if len(data) >= len(token) && data[0] == token[0] && string(data[:len(token)]) == token {
			return len(token)
		}
	}
	return 0
}
