package parser

import (
	"encoding/base64"
	"reflect"
)

// walker puts attachments where marks and labels are in a value that a codec
// has decoded. It looks where JSON can have been decoded to: not at
// unexported fields, nor at those with the tag `json:"-"`.
type walker struct {
	attachments [][]byte
	err         error
	changes     int
	cycles      bool       // what is walked may have cycles
	seen        references // so far, if cycles
}

// first reports whether the reference v has not been walked yet.
func (w *walker) first(v reflect.Value) bool {
	return !w.cycles || w.seen.add(v)
}

// index returns which attachment a decoded string stands for.
func (w *walker) index(s string) (n int, ok bool) {
	n, ok = markIndex(s, bindSecret)
	if !ok {
		n, ok = labelIndex(s)
	}
	return n, ok && n < len(w.attachments)
}

// text returns the attachment that a decoded string stands for.
func (w *walker) text(s string) ([]byte, bool) {
	n, ok := w.index(s)
	if !ok {
		return nil, false
	}
	w.changes++
	return w.attachments[n], true
}

// bytes is text for bytes decoded from a mark. Bytes decoded from a labeled
// string are the attachment's already.
func (w *walker) bytes(b []byte) ([]byte, bool) {
	if len(b) != base64.StdEncoding.DecodedLen(markLen) {
		return nil, false
	}
	n, ok := markIndex(base64.StdEncoding.EncodeToString(b), bindSecret)
	if !ok || n >= len(w.attachments) {
		return nil, false
	}
	w.changes++
	return w.attachments[n], true
}

// any returns what to put in place of the interface value v, if anything.
func (w *walker) any(v any) (any, bool) {
	switch v := v.(type) {
	case string:
		b, ok := w.text(v)
		return b, ok
	case map[string]any:
		if !w.cycles {
			for k, e := range v {
				if n, ok := w.any(e); ok {
					v[k] = n
				}
			}
			return nil, false
		}
	case []any:
		if !w.cycles {
			for i, e := range v {
				if n, ok := w.any(e); ok {
					v[i] = n
				}
			}
			return nil, false
		}
	case nil, bool, float64:
		return nil, false
	case []byte:
		b, ok := w.bytes(v)
		return b, ok
	}
	w.value(reflect.ValueOf(v))
	return nil, false
}

// value looks through v, which is settable unless an interface or map holds it.
func (w *walker) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if _, ok := w.text(v.String()); ok {
			if v.CanSet() {
				v.SetString("")
			}
			w.err = errBinaryString
		}
	case reflect.Interface:
		if v.IsNil() || !v.CanInterface() {
			return
		}
		n, ok := w.any(v.Elem().Interface())
		if !ok {
			return
		}
		if nv := reflect.ValueOf(n); v.CanSet() && nv.Type().AssignableTo(v.Type()) {
			v.Set(nv)
		} else {
			w.err = errBinaryString
		}
	case reflect.Pointer:
		if !v.IsNil() && w.first(v) {
			w.value(v.Elem())
		}
	case reflect.Struct:
		if v.Type() == rawType {
			if r, ok := v.Interface().(Raw).withAttachments(w.attachments); ok && v.CanSet() {
				w.changes++
				v.Set(reflect.ValueOf(r))
			}
			return
		}
		for _, f := range structInfoOf(v.Type()).fields {
			w.value(v.FieldByIndex(f.path))
		}
	case reflect.Array:
		for i := range v.Len() {
			w.value(v.Index(i))
		}
	case reflect.Slice:
		w.slice(v)
	case reflect.Map:
		w.mapValues(v)
	}
}

func (w *walker) slice(v reflect.Value) {
	switch elem := v.Type().Elem(); {
	case v.IsNil():
	case v.Type() == rawMessageType:
		if raw, ok := unlabel(v.Bytes()); ok && v.CanSet() {
			w.changes++
			v.SetBytes(raw)
		}
	case elem.Kind() == reflect.Uint8:
		if b, ok := w.bytes(v.Bytes()); ok && v.CanSet() {
			v.SetBytes(b)
		}
	case !scalar(elem) && (v.Len() == 0 || w.first(v)):
		for i := range v.Len() {
			w.value(v.Index(i))
		}
	}
}

func (w *walker) mapValues(v reflect.Value) {
	elem := v.Type().Elem()
	if m, ok := v.Interface().(map[string]any); ok && !w.cycles {
		w.any(m)
		return
	}
	if v.IsNil() || scalar(elem) || !w.first(v) {
		return
	}
	for it := v.MapRange(); it.Next(); {
		c := reflect.New(elem).Elem()
		c.Set(it.Value())
		before := w.changes
		w.value(c)
		if w.changes != before {
			v.SetMapIndex(it.Key(), c)
		}
	}
}

// scalar reports whether values of type t hold neither text nor bytes.
func scalar(t reflect.Type) bool {
	return reflect.Bool <= t.Kind() && t.Kind() <= reflect.Complex128
}
