package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// How the JSON of the queue is read. Python writes what is no JSON (NaN,
// Infinity, -Infinity) and what few others do (integers of any length,
// surrogates without their other half), and most of a message need not be
// understood by a server that has nobody to send it to. So values are found,
// not decoded: a value is a part of the message, of which nothing is known but
// where it ends. What is sent to a client is checked by the parser.

var (
	errNotObject = errors.New("not a JSON object")
	errBroken    = errors.New("broken JSON")
)

// walkObject calls visit for each member of the object that data holds, until
// enter, which is asked before the value is looked at, returns false. Keys are
// without their quotes, and not unescaped: those of the queue have no escapes.
func walkObject(data []byte, enter func(key []byte) bool, visit func(key, value []byte)) error {
	i := skipSpace(data, 0)
	if i == len(data) || data[i] != '{' {
		return errNotObject
	}
	return walkMembers(data, i+1, '}', enter, func(key, value []byte) bool {
		visit(key, value)
		return true
	})
}

// walkArray is walkObject for arrays, whose elements have no keys.
func walkArray(data []byte, visit func(value []byte) bool) error {
	i := skipSpace(data, 0)
	if i == len(data) || data[i] != '[' {
		return errBroken
	}
	return walkMembers(data, i+1, ']', nil, func(_, value []byte) bool { return visit(value) })
}

// walkMembers walks from data[i], behind the opening bracket.
func walkMembers(data []byte, i int, closing byte, enter func(key []byte) bool, visit func(key, value []byte) bool) error {
	i = skipSpace(data, i)
	if i < len(data) && data[i] == closing {
		return atEnd(data, i+1)
	}
	for i < len(data) {
		var key []byte
		if closing == '}' {
			end := skipString(data, i)
			if end < 0 {
				return errBroken
			}
			key = data[i+1 : end-1]
			if i = skipSpace(data, end); i == len(data) || data[i] != ':' {
				return errBroken
			}
			i = skipSpace(data, i+1)
			if !enter(key) {
				return nil
			}
		}
		end := skipValue(data, i)
		if end < 0 {
			return errBroken
		}
		if !visit(key, data[i:end]) {
			return nil
		}
		if i = skipSpace(data, end); i == len(data) {
			return errBroken
		}
		switch data[i] {
		case closing:
			return atEnd(data, i+1)
		case ',':
			i = skipSpace(data, i+1)
		default:
			return errBroken
		}
	}
	return errBroken
}

func atEnd(data []byte, i int) error {
	if skipSpace(data, i) < len(data) {
		return errBroken
	}
	return nil
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the position behind the string at i, -1 if there is none.
func skipString(data []byte, i int) int {
	if i >= len(data) || data[i] != '"' {
		return -1
	}
	for i++; ; {
		n := bytes.IndexByte(data[i:], '"')
		if n < 0 {
			return -1
		}
		quote := i + n
		escapes := 0
		for quote-1-escapes >= i && data[quote-1-escapes] == '\\' {
			escapes++
		}
		if i = quote + 1; escapes%2 == 0 {
			return i
		}
	}
}

// bracket marks the bytes that matter between the brackets of a value.
var bracket = [256]bool{'"': true, '[': true, ']': true, '{': true, '}': true}

// skipValue returns the position behind the value at i, -1 if there is none.
func skipValue(data []byte, i int) int {
	if i >= len(data) {
		return -1
	}
	switch data[i] {
	case '"':
		return skipString(data, i)
	case '[', '{':
	default:
		start := i
		for i < len(data) {
			switch data[i] {
			case ',', ']', '}', ' ', '\n', '\t', '\r':
				if i == start {
					return -1
				}
				return i
			case '"', ':', '[', '{':
				return -1
			}
			i++
		}
		return i
	}
	for depth := 0; i < len(data); {
		c := data[i]
		if !bracket[c] {
			i++
			continue
		}
		switch c {
		case '"':
			if i = skipString(data, i); i < 0 {
				return -1
			}
			continue
		case '[', '{':
			depth++
		default:
			depth--
		}
		if i++; depth == 0 {
			return i
		}
	}
	return -1
}

// text returns what a string literal means. ok is false for another value.
func text(lit []byte) (s string, ok bool) {
	if len(lit) < 2 || lit[0] != '"' {
		return "", false
	}
	body := lit[1 : len(lit)-1]
	if bytes.IndexByte(body, '\\') < 0 && utf8.Valid(body) {
		return string(body), true
	}
	err := json.Unmarshal(lit, &s) // half surrogates become U+FFFD
	return s, err == nil
}

// name returns a room or session id: a string, or, as Flask-SocketIO's rooms may
// be, a number, whose decimal text is its name here.
func name(lit []byte) (s string, ok bool) {
	if len(lit) > 0 && (lit[0] == '-' || lit[0] >= '0' && lit[0] <= '9') {
		return string(lit), true
	}
	return text(lit)
}

// names returns a list of names, or a single one as a list. What is no name is
// left out.
func names(lit []byte) (list []string, err error) {
	if len(lit) == 0 || lit[0] != '[' {
		if s, ok := name(lit); ok {
			list = []string{s}
		}
		return list, nil
	}
	err = walkArray(lit, func(value []byte) bool {
		if s, ok := name(value); ok {
			list = append(list, s)
		}
		return true
	})
	return list, err
}

// absent reports whether a value is missing or null.
func absent(lit []byte) bool { return len(lit) == 0 || string(lit) == "null" }

// truthy is what Python makes of a value where a truth value is expected.
func truthy(lit []byte) bool {
	switch string(lit) {
	case "", "null", "false", "0", `""`, "[]", "{}":
		return false
	}
	return true
}

// numbersThatAreNone replaces NaN, Infinity and -Infinity, which Python writes
// and no JSON parser of a client reads, with null, as JavaScript does.
func numbersThatAreNone(data []byte) (out []byte, changed bool) {
	done := 0 // data[:done] is in out
	for i := 0; i < len(data); {
		if data[i] == '"' {
			if i = skipString(data, i); i < 0 {
				break
			}
			continue
		}
		n := noneAt(data[i:])
		if n == 0 {
			i++
			continue
		}
		out = append(append(out, data[done:i]...), "null"...)
		i += n
		done = i
	}
	return append(out, data[done:]...), out != nil
}

// noneAt returns the length of the token that data begins with.
func noneAt(data []byte) int {
	for _, token := range [...]string{"NaN", "Infinity", "-Infinity"} {
		if len(data) >= len(token) && data[0] == token[0] && string(data[:len(token)]) == token {
			return len(token)
		}
	}
	return 0
}
