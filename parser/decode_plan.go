package parser

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// plan says how values of a type are decoded. It does not change once it has been made.
type plan struct {
	kind     planKind
	nilable  bool         // null makes it nil; null leaves others as they are
	elemType reflect.Type // of a pointer, slice or map
	elem     *plan        // for that

	fields []fieldPlan    // of a struct, in order
	byName map[string]int // the fields by their names
	byFold map[string]int // the same in small letters
}

// fieldPlan is a field of a struct.
type fieldPlan struct {
	name  string
	index int
	plan  *plan
}

type planKind uint8

const (
	planOther  planKind = iota // encoding/json decodes it
	planMethod                 // its UnmarshalJSON method does
	planBool
	planInt
	planUint
	planFloat
	planString
	planBytes
	planPointer
	planSlice
	planMap // with keys that are strings
	planStruct
	planAny
)

var plans sync.Map // reflect.Type -> *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	pl := planner{made: map[reflect.Type]*plan{}}
	made := pl.plan(t)
	if pl.unclear {
		made = new(plan)
	}
	p, _ := plans.LoadOrStore(t, made)
	return p.(*plan)
}

// planner makes the plan of a type.
type planner struct {
	made map[reflect.Type]*plan // of the types so far, which may not be complete
	// unclear says that there is a type that encoding/json decodes in one way as a part of
	// another value and in another way alone.
	unclear bool
}

var (
	numberType = reflect.TypeFor[json.Number]()
	kindPlans  = map[reflect.Kind]planKind{
		reflect.Bool: planBool, reflect.String: planString, reflect.Float32: planFloat, reflect.Float64: planFloat,
		reflect.Int: planInt, reflect.Int8: planInt, reflect.Int16: planInt, reflect.Int32: planInt, reflect.Int64: planInt,
		reflect.Uint: planUint, reflect.Uint8: planUint, reflect.Uint16: planUint, reflect.Uint32: planUint, reflect.Uint64: planUint, reflect.Uintptr: planUint,
	}
)

func (pl *planner) plan(t reflect.Type) *plan {
	if p := pl.made[t]; p != nil {
		return p
	}
	p := new(plan)
	pl.made[t] = p
	if t.Kind() != reflect.Pointer {
		reads, readsText := reflect.PointerTo(t).Implements(unmarshalerType), reflect.PointerTo(t).Implements(textUnmarshalerType)
		if (reads || readsText) && t.Name() == "" {
			pl.unclear = true // the methods are those of an embedded field
		}
		if reads {
			p.kind = planMethod
		}
		if reads || readsText || t == numberType {
			return p
		}
	}
	switch t.Kind() {
	case reflect.Interface:
		if t.NumMethod() == 0 {
			p.kind = planAny
		}
	case reflect.Pointer:
		p.kind = planPointer
	case reflect.Slice:
		p.kind = planSlice
		if t.Elem().Kind() == reflect.Uint8 {
			p.kind = planBytes
		}
	case reflect.Map:
		if k := t.Key(); k.Kind() == reflect.String && !reflect.PointerTo(k).Implements(textUnmarshalerType) {
			p.kind = planMap
		}
	case reflect.Struct:
		if pl.addFields(p, t) {
			p.kind = planStruct
		}
	default:
		p.kind = kindPlans[t.Kind()]
	}
	switch p.kind {
	case planPointer, planSlice, planMap:
		p.elemType, p.elem = t.Elem(), pl.plan(t.Elem())
		p.nilable = true
	case planBytes:
		p.nilable = true
	}
	return p
}

// addFields adds the fields of a struct. It returns false if their names are not simple.
func (pl *planner) addFields(p *plan, t reflect.Type) bool {
	p.byName, p.byFold = make(map[string]int), make(map[string]int)
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if f.Anonymous && tag != "-" {
			return false
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if hasOption(options, "string") {
			return false
		}
		if name == "" {
			name = f.Name
		}
		if _, twice := p.byName[name]; twice || !simpleName(name) {
			return false
		}
		n := len(p.fields)
		p.byName[name] = n
		if fold := strings.ToLower(name); p.byFold[fold] == 0 {
			p.byFold[fold] = n + 1 // so that 0 is none; the first one counts
		}
		p.fields = append(p.fields, fieldPlan{name: name, index: i, plan: pl.plan(f.Type)})
	}
	return true
}

// maxName bounds the names of fields that are looked up without encoding/json, in bytes.
const maxName = 64

// simpleName reports whether a name is of ASCII characters that encoding/json takes in a name.
func simpleName(name string) bool {
	for _, c := range []byte(name) {
		if c != '_' && c != '-' && c != '.' && !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return len(name) <= maxName
}

// field returns the field that a key is for, nil if there is none: the one with that name
// or, failing that, the first one with that name in another case. next is the index of the one
// that probably comes next.
func (p *plan) field(key []byte, next *int) *fieldPlan {
	if *next < len(p.fields) && p.fields[*next].name == string(key) {
		*next++
		return &p.fields[*next-1]
	}
	if i, ok := p.byName[string(key)]; ok {
		*next = i + 1
		return &p.fields[i]
	}
	if len(key) > 3*maxName { // a letter has three bytes at most
		return nil
	}
	var room [maxName]byte
	fold := room[:0]
	for _, c := range key {
		if c >= 0x80 { // it may still be a letter of ASCII in another case
			return p.foldedField(string(key))
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if len(fold) == maxName {
			return nil
		}
		fold = append(fold, c)
	}
	if i := p.byFold[string(fold)]; i > 0 {
		return &p.fields[i-1]
	}
	return nil
}

func (p *plan) foldedField(key string) *fieldPlan {
	for i := range p.fields {
		if strings.EqualFold(p.fields[i].name, key) {
			return &p.fields[i]
		}
	}
	return nil
}
