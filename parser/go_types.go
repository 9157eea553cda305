package parser

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// How Go types look to encoding/json, as far as bytes are concerned. All of it
// is worked out once for each type and kept for the life of the process: the
// number of types is that of the program.

var (
	marshalerType       = reflect.TypeFor[json.Marshaler]()
	textMarshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	unmarshalerType     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	zeroerType          = reflect.TypeFor[interface{ IsZero() bool }]()
	rawMessageType      = reflect.TypeFor[json.RawMessage]()
	timeType            = reflect.TypeFor[time.Time]()
	errorType           = reflect.TypeFor[error]()
)

func marshalsItself(t reflect.Type) bool {
	return t.Implements(marshalerType) || t.Implements(textMarshalerType)
}

// isBytes reports whether encoding/json writes values of type t as base64.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 &&
		!marshalsItself(reflect.PointerTo(t.Elem()))
}

// field is a struct field that appears in JSON.
type field struct {
	path      []int // through structs embedded by value
	typ       reflect.Type
	omitEmpty bool
	omitZero  bool // and typ has an IsZero method, which decides
	settable  bool // false for an embedded pointer to an unexported struct
}

// structInfo describes a struct type.
type structInfo struct {
	fields []field
	whole  bool // a copy must have the fields that JSON does not show, too
}

var structInfos sync.Map // reflect.Type -> *structInfo

func structInfoOf(t reflect.Type) *structInfo {
	if info, ok := structInfos.Load(t); ok {
		return info.(*structInfo)
	}
	info := &structInfo{whole: reflect.PointerTo(t).Implements(zeroerType)}
	info.add(t, nil)
	got, _ := structInfos.LoadOrStore(t, info)
	return got.(*structInfo)
}

func (info *structInfo) add(t reflect.Type, path []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		kind := f.Type.Kind()
		embedded := kind
		if f.Anonymous && kind == reflect.Pointer {
			embedded = f.Type.Elem().Kind()
		}
		if !f.IsExported() && (!f.Anonymous || embedded != reflect.Struct) {
			continue
		}
		at := append(path[:len(path):len(path)], i)
		if f.Anonymous && kind == reflect.Struct && (name == "" || !f.IsExported()) {
			if name == "" || !marshalsItself(f.Type) {
				info.add(f.Type, at)
			}
			continue
		}
		settable := f.IsExported()
		info.whole = info.whole || !settable
		info.fields = append(info.fields, field{
			path:      at,
			typ:       f.Type,
			omitEmpty: hasOption(options, "omitempty"),
			omitZero: settable && hasOption(options, "omitzero") &&
				(f.Type.Implements(zeroerType) || reflect.PointerTo(f.Type).Implements(zeroerType)),
			settable: settable,
		})
	}
}

func hasOption(options, want string) bool {
	for o := range strings.SplitSeq(options, ",") {
		if o == want {
			return true
		}
	}
	return false
}

// omits reports whether encoding/json leaves the field with value v out, in
// the cases where bytes make the difference.
func (f *field) omits(v reflect.Value) bool {
	if f.omitEmpty && v.Kind() == reflect.Slice && v.Len() == 0 {
		return true
	}
	if !f.omitZero {
		return false
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return true
		}
	}
	if !f.typ.Implements(zeroerType) {
		if !v.CanAddr() {
			c := reflect.New(f.typ).Elem()
			c.Set(v)
			v = c
		}
		v = v.Addr()
	}
	return v.Interface().(interface{ IsZero() bool }).IsZero()
}

// sourceInfo describes a type that Encode may meet.
type sourceInfo struct {
	sealed bool // a struct of which nothing would be written
	bytes  bool // its values can hold bytes that encoding/json would write as base64, or sealed structs
	custom bool // its values marshal themselves if they are addressable
}

var sourceInfos sync.Map // reflect.Type -> sourceInfo

func sourceInfoOf(t reflect.Type) sourceInfo {
	if info, ok := sourceInfos.Load(t); ok {
		return info.(sourceInfo)
	}
	// Only the answer for t is kept: those for the types on the way are
	// incomplete while t itself is being looked at.
	info := sourceInfo{
		bytes:  leadsToSealed(t) || reachesBytes(t, map[reflect.Type]bool{}),
		custom: t != rawType && marshalsItself(reflect.PointerTo(t)),
		sealed: isSealed(t),
	}
	sourceInfos.Store(t, info)
	return info
}

// isSealed reports whether t is a struct with fields none of which is exported. One
// with a method Marshal... may write itself, in whatever way a codec knows.
func isSealed(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || t.NumField() == 0 ||
		slices.ContainsFunc(reflect.VisibleFields(t), reflect.StructField.IsExported) {
		return false
	}
	p := reflect.PointerTo(t)
	for i := range p.NumMethod() {
		if strings.HasPrefix(p.Method(i).Name, "Marshal") {
			return false
		}
	}
	return true
}

// sealedError says what to do about a value of a sealed type.
func sealedError(t reflect.Type) error {
	hint := ""
	if t.Implements(errorType) {
		hint = "; send err.Error()"
	} else if p := reflect.PointerTo(t); p.Implements(errorType) {
		t, hint = p, "; send err.Error()"
	}
	return fmt.Errorf("nothing of a %v would be sent: it has no exported field%s", t, hint)
}

// leadsToSealed reports whether a value of type t may be sealed, or hold sealed values in lists,
// maps and behind pointers.
func leadsToSealed(t reflect.Type) bool {
	for depth := 0; depth < 10; depth++ { // which ends type T []T
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			if marshalsItself(t) {
				return false
			}
			t = t.Elem()
		default:
			return isSealed(t)
		}
	}
	return false
}

func reachesBytes(t reflect.Type, seen map[reflect.Type]bool) bool {
	if t == rawType || t == reflect.PointerTo(rawType) {
		return true
	}
	if seen[t] || marshalsItself(t) {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Slice:
		return isBytes(t) || reachesBytes(t.Elem(), seen)
	case reflect.Pointer, reflect.Array, reflect.Map:
		return reachesBytes(t.Elem(), seen)
	case reflect.Struct:
		for _, f := range structInfoOf(t).fields {
			if reachesBytes(f.typ, seen) {
				return true
			}
		}
	}
	return false
}

// targetInfo describes a type that Bind decodes into.
type targetInfo struct {
	custom  bool // a method of the type, or of one inside, reads JSON
	dynamic bool // there are interfaces, whose types only the values know
}

var targetInfos sync.Map // reflect.Type -> targetInfo

func targetInfoOf(t reflect.Type) targetInfo {
	if info, ok := targetInfos.Load(t); ok {
		return info.(targetInfo)
	}
	var info targetInfo
	info.add(t, map[reflect.Type]bool{})
	targetInfos.Store(t, info)
	return info
}

func (info *targetInfo) add(t reflect.Type, seen map[reflect.Type]bool) {
	if seen[t] || t == timeType || t == rawType { // a time is common and keeps no bytes; a Raw is open to the walk
		return
	}
	seen[t] = true
	if p := reflect.PointerTo(t); p.Implements(unmarshalerType) || p.Implements(textUnmarshalerType) {
		info.custom = true
		return
	}
	switch t.Kind() {
	case reflect.Interface:
		info.dynamic = true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		info.add(t.Elem(), seen)
	case reflect.Struct:
		for _, f := range structInfoOf(t).fields {
			info.add(f.typ, seen)
		}
	}
}
