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
	first  []span  // the first arguments, in text; mostly all of them
	binary *binary // nil for a packet without attachments and with few arguments
	room   [2]span // what first is made of, if it is enough
}

// binary is what args of a binary packet, or of one with many arguments, have besides.
type binary struct {
	placeholders []placeholder // in text
	attachments  [][]byte
	many         *elements // all arguments; nil if args.first has all
}

// noArgs are the arguments of every packet that has none.
var noArgs = new(args)

// binaryPrealloc is how many attachments a header alone makes room for.
const binaryPrealloc = 16

// newArgs copies what the arguments need out of data.
func newArgs(p *jsonParser, data []byte, elems *elements, attachments int, placeholders []placeholder) *args {
	if elems.n == 0 && attachments == 0 {
		return noArgs
	}
	a := &args{parser: p}
	offset := 0
	if n := len(elems.first); n > 0 {
		offset = elems.first[0].start
		a.text = make([]byte, elems.end-offset)
		copy(a.text, data[offset:])
		if n <= len(a.room) {
			a.first = a.room[:n:n]
		} else {
			a.first = make([]span, n)
		}
		for i, e := range elems.first {
			a.first[i] = span{e.start - offset, e.end - offset}
		}
	}
	if len(elems.marks) > 0 {
		many := &elements{a.first, make([]int, len(elems.marks)), elems.n, elems.end - offset}
		for i, mark := range elems.marks {
			many.marks[i] = mark - offset
		}
		a.binary = &binary{many: many}
	}
	if attachments > 0 {
		if a.binary == nil {
			a.binary = new(binary)
		}
		*a.binary = binary{
			many:         a.binary.many,
			placeholders: slices.Clone(placeholders), // so that the scanner can live on the stack
			attachments:  make([][]byte, 0, min(attachments, binaryPrealloc)),
		}
		for i := range placeholders {
			h := &a.binary.placeholders[i]
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
	for _, h := range a.binary.placeholders {
		if most -= len(a.binary.attachments[h.num]); most < 0 {
			return malformed(a.text, h.start, "the same attachment is referred to too often")
		}
	}
	return nil
}

func (a *args) Len() int {
	if a.binary != nil && a.binary.many != nil {
		return a.binary.many.n
	}
	return len(a.first)
}

// at returns where argument i is, which exists.
func (a *args) at(i int) span {
	if i < len(a.first) {
		return a.first[i]
	}
	return a.binary.many.at(a.text, i)
}

// Size is the memory that the arguments hold, in bytes, but for what they all have.
func (a *args) Size() int {
	n := cap(a.text)
	if len(a.first) > len(a.room) {
		n += cap(a.first) * int(unsafe.Sizeof(span{}))
	}
	if b := a.binary; b != nil {
		n += int(unsafe.Sizeof(*b)) + cap(b.placeholders)*int(unsafe.Sizeof(placeholder{}))
		if b.many != nil {
			n += cap(b.many.marks) * int(unsafe.Sizeof(int(0)))
		}
		for _, att := range b.attachments {
			n += int(unsafe.Sizeof(att)) + max(cap(att), 16) // an allocation has at least that, about
		}
	}
	return n
}

var errTarget = errors.New("the target must be a non-nil pointer")

func (a *args) Bind(i int, v any) error {
	if i < 0 || i >= a.Len() {
		return a.fail(i, v, fmt.Errorf("%w: the packet has %d", ErrNoArgument, a.Len()))
	}
	if err := a.bind(a.at(i), v); err != nil {
		return a.fail(i, v, err)
	}
	return nil
}

// bind decodes the value at a place.
func (a *args) bind(at span, v any) error {
	if r, ok := v.(*Raw); ok && r != nil {
		*r = Raw{a, at}
		return nil
	}
	lit := at.of(a.text)
	if placeholders := a.placeholdersIn(at); len(placeholders) > 0 {
		return a.bindBinary(at, placeholders, v)
	}
	if a.bindFast(lit, v) {
		return nil
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return errTarget
	}
	if u := a.unmarshaler(rv, lit); u != nil {
		return u.UnmarshalJSON(lit[:len(lit):len(lit)])
	}
	return a.unmarshal(lit, rv)
}

// unmarshaler returns the method that encoding/json would call with all of the
// literal, nil if there is none. The literal has been checked: encoding/json would
// check it once more, and look for its end.
func (a *args) unmarshaler(target reflect.Value, lit []byte) json.Unmarshaler {
	if a.parser.std == nil {
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

// placeholdersIn returns the placeholders of one argument.
func (a *args) placeholdersIn(at span) []placeholder {
	if a.binary == nil || len(a.binary.placeholders) == 0 {
		return nil
	}
	find := func(pos int) int {
		n, _ := slices.BinarySearchFunc(a.binary.placeholders, pos, func(h placeholder, pos int) int {
			return cmp.Compare(h.start, pos)
		})
		return n
	}
	return a.binary.placeholders[find(at.start):find(at.end)]
}
