package parser

import "github.com/seed-d124fa34/socketio/internal/jsontext"

// span is a part of a text: text[start:end].
type span struct{ start, end int }

func (s span) of(text []byte) []byte { return text[s.start:s.end] }

// placeholder is a place in a text that stands for an attachment.
type placeholder struct {
	span
	num int
}

// elements are where the elements of an array are. Of an array with many elements
// only some places are kept, so that they take less memory than the text, which may
// have two bytes for each element.
type elements struct {
	first []span // the first ones; the usual packet has no more
	marks []int  // where the next one and then every element markEvery further on begins
	n     int    // how many elements there are
	end   int    // of the last
}

const (
	firstElements = 8
	markEvery     = 16
)

// dropFirst removes the first element.
func (e *elements) dropFirst() {
	e.first = e.first[1:]
	e.n--
}

// at returns an element of a text that has been checked.
func (e elements) at(text []byte, i int) span {
	if i < len(e.first) {
		return e.first[i]
	}
	i -= len(e.first)
	at := e.marks[i/markEvery]
	for range i % markEvery {
		comma := jsontext.Space(text, jsontext.Value(text, at))
		at = jsontext.Space(text, comma+1)
	}
	return span{at, jsontext.Value(text, at)}
}

// scanner checks a text that has come from a peer; in what it has checked, package
// jsontext finds the way. It checks that the text is one JSON value (RFC 8259) and notes where the
// elements of a top-level array are. It accepts what encoding/json's Valid
// accepts: strings may hold invalid UTF-8, which decodes to U+FFFD.
//
// The methods take the position of the value's first byte and return the
// position behind its last, or -1 after noting the fault.
type scanner struct {
	data        []byte
	maxDepth    int
	attachments int // if positive, placeholder objects are noted in placeholders

	room         [firstElements]span // the first elements of the top-level array
	marks        []int               // where some of the others begin, see elements
	n            int                 // how many elements there are
	end          int                 // of the last
	placeholders []placeholder       // in order of position; none lies within another

	spaced bool // there are blanks

	faultAt int
	fault   string // "" if the text is nested too deep
}

// plain marks the bytes that stand for themselves in a JSON string.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x20 && c != '"' && c != '\\'
	}
	return t
}()

// text checks data[i:]. It returns the first byte of the value, which tells
// its kind, or 0 if there is a fault.
func (s *scanner) text(i int) byte {
	i = s.space(i)
	if i == len(s.data) {
		s.fail(i, "JSON expected")
		return 0
	}
	kind := s.data[i]
	if kind == '[' {
		i = s.array(i, 1)
	} else {
		i = s.value(i, 0)
	}
	if i < 0 {
		return 0
	}
	if i = s.space(i); i < len(s.data) {
		s.fail(i, "garbage after the payload")
		return 0
	}
	return kind
}

func (s *scanner) fail(at int, what string) int {
	s.faultAt, s.fault = at, what
	return -1
}

// err is the error for the fault noted last.
func (s *scanner) err() error {
	if s.fault == "" {
		return &LimitError{Limit: "Depth", Max: s.maxDepth}
	}
	return malformed(s.data, s.faultAt, s.fault)
}

func (s *scanner) space(i int) int {
	for i < len(s.data) {
		switch s.data[i] {
		case ' ', '\t', '\r', '\n':
			s.spaced = true
			i++
		default:
			return i
		}
	}
	return i
}

// value checks the value at i; depth is the number of arrays and objects around it.
func (s *scanner) value(i, depth int) int {
	if i >= len(s.data) {
		return s.fail(i, "JSON value expected")
	}
	switch c := s.data[i]; c {
	case '"':
		return s.str(i)
	case '{':
		return s.object(i, depth+1)
	case '[':
		return s.array(i, depth+1)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		if c == '-' || isDigit(c) {
			return s.number(i)
		}
		return s.fail(i, "JSON value expected")
	}
}

// array checks an array. depth counts it; at 1 its elements are noted.
func (s *scanner) array(i, depth int) int {
	if depth > s.maxDepth {
		return s.fail(i, "")
	}
	i = s.space(i + 1)
	if i < len(s.data) && s.data[i] == ']' {
		return i + 1
	}
	for {
		start := i
		if i = s.value(i, depth); i < 0 {
			return -1
		}
		if depth == 1 {
			s.element(span{start, i})
		}
		i = s.space(i)
		if i == len(s.data) {
			return s.fail(i, "array not closed")
		}
		switch s.data[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return s.fail(i, "',' or ']' expected")
		}
	}
}

// element notes an element of the top-level array. (Appending to a slice of
// room would do, but moves the scanner to the heap.)
func (s *scanner) element(e span) {
	switch past := s.n - len(s.room); {
	case past < 0:
		s.room[s.n] = e
	case past%markEvery == 0:
		s.marks = append(s.marks, e.start)
	}
	s.n++
	s.end = e.end
}

