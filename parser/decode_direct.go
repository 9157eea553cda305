package parser

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/seed-d124fa34/socketio/internal/jsontext"
)

// Decoding a text that has been checked, with the result of encoding/json, which would check
// it once more and look at each byte several times. What is rare (types with text methods,
// embedded structs, options of struct tags, arrays of fixed size) is left to encoding/json, value by
// value. So is every error: what does not fit is decoded once more, as a whole, for an error that
// says where.

// decodeDirect decodes a text into what target points to. It returns false if something
// does not fit: then the target is filled in part.
func decodeDirect(text []byte, target reflect.Value) bool {
	p := planOf(target.Type().Elem())
	if p.kind == planOther {
		return false
	}
	return p.decode(text, jsontext.Space(text, 0), target.Elem()) >= 0
}

// decode decodes the value at i into v, and returns its end, or -1 if it does not fit.
func (p *plan) decode(text []byte, i int, v reflect.Value) int {
	switch p.kind {
	case planMethod:
		end := jsontext.Value(text, i)
		if v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(text[i:end:end]) != nil {
			return -1
		}
		return end
	case planOther:
		return leave(text, i, v)
	case planAny:
		return decodeInterface(text, i, v)
	}
	switch c := text[i]; {
	case c == 'n':
		if p.nilable {
			v.SetZero()
		}
		return i + len("null")
	case p.kind == planPointer:
		if v.IsNil() {
			v.Set(reflect.New(p.elemType))
		}
		return p.elem.decode(text, i, v.Elem())
	case c == '"' && p.kind == planString:
		s, end := stringAt(text, i)
		v.SetString(s)
		return end
	case c == '"' && p.kind == planBytes:
		s, end := stringAt(text, i)
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return -1
		}
		v.SetBytes(b)
		return end
	case c == '{' && p.kind == planStruct:
		return p.decodeStruct(text, i, v)
	case c == '{' && p.kind == planMap:
		return p.decodeMap(text, i, v)
	case c == '[' && p.kind == planSlice:
		return p.decodeSlice(text, i, v)
	case c == '[' && p.kind == planBytes:
		return leave(text, i, v)
	case p.kind == planBool && (c == 't' || c == 'f'):
		v.SetBool(c == 't')
		return jsontext.Value(text, i)
	case c == '-' || isDigit(c):
		return p.decodeNumber(text, i, v)
	}
	return -1
}

// leave leaves the value at i to encoding/json.
func leave(text []byte, i int, v reflect.Value) int {
	end := jsontext.Value(text, i)
	if json.Unmarshal(text[i:end:end], v.Addr().Interface()) != nil {
		return -1
	}
	return end
}

func (p *plan) decodeNumber(text []byte, i int, v reflect.Value) int {
	end := numberEnd(text, i)
	lit := text[i:end]
	switch p.kind {
	case planInt:
		n, ok := integer(lit, strconv.ParseInt)
		if !ok || v.OverflowInt(n) {
			return -1
		}
		v.SetInt(n)
	case planUint:
		n, ok := integer(lit, strconv.ParseUint)
		if !ok || v.OverflowUint(n) {
			return -1
		}
		v.SetUint(n)
	case planFloat:
		f, err := strconv.ParseFloat(view(lit), v.Type().Bits())
		if err != nil {
			return -1
		}
		v.SetFloat(f)
	default:
		return -1
	}
	return end
}

// integer returns a number without a fraction, however it is written.
func integer[T int64 | uint64](lit []byte, parse func(s string, base, bits int) (T, error)) (n T, ok bool) {
	if len(lit) <= 18 { // it fits
		for i, c := range lit {
			if !isDigit(c) {
				break
			}
			n = 10*n + T(c-'0')
			if i == len(lit)-1 {
				return n, true
			}
		}
	}
	n, err := parse(view(lit), 10, 64)
	if err == nil {
		return n, true
	}
	if !bytes.ContainsAny(lit, ".eE") {
		return 0, false
	}
	whole, ok := wholeNumber(lit)
	if !ok {
		return 0, false
	}
	n, err = parse(view(whole), 10, 64)
	return n, err == nil
}

func (p *plan) decodeStruct(text []byte, i int, v reflect.Value) int {
	i = jsontext.Space(text, i+1)
	if text[i] == '}' {
		return i + 1
	}
	next := 0
	for {
		key := text[i+1 : plainBytes(text, i+1)]
		if i += len(key) + 1; text[i] == '"' {
			i++
		} else {
			i -= len(key) + 1
			end := jsontext.String(text, i)
			key = []byte(unquote(text[i:end]))
			i = end
		}
		i = jsontext.Space(text, jsontext.Space(text, i)+1) // behind the colon
		if f := p.field(key, &next); f != nil {
			i = f.plan.decode(text, i, v.Field(f.index))
		} else {
			i = jsontext.Value(text, i)
		}
		if i < 0 {
			return -1
		}
		if i = jsontext.Space(text, i); text[i] == '}' {
			return i + 1
		}
		i = jsontext.Space(text, i+1)
	}
}

