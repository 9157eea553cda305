package parser

import (
	"bytes"
	"errors"
	"reflect"
)

// marker takes the bytes out of a value before a codec marshals it: it makes
// a copy, of no more than what leads to bytes, in which each []byte is a mark
// (see marks.go). The codec then applies the struct tags, as to any value.
type marker struct {
	found [][]byte // by mark
	err   error
	path  references // that are being copied, from depth deep on
}

// deep is how far into a value the marker goes before it looks out for cycles.
const deep = 200

var (
	errCycle = errors.New("the value refers to itself")
	errMarks = errors.New("more than 100 million attachments")
	errEmbed = errors.New("bytes behind an embedded pointer to an unexported struct type; embed the struct itself, or export the type")
)

// mark returns v, or its marked copy if there are bytes in v.
func (m *marker) mark(v any) (any, error) {
	out, changed := m.any(v, 0)
	if m.err != nil {
		return nil, m.err
	}
	if !changed {
		return v, nil
	}
	return out, nil
}

// bytes makes a mark for b.
func (m *marker) bytes(b []byte) []byte {
	if len(m.found) == maxMarks {
		m.err = errMarks
		return b
	}
	m.found = append(m.found, b)
	return mark(encodeSecret, len(m.found)-1)
}

// any does the types that JSON decodes to without reflection.
func (m *marker) any(v any, depth int) (any, bool) {
	if m.err != nil {
		return nil, false // a value with cycles has no end of branches to look at
	}
	switch v := v.(type) {
	case nil, string, bool, int, int64, float64:
		return nil, false
	case []byte:
		if v == nil {
			return nil, false
		}
		return m.bytes(v), true
	case Raw:
		return m.raw(v)
	case map[string]any:
		if depth >= deep {
			break
		}
		var out map[string]any
		for k, e := range v {
			if n, changed := m.any(e, depth+1); changed && m.err == nil {
				if out == nil {
					out = make(map[string]any, len(v))
				}
				out[k] = n
			}
		}
		if out == nil {
			return nil, false
		}
		for k, e := range v {
			if _, done := out[k]; !done {
				out[k] = e
			}
		}
		return out, true
	case []any:
		if depth >= deep {
			break
		}
		var out []any
		for i, e := range v {
			if n, changed := m.any(e, depth+1); changed && m.err == nil {
				if out == nil {
					out = append(out, v...)
				}
				out[i] = n
			}
		}
		return out, out != nil
	}
	n, changed := m.value(reflect.ValueOf(v), depth)
	if !changed {
		return nil, false
	}
	return n.Interface(), true
}

// value returns the marked copy of v, if there are bytes in v.
func (m *marker) value(v reflect.Value, depth int) (out reflect.Value, changed bool) {
	if m.err != nil {
		return v, false
	}
	t := v.Type()
	info := sourceInfoOf(t)
	if !info.bytes || info.custom && v.CanAddr() {
		return v, false
	}
	if info.sealed {
		m.err = sealedError(t)
		return v, false
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		if v.IsNil() {
			return v, false
		}
	}
	if t == rawType {
		if !v.CanInterface() {
			return v, false
		}
		r, changed := m.raw(v.Interface().(Raw))
		return reflect.ValueOf(r), changed
	}
	if isBytes(t) {
		out = reflect.New(t).Elem()
		out.SetBytes(m.bytes(v.Bytes()))
		return out, true
	}
	if !m.enter(v, depth) {
		return v, false
	}
	defer m.leave(v, depth)
	return m.elements(v, depth+1)
}

// elements marks what a value consists of, which is depth deep. A copy is made of what
// changes.
func (m *marker) elements(v reflect.Value, depth int) (out reflect.Value, changed bool) {
	t := v.Type()
	switch t.Kind() {
	case reflect.Interface:
		var n any
		if n, changed = m.any(v.Elem().Interface(), depth); changed {
			out = reflect.New(t).Elem()
			out.Set(reflect.ValueOf(n))
		}
	case reflect.Pointer:
		var elem reflect.Value
		if elem, changed = m.value(v.Elem(), depth); changed {
			p := reflect.New(t.Elem())
			p.Elem().Set(elem)
			out = p.Convert(t)
		}
	case reflect.Struct:
		return m.fields(v, depth)
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if elem, ok := m.value(it.Value(), depth); ok {
				if !changed {
					out, changed = copyMap(v), true
				}
				out.SetMapIndex(it.Key(), elem)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if elem, ok := m.value(v.Index(i), depth); ok {
				if !changed {
					out, changed = copyList(v), true
				}
				out.Index(i).Set(elem)
			}
		}
	}
	return out, changed
}

// enter notes that the reference v is being copied. It fails if it is already:
// then the value has no end.
func (m *marker) enter(v reflect.Value, depth int) bool {
	if depth < deep || !isReference(v) {
		return true
	}
	if !m.path.add(v) {
		m.err = errCycle
		return false
	}
	return true
}

func (m *marker) leave(v reflect.Value, depth int) {
	if depth >= deep && isReference(v) {
		m.path.remove(v)
	}
}

func (m *marker) fields(v reflect.Value, depth int) (out reflect.Value, changed bool) {
	info := structInfoOf(v.Type())
	for i := range info.fields {
		f := &info.fields[i]
		if !sourceInfoOf(f.typ).bytes {
			continue
		}
		from := v.FieldByIndex(f.path)
		if f.omits(from) {
			continue
		}
		elem, ok := m.value(from, depth)
		if !ok {
			continue
		}
		if !f.settable || !v.CanInterface() {
			m.err = errEmbed
			return v, false
		}
		if !changed {
			out, changed = copyStruct(v, info), true
		}
		out.FieldByIndex(f.path).Set(elem)
	}
	return out, changed
}

// copyStruct copies what JSON shows of v. The rest, perhaps a mutex in use, is
// copied only if it matters to JSON after all.
func copyStruct(v reflect.Value, info *structInfo) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	if info.whole {
		out.Set(v)
		return out
	}
	for i := range info.fields {
		path := info.fields[i].path
		out.FieldByIndex(path).Set(v.FieldByIndex(path))
	}
	return out
}

func copyMap(v reflect.Value) reflect.Value {
	out := reflect.MakeMapWithSize(v.Type(), v.Len())
	for it := v.MapRange(); it.Next(); {
		out.SetMapIndex(it.Key(), it.Value())
	}
	return out
}

func copyList(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	if v.Kind() == reflect.Slice {
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
	}
	reflect.Copy(out, v)
	return out
}

var encodeSecretBytes = []byte(encodeSecret)

// findMark finds the first mark in a JSON text: the position of its quote, or
// -1, and which one it is.
func findMark(text []byte) (at, n int) {
	i := bytes.Index(text, encodeSecretBytes)
	if i < 1 || len(text)-i < markLen+1 || text[i-1] != '"' || text[i+markLen] != '"' {
		return -1, 0
	}
	n, ok := markIndex(text[i:i+markLen], encodeSecret)
	if !ok {
		return -1, 0
	}
	return i - 1, n
}
