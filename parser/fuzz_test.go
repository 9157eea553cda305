package parser

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

// packets are examples of the protocol document, variations, and packets that
// break its rules.
var packets = []string{
	`0`, `0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}`, `0{"token":"123"}`, `0/admin?q=1,`, `1`, `1/admin,`, `4{"message":"Not authorized"}`, `4"no"`,
	`2["foo"]`, `2/admin,["bar"]`, `212["foo"]`, `2/admin,13["bar"]`, `312["bar"]`, `3/admin,13["bar"]`, `30[]`, `2[1,2]`, `2[-1.5e3,null]`,
	`51-["baz",{"_placeholder":true,"num":0}]`, `52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`,
	`51-14["foo",{"_placeholder":true,"num":0}]`, `61-15["bar",{"_placeholder":true,"num":0}]`, `461-/admin,1[{"_placeholder":true,"num":0}]`,
	`52-["a",{"x":[{"num":1,"_placeholder":true}],"y":"\u00e9"},{"_placeholder":true,"num":1}]`, `2["a",{"_placeholder":true,"num":0}]`,
	`51-["a",{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":0}}]`, `51-["a",{"_placeholder":true,"_placeholder":false,"num":0}]`,
	`2["caf\u00e9","\ud83d\ude00",1.0,1e-7,true,{"a":[]}]`, "2[\"\xff\"]",
	`2`, `3`, `5`, `2[]`, `2{}`, `2["connect"]`, `2["foo"]x`, `2[null]`, `3["x"]`, `50-["a"]`, `511-["a"]`, `5woooot`, `51-["a",{"_placeholder":true,"num":9}]`,
	`0[]`, `0null`, `0"x"`, `1{}`, `7`, `42["foo"]`, "2[\"foo\"]\x1e42[\"bar\"]", `2["a",[[[[[[[[[[`, `21234567890123456789["a"]`, `2["a",01]`,
}

func FuzzDecode(f *testing.F) {
	for _, p := range packets {
		f.Add([]byte(p), []byte("\x01\x02"), []byte{})
	}
	p := New(nil)
	f.Fuzz(func(t *testing.T, text, a, b []byte) {
		got, ok := decodeFuzzed(t, p, text, a, b)
		if !ok {
			return
		}
		if got.Namespace == "" || got.Namespace[0] != '/' || got.Type > ConnectError || Reserved(got.Event) && got.Type == Event || got.Args == nil {
			t.Fatalf("%q: packet %+v", text, got)
		}
		args := make([]any, got.Args.Len())
		for i := range args {
			if got.Args.Bind(i, &args[i]) != nil {
				return // a number beyond float64
			}
		}

		// What was understood can be said again, and is understood the same.
		if got.Type == Event {
			args = append([]any{got.Event}, args...)
		}
		if _, isObject := append(args, nil)[0].(map[string]any); got.Type == ConnectError && len(args) > 0 && !isObject {
			return // only to be read, from old servers
		}
		text2, bins, err := p.Encode(nil, got.Header, args)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		msgs := []message{{string(text2), false}}
		for _, bin := range bins {
			msgs = append(msgs, message{string(bin), true})
		}
		again, err := decodeAll(p.NewDecoder(Limits{Attachments: maxAttachments}), msgs...)
		if err != nil {
			t.Fatalf("%q, as %q: %v", text, text2, err)
		}
		if got.Type == Event {
			args = args[1:]
		}
		if again.Header != got.Header || again.Event != got.Event {
			t.Fatalf("%q, as %q: %+v, was %+v", text, text2, again, got)
		}
		if values := values(t, again.Args); !reflect.DeepEqual(values, args) {
			t.Fatalf("%q, as %q: %#v, was %#v", text, text2, values, args)
		}
	})
}