// decodeSlice puts elements where others were, as encoding/json does.
func (p *plan) decodeSlice(text []byte, i int, v reflect.Value) int {
	i = jsontext.Space(text, i+1)
	if text[i] == ']' {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		return i + 1
	}
	for n := 0; ; n++ {
		if n >= v.Cap() {
			v.Grow(1)
		}
		if n >= v.Len() {
			v.SetLen(n + 1)
		}
		if i = p.elem.decode(text, i, v.Index(n)); i < 0 {
			return -1
		}
		if i = jsontext.Space(text, i); text[i] == ']' {
			v.SetLen(n + 1)
			return i + 1
		}
		i = jsontext.Space(text, i+1)
	}
}

func (p *plan) decodeMap(text []byte, i int, v reflect.Value) int {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	if m, ok := v.Interface().(map[string]any); ok {
		return decodeMembers(text, i, m)
	}
	i = jsontext.Space(text, i+1)
	if text[i] == '}' {
		return i + 1
	}
	key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(p.elemType).Elem()
	for {
		name, end := stringAt(text, i)
		i = jsontext.Space(text, jsontext.Space(text, end)+1)
		elem.SetZero()
		if i = p.elem.decode(text, i, elem); i < 0 {
			return -1
		}
		key.SetString(name)
		v.SetMapIndex(key, elem)
		if i = jsontext.Space(text, i); text[i] == '}' {
			return i + 1
		}
		i = jsontext.Space(text, i+1)
	}
}

// decodeInterface decodes into an interface of any type. encoding/json decodes into what a
// pointer in it points to.
func decodeInterface(text []byte, i int, v reflect.Value) int {
	if !v.IsNil() && v.Elem().Kind() == reflect.Pointer {
		return leave(text, i, v)
	}
	value, end := anyAt(text, i)
	switch {
	case end < 0:
	case value == nil:
		v.SetZero()
	default:
		v.Set(reflect.ValueOf(value))
	}
	return end
}

// anyAt returns the value at i and its end, which is -1 for a number that is too large.
func anyAt(text []byte, i int) (v any, end int) {
	switch text[i] {
	case '"':
		return stringOf(text, i)
	case '{':
		m := make(map[string]any)
		return m, decodeMembers(text, i, m)
	case '[':
		return listAt(text, i)
	case 't':
		return true, i + len("true")
	case 'f':
		return false, i + len("false")
	case 'n':
		return nil, i + len("null")
	}
	end = numberEnd(text, i)
	f, err := strconv.ParseFloat(view(text[i:end]), 64)
	if err != nil {
		return nil, -1
	}
	return f, end
}

// stringOf is stringAt for an any.
func stringOf(text []byte, i int) (v any, end int) {
	s, end := stringAt(text, i)
	return s, end
}

func listAt(text []byte, i int) (v any, end int) {
	list := []any{}
	i = jsontext.Space(text, i+1)
	if text[i] == ']' {
		return list, i + 1
	}
	for {
		var e any
		if e, i = anyAt(text, i); i < 0 {
			return nil, -1
		}
		list = append(list, e)
		if i = jsontext.Space(text, i); text[i] == ']' {
			return list, i + 1
		}
		i = jsontext.Space(text, i+1)
	}
}

func decodeMembers(text []byte, i int, m map[string]any) int {
	i = jsontext.Space(text, i+1)
	if text[i] == '}' {
		return i + 1
	}
	for {
		key, end := stringAt(text, i)
		i = jsontext.Space(text, jsontext.Space(text, end)+1)
		var e any
		if e, i = anyAt(text, i); i < 0 {
			return -1
		}
		m[key] = e
		if i = jsontext.Space(text, i); text[i] == '}' {
			return i + 1
		}
		i = jsontext.Space(text, i+1)
	}
}

// stringAt returns what the string literal at i means, and its end.
func stringAt(text []byte, i int) (s string, end int) {
	end = plainBytes(text, i+1)
	if body := text[i+1 : end]; text[end] == '"' && utf8.Valid(body) {
		return string(body), end + 1
	}
	end = jsontext.String(text, i)
	return unquote(text[i:end]), end
}

// numberEnd returns the end of the number at i.
func numberEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch c := text[i]; {
		case isDigit(c), c == '.', c == 'e', c == 'E', c == '+', c == '-':
		default:
			return i
		}
	}
	return i
}

// view is b as a string that must not be kept.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