// whole makes a value that is no array the only element.
func (s *scanner) whole(at span) { s.room[0], s.n, s.end, s.marks = at, 1, at.end, nil }

// elems returns the elements of the top-level array.
func (s *scanner) elems() elements {
	return elements{s.room[:min(s.n, len(s.room))], s.marks, s.n, s.end}
}

// object checks an object. It notes a placeholder.
func (s *scanner) object(i, depth int) int {
	if depth > s.maxDepth {
		return s.fail(i, "")
	}
	begin, outer := i, len(s.placeholders)
	isPlaceholder, num := false, span{}
	i = s.space(i + 1)
	if i < len(s.data) && s.data[i] == '}' {
		return i + 1
	}
	for {
		if i == len(s.data) || s.data[i] != '"' {
			return s.fail(i, "object key expected")
		}
		key := span{start: i}
		if i = s.str(i); i < 0 {
			return -1
		}
		key.end = i
		i = s.space(i)
		if i == len(s.data) || s.data[i] != ':' {
			return s.fail(i, "':' expected")
		}
		val := span{start: s.space(i + 1)}
		if i = s.value(val.start, depth); i < 0 {
			return -1
		}
		val.end = i
		if s.attachments > 0 {
			// As elsewhere in JSON, the last of several equal keys counts.
			switch {
			case keyIs(key.of(s.data), "_placeholder"):
				isPlaceholder = string(val.of(s.data)) == "true"
			case keyIs(key.of(s.data), "num"):
				num = val
			}
		}
		i = s.space(i)
		if i == len(s.data) {
			return s.fail(i, "object not closed")
		}
		switch s.data[i] {
		case ',':
			i = s.space(i + 1)
		case '}':
			i++
			if isPlaceholder && !s.addPlaceholder(span{begin, i}, num, outer) {
				return -1
			}
			return i
		default:
			return s.fail(i, "',' or '}' expected")
		}
	}
}

// addPlaceholder notes a placeholder object. Placeholders inside it, from outer on, go: the
// whole object stands for one attachment.
func (s *scanner) addPlaceholder(at, num span, outer int) bool {
	digits := num.of(s.data)
	n := 0
	for _, c := range digits {
		if !isDigit(c) || n >= s.attachments {
			n = s.attachments
			break
		}
		n = 10*n + int(c-'0')
	}
	if len(digits) == 0 || n >= s.attachments {
		s.fail(at.start, "placeholder without an attachment")
		return false
	}
	s.placeholders = append(s.placeholders[:outer], placeholder{at, n})
	return true
}

// keyIs reports whether the string literal lit, which is valid, means want.
func keyIs(lit []byte, want string) bool {
	if len(lit) == len(want)+2 {
		return string(lit[1:len(lit)-1]) == want
	}
	// Longer only if it is written with escapes, six bytes each at most.
	return len(lit) > len(want)+2 && len(lit) <= 6*len(want)+2 && unquote(lit) == want
}

// str checks a string literal.
func (s *scanner) str(i int) int {
	d := s.data
	long := i + 16 // most strings are shorter
	for i++; i < len(d); i++ {
		c := d[i]
		if plain[c] {
			if i > long {
				i = plainBytes(d, i) - 1
			}
			continue
		}
		if c == '"' {
			return i + 1
		}
		if c != '\\' {
			return s.fail(i, "control character in a string")
		}
		if i++; i == len(d) {
			break
		}
		switch d[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			if len(d)-i < 5 {
				return s.fail(i-1, "string not closed")
			}
			for _, h := range d[i+1 : i+5] {
				if !isHex(h) {
					return s.fail(i-1, "bad escape in a string")
				}
			}
			i += 4
		default:
			return s.fail(i-1, "bad escape in a string")
		}
	}
	return s.fail(len(d), "string not closed")
}

// number checks -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) number(i int) int {
	d := s.data
	if d[i] == '-' {
		i++
	}
	if i < len(d) && d[i] == '0' {
		i++
	} else if i = s.digits(i); i < 0 {
		return -1
	}
	if i < len(d) && d[i] == '.' {
		if i = s.digits(i + 1); i < 0 {
			return -1
		}
	}
	if i < len(d) && (d[i] == 'e' || d[i] == 'E') {
		i++
		if i < len(d) && (d[i] == '+' || d[i] == '-') {
			i++
		}
		if i = s.digits(i); i < 0 {
			return -1
		}
	}
	return i
}

// digits skips one or more digits.
func (s *scanner) digits(i int) int {
	start := i
	for i < len(s.data) && isDigit(s.data[i]) {
		i++
	}
	if i == start {
		return s.fail(i, "digit expected")
	}
	return i
}

func (s *scanner) literal(i int, want string) int {
	if end := i + len(want); end <= len(s.data) && string(s.data[i:end]) == want {
		return end
	}
	return s.fail(i, "JSON value expected")
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
