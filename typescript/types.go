package typescript

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
)

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	known         = map[string]string{ // by import path and name: types that encode themselves
		"time.Time":                "string",
		"encoding/json.RawMessage": "unknown",
		"encoding/json.Number":     "number",
		"math/big.Int":             "number",
	}
)

// types names the Go types that declarations refer to.
type types struct {
	given  map[reflect.Type]string
	names  map[reflect.Type]string // of what is declared
	taken  map[string]bool
	todo   []reflect.Type // named and not yet declared, in order
	binary bool           // Binary is referred to
}

func newTypes(opts *Options) *types {
	g := &types{names: make(map[reflect.Type]string), taken: make(map[string]bool)}
	if opts != nil {
		g.given = opts.Types
	}
	g.reserve("Binary", "Record")
	return g
}

func (g *types) reserve(names ...string) {
	for _, n := range names {
		g.taken[n] = true
	}
}

// ref writes how values of a type are referred to.
func (g *types) ref(t reflect.Type) (string, error) {
	if text, ok := g.given[t]; ok {
		return text, nil
	}
	if text, ok := known[t.PkgPath()+"."+t.Name()]; ok {
		return text, nil
	}
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface {
		switch {
		case t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler):
			return "unknown", nil
		case t.Implements(textMarshaler) || reflect.PointerTo(t).Implements(textMarshaler):
			return "string", nil
		}
		if t.PkgPath() != "" && t.Name() != "" {
			return g.name(t), nil
		}
	}
	return g.literal(t)
}

// name returns the name of a type that is declared.
func (g *types) name(t reflect.Type) string {
	if name, ok := g.names[t]; ok {
		return name
	}
	name := pascal(t.Name())
	if i := strings.IndexByte(t.Name(), '['); i >= 0 { // the arguments without their import paths
		args := strings.FieldsFunc(t.Name()[i:], func(r rune) bool { return strings.ContainsRune("[], *", r) })
		name = pascal(t.Name()[:i])
		for _, a := range args {
			_, a = path.Split(a)
			if _, local, ok := strings.Cut(a, "."); ok {
				a = local
			}
			name += pascal(a)
		}
	}
	if name == "" {
		name = "Type" // of letters that are not ASCII
	}
	if g.taken[name] {
		name = pascal(path.Base(t.PkgPath())) + name
	}
	for base, n := name, 2; g.taken[name]; n++ {
		name = fmt.Sprint(base, n)
	}
	g.taken[name] = true
	g.names[t] = name
	g.todo = append(g.todo, t)
	return name
}

// literal writes what a type is, leaving its own name aside.
func (g *types) literal(t reflect.Type) (string, error) {
	switch t.Kind() {
	case reflect.Bool:
		return "boolean", nil
	case reflect.String:
		return "string", nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64:
		return "number", nil
	case reflect.Interface:
		return "any", nil
	case reflect.Pointer:
		elem, err := g.ref(t.Elem())
		if err != nil || elem == "any" || elem == "unknown" {
			return elem, err
		}
		return elem + " | null", nil
	case reflect.Slice, reflect.Array:
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
			g.binary = true
			return "Binary", nil
		}
		elem, err := g.ref(t.Elem())
		return array(elem), err
	case reflect.Map:
		switch k := t.Key(); k.Kind() {
		case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
			reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		default:
			if !k.Implements(textMarshaler) {
				return "", fmt.Errorf("a %s cannot be the key of an object", k)
			}
		}
		elem, err := g.ref(t.Elem())
		return "Record<string, " + elem + ">", err
	case reflect.Struct:
		return g.object(t, "")
	}
	return "", fmt.Errorf("a %s cannot be sent", t)
}

func array(elem string) string {
	if strings.ContainsAny(elem, " |") {
		return "(" + elem + ")[]"
	}
	return elem + "[]"
}

// object writes the members of a struct.
func (g *types) object(t reflect.Type, indent string) (string, error) {
	var b strings.Builder
	b.WriteString("{\n")
	for _, f := range fields(t) {
		ref, err := "string", error(nil) // of numbers with the option string, too
		if !f.quoted {
			ref, err = g.ref(f.typ)
		}
		if err != nil {
			return "", fmt.Errorf("field %s of %s: %w", f.name, t, err)
		}
		mark := ""
		if f.optional {
			mark = "?"
			ref = strings.TrimSuffix(ref, " | null") // nil is left out
		}
		ref = strings.ReplaceAll(ref, "\n", "\n"+indent+"  ")
		fmt.Fprintf(&b, "%s  %s%s: %s;\n", indent, property(f.name), mark, ref)
	}
	b.WriteString(indent + "}")
	return b.String(), nil
}

// declarations writes what was named, and what that refers to in turn.
func (g *types) declarations() ([]byte, error) {
	var b bytes.Buffer
	for i := 0; i < len(g.todo); i++ { // it grows meanwhile
		t := g.todo[i]
		text, err := g.literal(t)
		if err != nil {
			return nil, fmt.Errorf("typescript: type %s: %w", t, err)
		}
		if t.Kind() == reflect.Struct {
			fmt.Fprintf(&b, "\nexport interface %s %s\n", g.names[t], text)
		} else {
			fmt.Fprintf(&b, "\nexport type %s = %s;\n", g.names[t], text)
		}
	}
	if !g.binary {
		return b.Bytes(), nil
	}
	return slices.Concat([]byte("\n/** Bytes: an ArrayBuffer in browsers, a Buffer in Node.js. */\nexport type Binary = ArrayBuffer | Uint8Array;\n"), b.Bytes()), nil
}

// field is a member of the object that a struct is encoded as.
type field struct {
	name             string
	typ              reflect.Type
	optional, quoted bool
	tagged           bool
	depth            int
}

// fields returns the members in the order of their declaration. Of those with
// one name the outermost counts, of several there the one with a tag; if that
// leaves several, none does, as in encoding/json.
func fields(t reflect.Type) []field {
	var all []field
	collect(t, 0, map[reflect.Type]bool{}, &all)
	var out []field
	for _, f := range all {
		rivals := 0
		beaten := slices.ContainsFunc(all, func(o field) bool {
			if o.name != f.name {
				return false
			}
			if o.depth == f.depth && o.tagged == f.tagged {
				rivals++ // itself among them
			}
			return o.depth < f.depth || o.depth == f.depth && o.tagged && !f.tagged
		})
		if !beaten && rivals == 1 {
			out = append(out, f)
		}
	}
	return out
}

func collect(t reflect.Type, depth int, above map[reflect.Type]bool, all *[]field) {
	if above[t] {
		return
	}
	above[t] = true
	defer delete(above, t)
	for sf := range t.Fields() {
		tag := sf.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		inner := sf.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if sf.Anonymous && name == "" && inner.Kind() == reflect.Struct {
			collect(inner, depth+1, above, all)
			continue
		}
		if !sf.IsExported() {
			continue
		}
		has := func(option string) bool { return slices.Contains(strings.Split(options, ","), option) }
		f := field{name: name, typ: sf.Type, tagged: name != "", depth: depth}
		if name == "" {
			f.name = sf.Name
		}
		f.optional = has("omitempty") && sf.Type.Kind() != reflect.Struct || has("omitzero")
		switch inner.Kind() {
		case reflect.Bool, reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
			reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr, reflect.Float32, reflect.Float64:
			f.quoted = has("string")
		}
		*all = append(*all, f)
	}
}
