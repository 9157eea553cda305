package parser

import "reflect"

// references is a set of pointers, maps and slices, to notice cycles by. The
// zero value is empty.
type references map[reference]struct{}

// reference has the type as well: a struct and its first field, or a slice and
// its first element, have the same address.
type reference struct {
	ptr uintptr
	len int
	typ reflect.Type
}

func referenceTo(v reflect.Value) reference {
	r := reference{ptr: v.Pointer(), typ: v.Type()}
	if v.Kind() == reflect.Slice {
		r.len = v.Len()
	}
	return r
}

// isReference reports whether a cycle can lead through v.
func isReference(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map:
		return true
	case reflect.Slice:
		return v.Len() > 0
	}
	return false
}

// add reports whether v is new to the set.
func (s *references) add(v reflect.Value) bool {
	r := referenceTo(v)
	if _, known := (*s)[r]; known {
		return false
	}
	if *s == nil {
		*s = references{}
	}
	(*s)[r] = struct{}{}
	return true
}

func (s references) remove(v reflect.Value) { delete(s, referenceTo(v)) }
