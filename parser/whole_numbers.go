package parser

import (
	"bytes"
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/seed-d124fa34/socketio/internal/jsontext"
)

// Numbers without a fraction for integers. Clients in languages that know only one
// kind of number, or two that look alike, send 1.0 or 1e3 for an integer; JSON makes
// no difference, and encoding/json refuses them. What a codec has refused is
// written anew, with such numbers as integers wherever the target has an integer
// type, and decoded once more. Everything else stays as it came.

// maxWhole bounds the digits of an integer that is written out: one more than
// the largest of 64 bits has.
const maxWhole = 21

// wholeNumber returns a JSON number with a fraction or an exponent as an integer.
// It reports false if it is none, or has too many digits.
func wholeNumber(lit []byte) (out []byte, ok bool) {
	negative := lit[0] == '-'
	if negative {
		lit = lit[1:]
	}
	var digits []byte
	point, exp := -1, 0
	if i := bytes.IndexAny(lit, "eE"); i >= 0 {
		var err error
		if exp, err = strconv.Atoi(string(lit[i+1:])); err != nil || exp < -len(lit) || exp > maxWhole {
			return nil, false
		}
		lit = lit[:i]
	}
	for _, c := range lit {
		if c == '.' {
			point = len(digits)
		} else {
			digits = append(digits, c)
		}
	}
	if point < 0 {
		point = len(digits)
	}
	point += exp
	for len(digits) > 0 && len(digits) > point && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
		point--
	}
	switch {
	case len(digits) == 0:
		return []byte{'0'}, true // also -0.0, which is no unsigned integer otherwise
	case len(digits) > point || point > maxWhole:
		return nil, false
	}
	if negative {
		out = append(out, '-')
	}
	out = append(out, digits...)
	for range point - len(digits) {
		out = append(out, '0')
	}
	return out, true
}

// unmarshal decodes a text that has been checked. target is a pointer.
func (a *args) unmarshal(text []byte, target reflect.Value) error {
	if a.parser.direct && decodeDirect(text, target) {
		return nil
	}
	v := target.Interface()
	err := a.parser.codec.Unmarshal(text, v)
	if err == nil {
		return nil
	}
	w := numberRewriter{data: text}
	w.value(w.skip(0), reflect.TypeOf(v))
	if w.out == nil || a.parser.codec.Unmarshal(append(w.out, text[w.done:]...), v) != nil {
		return err
	}
	return nil
}

// numberRewriter rewrites a text for a target.
type numberRewriter struct {
	data []byte // has been checked
	out  []byte // data[:done], rewritten; nil: nothing has been
	done int
}

// value looks at the value at i, which is decoded into a t, and returns its end.
func (w *numberRewriter) value(i int, t reflect.Type) int {
	for t.Kind() == reflect.Pointer && !decodesItself(t) {
		t = t.Elem()
	}
	if decodesItself(t) {
		return jsontext.Value(w.data, i)
	}
	switch c := w.data[i]; {
	case c == '{' && (t.Kind() == reflect.Struct || t.Kind() == reflect.Map):
		return w.object(i, t)
	case c == '[' && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array):
		return w.list(i, t.Elem())
	case isInteger(t) && (c == '-' || isDigit(c)):
		return w.number(i)
	}
	return jsontext.Value(w.data, i)
}

// skip returns the position of the first byte from i on that is no blank.
func (w *numberRewriter) skip(i int) int { return jsontext.Space(w.data, i) }

func (w *numberRewriter) number(i int) int {
	end := jsontext.Value(w.data, i)
	if lit := w.data[i:end]; strings.ContainsAny(string(lit), ".eE") {
		if whole, ok := wholeNumber(lit); ok {
			w.out = append(append(w.out, w.data[w.done:i]...), whole...)
			w.done = end
		}
	}
	return end
}

func (w *numberRewriter) list(i int, elem reflect.Type) int {
	for i = w.skip(i + 1); w.data[i] != ']'; {
		i = w.skip(w.value(i, elem))
		if w.data[i] == ',' {
			i = w.skip(i + 1)
		}
	}
	return i + 1
}

func (w *numberRewriter) object(i int, t reflect.Type) int {
	for i = w.skip(i + 1); w.data[i] != '}'; {
		key := span{i, jsontext.String(w.data, i)}
		i = w.skip(w.skip(key.end) + 1) // behind the colon
		if elem := elementType(t, key.of(w.data)); elem != nil {
			i = w.value(i, elem)
		} else {
			i = jsontext.Value(w.data, i)
		}
		if i = w.skip(i); w.data[i] == ',' {
			i = w.skip(i + 1)
		}
	}
	return i + 1
}

// elementType returns what the value of a key becomes in a map or struct, nil if
// nothing.
func elementType(t reflect.Type, key []byte) reflect.Type {
	if t.Kind() == reflect.Map {
		return t.Elem()
	}
	names := fieldTypesOf(t)
	name := unquote(key)
	if f := names[name]; f != nil {
		return f
	}
	return names[strings.ToLower(name)]
}

func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(unmarshalerType) || p.Implements(textUnmarshalerType)
}

func isInteger(t reflect.Type) bool {
	return reflect.Int <= t.Kind() && t.Kind() <= reflect.Uintptr
}

var fieldTypes sync.Map // reflect.Type -> map[string]reflect.Type

// fieldTypesOf returns the types of a struct's fields by their names in JSON, in
// small letters as well: encoding/json takes a key in any.
func fieldTypesOf(t reflect.Type) map[string]reflect.Type {
	if names, ok := fieldTypes.Load(t); ok {
		return names.(map[string]reflect.Type)
	}
	names := make(map[string]reflect.Type)
	fields := reflect.VisibleFields(t)
	slices.SortStableFunc(fields, func(a, b reflect.StructField) int { return cmp.Compare(len(a.Index), len(b.Index)) })
	for _, f := range fields {
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if tag == "-" || !f.IsExported() || f.Anonymous && name == "" || hasOption(options, "string") {
			continue
		}
		name = cmp.Or(name, f.Name)
		for _, key := range []string{name, strings.ToLower(name)} {
			if names[key] == nil { // the outermost counts
				names[key] = f.Type
			}
		}
	}
	fieldTypes.Store(t, names)
	return names
}
