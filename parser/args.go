package parser

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unsafe"
)

// args implements Args. It does not change once its packet is complete.
type args struct {
	parser *jsonParser
	text   []byte  // from the first argument to the last
	elems  []span  // the arguments, in text
	binary *binary // nil for a packet without attachments
	room   [2]span // what elems is made of, if it is enough
}

// binary is what args of a binary packet have besides.
type binary struct {
	holes       []hole // in text
	attachments [][]byte
}

// noArgs are the arguments of every packet that has none.
var noArgs = new(args)

// binaryPrealloc is how many attachments a header alone makes room for.
const binaryPrealloc = 16

// newArgs copies what the arguments need out of data.
func newArgs(p *jsonParser, data []byte, elems []span, attachments int, holes []hole) *args {
	if len(elems) == 0 && attachments == 0 {
		return noArgs
	}
	a := &args{parser: p}
	offset := 0
	if n := len(elems); n > 0 {
		offset = elems[0].start
		a.text = make([]byte, elems[n-1].end-offset)
		copy(a.text, data[offset:])
		if n <= len(a.room) {
			a.elems = a.room[:n:n]
		} else {
			a.elems = make([]span, n)
		}
		for i, e := range elems {
			a.elems[i] = span{e.start - offset, e.end - offset}
		}
	}
	if attachments > 0 {
		a.binary = &binary{
			holes:       slices.Clone(holes), // so that the scanner can live on the stack
			attachments: make([][]byte, 0, min(attachments, binaryPrealloc)),
		}
		for i := range holes {
			h := &a.binary.holes[i]
			h.start -= offset
			h.end -= offset
		}
	}
	return a
}

// repeatSlack and repeatFactor bound how often a packet may refer to the same
// attachment: a few kilobytes of placeholders for one large attachment could
// otherwise stand for gigabytes.
const (
	repeatSlack  = 1 << 20
	repeatFactor = 4
)

// checkRepeats checks a packet, now complete, whose attachments have the given
// total size.
func (a *args) checkRepeats(size int) error {
	most := max(repeatSlack, repeatFactor*size)
	for _, h := range a.binary.holes {
		if most -= len(a.binary.attachments[h.num]); most < 0 {
			return malformed(a.text, h.start, "the same attachment is referred to too often")
		}
	}
	return nil
}

func (a *args) Len() int { return len(a.elems) }

var errTarget = errors.New("the target must be a non-nil pointer")

func (a *args) Bind(i int, v any) error {
	if i < 0 || i >= len(a.elems) {
		return a.fail(i, v, fmt.Errorf("%w: the packet has %d", ErrNoArgument, len(a.elems)))
	}
	at := a.elems[i]
	lit := at.of(a.text)
	var err error
	if holes := a.holesIn(at); len(holes) > 0 {
		err = a.bindBinary(at, holes, v)
	} else if a.bindFast(lit, v) {
		return nil
	} else if rv := reflect.ValueOf(v); rv.Kind() != reflect.Pointer || rv.IsNil() {
		err = errTarget
	} else if u := a.unmarshaler(rv, lit); u != nil {
		err = u.UnmarshalJSON(lit[:len(lit):len(lit)])
	} else {
		err = a.unmarshal(lit, v)
	}
	if err != nil {
		return a.fail(i, v, err)
	}
	return nil
}

// unmarshaler returns the method that encoding/json would call with all of the
// literal, nil if there is none. The literal has been checked: encoding/json would
// check it once more, and look for its end.
func (a *args) unmarshaler(target reflect.Value, lit []byte) json.Unmarshaler {
	if !a.parser.std {
		return nil
	}
	if u, ok := target.Interface().(json.Unmarshaler); ok {
		return u
	}
	p := target.Elem()
	if p.Kind() != reflect.Pointer || lit[0] == 'n' { // null makes it a nil pointer
		return nil
	}
	u, ok := p.Interface().(json.Unmarshaler)
	if ok && p.IsNil() {
		p.Set(reflect.New(p.Type().Elem()))
		u = p.Interface().(json.Unmarshaler)
	}
	return u
}

// string returns what a string literal of the arguments means. If the string is
// most of the arguments anyway, it is not copied: they do not change.
func (a *args) string(lit []byte) string {
	body, ok := simple(lit)
	if !ok {
		return unquote(lit)
	}
	if 2*len(body) < len(a.text) {
		return string(body)
	}
	return unsafe.String(unsafe.SliceData(body), len(body))
}

func (a *args) fail(i int, v any, err error) error {
	e := &BindError{Arg: i, Err: err}
	if t := reflect.TypeOf(v); t != nil && t.Kind() == reflect.Pointer {
		e.Target = t.Elem()
	}
	return e
}

// holesIn returns the holes of one argument.
func (a *args) holesIn(at span) []hole {
	if a.binary == nil {
		return nil
	}
	find := func(pos int) int {
		n, _ := slices.BinarySearchFunc(a.binary.holes, pos, func(h hole, pos int) int {
			return cmp.Compare(h.start, pos)
		})
		return n
	}
	return a.binary.holes[find(at.start):find(at.end)]
}
