// Package jsontext finds the parts of a JSON text without decoding them: where a
// value ends, the members of an object, the elements of an array.
//
// It checks no more than it needs to go on. Therefore it also reads texts that Python
// writes and that are not JSON (NaN, Infinity, surrogates without their other half), and
// a parser must check a text before it is passed on. In a text that has been checked,
// every end that this package finds is right.
package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

var (
	errNotObject = errors.New("not a JSON object")
	// ErrBroken is returned where a text turns out to be no JSON.
	ErrBroken = errors.New("broken JSON")
)

// WalkObject calls visit for each member of the object that data holds. Before it
// looks at a member's value it calls enter, and ends when that returns false. Keys
// are without their quotes and not unescaped.
func WalkObject(data []byte, enter func(key []byte) bool, visit func(key, value []byte)) error {
	i := Space(data, 0)
	if i == len(data) || data[i] != '{' {
		return errNotObject
	}
	return walk(data, i+1, '}', enter, func(key, value []byte) bool {
		visit(key, value)
		return true
	})
}

// WalkArray calls visit for each element of the array that data holds, until that
// returns false.
func WalkArray(data []byte, visit func(value []byte) bool) error {
	i := Space(data, 0)
	if i == len(data) || data[i] != '[' {
		return ErrBroken
	}
	return walk(data, i+1, ']', nil, func(_, value []byte) bool { return visit(value) })
}

// walk walks from data[i], behind the opening bracket.
func walk(data []byte, i int, closing byte, enter func(key []byte) bool, visit func(key, value []byte) bool) error {
	i = Space(data, i)
	if i < len(data) && data[i] == closing {
		return atEnd(data, i+1)
	}
	for i < len(data) {
		var key []byte
		if closing == '}' {
			end := String(data, i)
			if end < 0 {
				return ErrBroken
			}
			key = data[i+1 : end-1]
			if i = Space(data, end); i == len(data) || data[i] != ':' {
				return ErrBroken
			}
			i = Space(data, i+1)
			if !enter(key) {
				return nil
			}
		}
		end := Value(data, i)
		if end < 0 {
			return ErrBroken
		}
		if !visit(key, data[i:end]) {
			return nil
		}
		if i = Space(data, end); i == len(data) {
			return ErrBroken
		}
		switch data[i] {
		case closing:
			return atEnd(data, i+1)
		case ',':
			i = Space(data, i+1)
		default:
			return ErrBroken
		}
	}
	return ErrBroken
}

func atEnd(data []byte, i int) error {
	if Space(data, i) < len(data) {
		return ErrBroken
	}
	return nil
}

// Space returns the position of the first byte from i on that is no blank.
func Space(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// String returns the position behind the string at i, -1 if there is none.
func String(data []byte, i int) int {
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

// Value returns the position behind the value at i, -1 if there is none.
func Value(data []byte, i int) int {
	if i >= len(data) {
		return -1
	}
	switch data[i] {
	case '"':
		return String(data, i)
	case '[', '{':
		return nested(data, i)
	}
	return word(data, i)
}

// nested returns the position behind the array or object at i, -1 if it does not end.
func nested(data []byte, i int) int {
	for depth := 0; i < len(data); {
		c := data[i]
		if !bracket[c] {
			i++
			continue
		}
		switch c {
		case '"':
			if i = String(data, i); i < 0 {
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

// word returns the position behind the number or literal at i, -1 if there is none.
func word(data []byte, i int) int {
	for start := i; i < len(data); i++ {
		switch data[i] {
		case ',', ']', '}', ' ', '\n', '\t', '\r':
			if i == start {
				return -1
			}
			return i
		case '"', ':', '[', '{':
			return -1
		}
	}
	return i
}

// Text returns what a string literal means. ok is false for another value.
func Text(lit []byte) (s string, ok bool) {
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

// AppendText appends a string as JSON.
func AppendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string has no errors
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// AppendTexts appends a list of strings as JSON.
func AppendTexts(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendText(dst, s)
	}
	return append(dst, ']')
}