// decodeFuzzed feeds a decoder with a text and attachments, until it has a packet.
func decodeFuzzed(t *testing.T, p Parser, text, a, b []byte) (Packet, bool) {
	d := p.NewDecoder(Limits{})
	for i, data := range [][]byte{text, a, b} {
		packet, ok, err := d.Decode(data, i > 0)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "parser: ") {
				t.Fatalf("%q: error %v", text, err)
			}
			if _, ok, again := d.Decode([]byte("0"), false); ok || again != err {
				t.Fatalf("%q: the decoder goes on after %v", text, err)
			}
			return Packet{}, false
		}
		if ok {
			return packet, true
		}
	}
	return Packet{}, false
}

// fuzzObject is an argument with text and binary data at several depths.
type fuzzObject struct {
	S    string            `json:"s"`
	B    []byte            `json:"b,omitempty"`
	Any  any               `json:"any"`
	Map  map[string][]byte `json:",omitempty"`
	Next *fuzzObject       `json:",omitempty"`
}

// newFuzzObject returns an object. The bits of flags choose what is in it.
func newFuzzObject(name, s string, n int64, x float64, b []byte, flags uint8) fuzzObject {
	o := fuzzObject{S: s, Any: []any{s, float64(n), nil}}
	if flags&2 != 0 {
		o.B = b
	}
	if flags&4 != 0 && b != nil {
		o.Any = map[string]any{s: b, "list": []any{b, x}}
	}
	if flags&8 != 0 {
		o.Map = map[string][]byte{s: b, name: nil}
	}
	if flags&16 != 0 {
		o.Next = &fuzzObject{B: b, Any: s}
	}
	return o
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("foo", "/", "bar", int64(1), 1.5, []byte("\x01\x02"), uint64(0), uint8(0))
	f.Add("caf\u00e9 \"x\"", "/admin", "<b>\u2028\x00\xff", int64(math.MinInt64), 1e-7, []byte{}, uint64(12), uint8(0xff))
	f.Add("", "", "", int64(0), 1e21, []byte(nil), uint64(maxID), uint8(0x55))
	f.Fuzz(func(t *testing.T, name, ns, s string, n int64, x float64, b []byte, id uint64, flags uint8) {
		name, s = utf8JSON(name), utf8JSON(s)
		h := Header{Type: Event, Namespace: ns}
		if flags&1 != 0 {
			h.HasID, h.ID = true, id%(maxID+1)
		}
		o := newFuzzObject(name, s, n, x, b, flags)
		args := []any{name, s, n, x, b, o}
		p := New(nil)
		if flags&32 != 0 {
			p = New(plainCodec{})
		}
		text, bins, err := p.Encode(nil, h, args)
		if err != nil {
			if math.IsNaN(x) || math.IsInf(x, 0) || ns != "" && validNamespace(ns) != "" {
				return
			}
			t.Fatal(err)
		}
		if Reserved(name) {
			return
		}
		msgs := []message{{string(text), false}}
		for _, bin := range bins {
			msgs = append(msgs, message{string(bin), true})
		}
		got, err := decodeAll(p.NewDecoder(Limits{Attachments: 100}), msgs...)
		if err != nil {
			t.Fatalf("%q: %v", msgs, err)
		}
		if ns == "" {
			h.Namespace = "/"
		}
		if got.Header != h || got.Event != name || got.Args.Len() != len(args)-1 {
			t.Fatalf("%q: %+v", msgs, got)
		}
		var (
			s2 string
			n2 int64
			x2 float64
			b2 []byte
			o2 fuzzObject
		)
		for i, v := range []any{&s2, &n2, &x2, &b2, &o2} {
			if err := got.Args.Bind(i, v); err != nil {
				t.Fatalf("%q: %v", msgs, err)
			}
		}
		// Empty bytes with omitempty do not travel.
		for p := &o; p != nil; p = p.Next {
			if len(p.B) == 0 {
				p.B = nil
			}
		}
		if s2 != s || n2 != n || x2 != x || !reflect.DeepEqual(b2, b) || !reflect.DeepEqual(o2, o) {
			t.Fatalf("%q:\n got %#v\nwant %#v", msgs, []any{s2, n2, x2, b2, o2}, args[1:])
		}
	})
}

// utf8JSON is s after its way through JSON.
func utf8JSON(s string) (out string) {
	return string([]rune(s))
}

func FuzzBind(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add([]byte(text), []byte("a"), []byte("bb"))
	}
	for _, text := range []string{
		holeText(0), `[` + holeText(1) + `,` + holeText(1) + `]`, `{"a":1,"b":` + holeText(0) + `,"c":` + holeText(1) + `}`, `"YQ=="`,
		`{"c":[{"d":` + holeText(1) + `}]}`, `[{"b":` + holeText(0) + `},{"c":` + holeText(0) + `}]`, `{"_placeholder":true,"num":0,"a":` + holeText(1) + `}`,
		strings.Replace(holeText(1), "p", `\u0070`, 1), `{"Data":` + holeText(0) + `,"Any":[` + holeText(1) + `],"Raw":[` + holeText(0) + `]}`,
	} {
		f.Add([]byte(text), []byte("a"), []byte{})
	}
	p := New(nil)
	f.Fuzz(func(t *testing.T, lit, a, b []byte) {
		if !json.Valid(lit) {
			return
		}
		if packet, err := decodeAll(p.NewDecoder(Limits{}), text(`2["e",`+string(lit)+`]`)); err == nil {
			if packet.Args.Len() != 1 {
				t.Fatalf("%q: %d arguments", lit, packet.Args.Len())
			}
			checkBind(t, string(lit), p)
		}

		packet, ok := decodeFuzzed(t, p, fmt.Appendf(nil, `52-["e",%s]`, lit), a, b)
		if !ok {
			return
		}
		var got, want any
		err := packet.Args.Bind(0, &got)
		if wantErr := json.Unmarshal(lit, &want); (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, want %v", lit, err, wantErr)
		}
		if err != nil {
			return
		}
		want = insert(want, [][]byte{a, b})
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %#v, want %#v", lit, got, want)
		}

		// No target shows how it is done.
		targets := append(append(newTargets(), filledTargets()...), new(aliased), new(unreadable), new(struct {
			aliased
			Raw  json.RawMessage
			More map[string]any
		}))
		for _, v := range targets {
			err := packet.Args.Bind(0, v)
			shown := fmt.Sprintf("%#v %v", reflect.ValueOf(v).Elem(), err)
			if js, err := json.Marshal(v); err == nil {
				shown += string(js)
			}
			if showsSecret(shown) {
				t.Fatalf("%q into %T: %s", lit, v, shown)
			}
		}
		var list [][]byte
		if err := packet.Args.Bind(0, &list); err == nil {
			if items, ok := want.([]any); ok {
				for i, item := range items {
					if w, ok := item.([]byte); ok && string(w) != string(list[i]) {
						t.Fatalf("%q: %q, want %q", lit, list, items)
					}
				}
			}
		}
	})
}

// insert puts attachments in place of placeholders, in decoded JSON.
func insert(v any, attachments [][]byte) any {
	switch v := v.(type) {
	case map[string]any:
		if v["_placeholder"] == true {
			b := attachments[int(v["num"].(float64))]
			return append([]byte{}, b...)
		}
		for k := range v {
			v[k] = insert(v[k], attachments)
		}
	case []any:
		for i := range v {
			v[i] = insert(v[i], attachments)
		}
	}
	return v
}

func FuzzScanner(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add([]byte(text))
	}
	for _, p := range packets {
		f.Add([]byte(strings.TrimLeft(p, "0123456789-/admin,")))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkScanner(t, data)
		checkMarshaler(t, valueMarshal{string(data)})
		if len(data) >= 2 && data[0] == '"' && json.Valid(data) && data[len(data)-1] == '"' {
			checkUnquote(t, string(data))
		}
		checkString(t, string(data))
	})
}
