package parser

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// newTargets are pointers to zero values of what Bind has fast ways for, and
// some others.
func newTargets() []any {
	type object struct {
		A int    `json:"a"`
		B []byte `json:"b"`
		C any    `json:"c"`
	}
	return []any{
		new(string), new(bool), new(int), new(int8), new(int16), new(int32), new(int64),
		new(uint), new(uint8), new(uint16), new(uint32), new(uint64), new(float32), new(float64),
		new([]byte), new(json.RawMessage), new(any), new(object), new([]any), new(map[string]any),
		new(byteSlice), new(*string), new(json.Number), new([]object),
		new(aliased), new(*aliased), new(**aliased), new(unreadable), new(time.Time), new(*time.Time), new(*json.RawMessage), new(big.Int),
	}
}

// filledTargets are like newTargets, with something in them.
func filledTargets() []any {
	s := "before"
	out := []any{}
	for _, v := range newTargets() {
		e := reflect.ValueOf(v).Elem()
		switch e.Kind() {
		case reflect.String:
			e.SetString("7")
		case reflect.Bool:
			e.SetBool(true)
		case reflect.Float32, reflect.Float64:
			e.SetFloat(7)
		case reflect.Slice:
			e.Set(reflect.MakeSlice(e.Type(), 3, 3))
		case reflect.Pointer:
			e.Set(reflect.New(e.Type().Elem()))
		}
		if e.CanInt() {
			e.SetInt(7)
		}
		if e.CanUint() {
			e.SetUint(7)
		}
		out = append(out, v)
	}
	inside, pointer := any("before"), any(&s)
	return append(out, &inside, &pointer)
}

// checkBind compares Bind with encoding/json for one literal.
func checkBind(t testing.TB, lit string, parsers ...Parser) {
	t.Helper()
	for _, p := range parsers {
		packet, err := decodeAll(p.NewDecoder(Limits{Depth: maxDepth}), text(`2["e",`+lit+`]`))
		if err != nil {
			t.Fatalf("%s: %v", lit, err)
		}
		for _, targets := range []func() []any{newTargets, filledTargets} {
			got, want := targets(), targets()
			for i := range got {
				gotErr, wantErr := packet.Args.Bind(0, got[i]), json.Unmarshal([]byte(lit), want[i])
				if gotErr == nil && wantErr != nil { // perhaps 1.0 for an integer
					want[i] = targets()[i]
					wantErr = json.Unmarshal(wholeText(t, lit), want[i])
					if strings.Contains(lit, "{") { // the other text has no key twice
						want[i] = got[i]
					}
				}
				if (gotErr == nil) != (wantErr == nil) {
					t.Errorf("%s into %T: error %v, encoding/json gives %v", lit, got[i], gotErr, wantErr)
				}
				if !reflect.DeepEqual(got[i], want[i]) {
					t.Errorf("%s into %T: %#v, encoding/json gives %#v", lit, got[i],
						reflect.ValueOf(got[i]).Elem(), reflect.ValueOf(want[i]).Elem())
				}
				var be *BindError
				if gotErr != nil && (!errors.As(gotErr, &be) || be.Arg != 0 || be.Target != reflect.TypeOf(got[i]).Elem()) {
					t.Errorf("%s into %T: error %#v", lit, got[i], gotErr)
				}
			}
		}
	}
}

// wholeText returns a JSON text with numbers that have no fraction as integers.
func wholeText(t testing.TB, lit string) []byte {
	t.Helper()
	var v any
	dec := json.NewDecoder(strings.NewReader(lit))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var whole func(v any) any
	whole = func(v any) any {
		switch v := v.(type) {
		case json.Number:
			_, exp, _ := strings.Cut(strings.ToLower(v.String()), "e")
			if n, err := strconv.Atoi(exp); err != nil && exp != "" || n > 400 || n < -10_000 {
				return v
			}
			if r, ok := new(big.Rat).SetString(v.String()); ok && r.IsInt() {
				return json.Number(r.Num().String())
			}
		case []any:
			for i := range v {
				v[i] = whole(v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = whole(v[k])
			}
		}
		return v
	}
	out, err := json.Marshal(whole(v))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBindAgreesWithEncodingJSON(t *testing.T) {
	lits := []string{
		`"YQ=="`, `"YQ"`, `"\u0059Q=="`, `"Y\nQ=="`, `"a-_b"`, `"12"`, `"null"`, `{"a":1,"b":"YQ==","c":{"d":[1]}}`, `{"a":"x","b":"YQ=="}`,
		`[1,2,255]`, `[256]`, `["a"]`, `[{"a":1},{"b":null}]`, `127`, `128`, `-128`, `-129`, `255`, `256`, `65536`, `4294967296`,
		`"2026-04-17T12:00:00Z"`, `{"Data":"YQ==","Any":"x"}`, `9223372036854775807`, `9223372036854775808`, `18446744073709551615`, `18446744073709551616`, `1.0`, `1e2`, `-0`, `0.1`, `1e400`, `-1e400`,
		`1e-400`, fmt.Sprint(math.MaxFloat64),
	}
	for _, text := range jsonTexts {
		if json.Valid([]byte(text)) {
			lits = append(lits, text)
		}
	}
	for _, lit := range lits {
		checkBind(t, lit, New(nil), New(plainCodec{}))
	}
}

func TestBindErrors(t *testing.T) {
	p := mustDecode(t, text(`2["e",1,"x"]`))
	var nilString *string
	var nilStruct *struct{}
	tests := []struct {
		i     int
		v     any
		says  string
		cause error
	}{
		{2, new(int), "parser: binding argument 2 into int: parser: no such argument: the packet has 2", ErrNoArgument},
		{-1, new(int), "parser: binding argument -1 into int: parser: no such argument: the packet has 2", ErrNoArgument},
		{2, nil, "parser: binding argument 2: parser: no such argument: the packet has 2", ErrNoArgument},
		{0, nil, "parser: binding argument 0: the target must be a non-nil pointer", errTarget},
		{0, 5, "parser: binding argument 0: the target must be a non-nil pointer", errTarget},
		{1, nilString, "parser: binding argument 1 into string: the target must be a non-nil pointer", errTarget},
		{0, nilStruct, "parser: binding argument 0 into struct {}: the target must be a non-nil pointer", errTarget},
		{1, new(int), "parser: binding argument 1 into int: json: cannot unmarshal string into Go value of type int", nil},
		{0, new(string), "parser: binding argument 0 into string: json: cannot unmarshal number into Go value of type string", nil},
	}
	for _, tt := range tests {
		err := p.Args.Bind(tt.i, tt.v)
		var be *BindError
		if !errors.As(err, &be) || be.Arg != tt.i || err.Error() != tt.says {
			t.Errorf("error %v, want %s", err, tt.says)
		}
		if tt.cause != nil && !errors.Is(err, tt.cause) {
			t.Errorf("%v is not %v", err, tt.cause)
		}
	}
	var te *json.UnmarshalTypeError
	if err := p.Args.Bind(1, new(int)); !errors.As(err, &te) {
		t.Errorf("the codec's error is not wrapped: %v", err)
	}

	for _, m := range []string{`0`, `1`, `2["e"]`, `31[]`} {
		a := mustDecode(t, text(m)).Args
		if a == nil || a.Len() != 0 {
			t.Errorf("%s: args %v", m, a)
		} else if err := a.Bind(0, new(any)); !errors.Is(err, ErrNoArgument) {
			t.Errorf("%s: error %v", m, err)
		}
	}
}

// What Bind gives out does not change with what the caller does to it.
func TestBindOwnership(t *testing.T) {
	p := mustDecode(t, text(`2["e",{"a":1},"YWJj"]`))
	for range 2 {
		var raw json.RawMessage
		var b []byte
		if err := errors.Join(p.Args.Bind(0, &raw), p.Args.Bind(1, &b)); err != nil {
			t.Fatal(err)
		}
		if string(raw) != `{"a":1}` || string(b) != "abc" {
			t.Fatalf("%s %s", raw, b)
		}
		clear(raw)
		clear(b)
	}
}

// grabby keeps and extends what it is given.
type grabby struct{ data []byte }

func (g *grabby) UnmarshalJSON(b []byte) error {
	g.data = append(b, "xxxxxxxx"...)
	return nil
}

var errNever = errors.New("never")

type neverReads struct{}

func (neverReads) UnmarshalJSON([]byte) error { return errNever }

// A type's own method is called once, with the literal and nothing around it, and
// its error is the cause.
func TestBindCallsUnmarshalJSON(t *testing.T) {
	p := mustDecode(t, text(`2["e", {"a": 1} ,"after"]`))
	var g grabby
	var pointer *grabby
	var after string
	if err := errors.Join(p.Args.Bind(0, &g), p.Args.Bind(0, &pointer), p.Args.Bind(1, &after)); err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{string(g.data), string(pointer.data)} {
		if got != `{"a": 1}xxxxxxxx` {
			t.Errorf("got %s", got)
		}
	}
	if after != "after" {
		t.Errorf("the next argument is %q", after)
	}
	var be *BindError
	if err := p.Args.Bind(0, &neverReads{}); !errors.Is(err, errNever) || !errors.As(err, &be) {
		t.Errorf("error %v", err)
	}
	if err := p.Args.Bind(0, neverReads{}); !errors.Is(err, errTarget) {
		t.Errorf("not a pointer: error %v", err)
	}
	if err := p.Args.Bind(0, (*grabby)(nil)); !errors.Is(err, errTarget) {
		t.Errorf("nil: error %v", err)
	}
	own := New(&codec{marshal: stdCodec{}.Marshal, unmarshal: func([]byte, any) error { return errNever }})
	packet, err := decodeAll(own.NewDecoder(Limits{}), text(`2["e",{}]`))
	if err != nil {
		t.Fatal(err)
	}
	if err := packet.Args.Bind(0, &g); !errors.Is(err, errNever) {
		t.Errorf("a codec of the program's is not asked: %v", err)
	}
}

// unreadable reads JSON in its own way, into where no walk reaches.
type unreadable struct{ data []byte }

func (u *unreadable) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &u.data)
}

// aliased reads JSON in its own way, into the fields of its own.
type aliased struct {
	Data []byte
	Any  any
}

func (a *aliased) UnmarshalJSON(b []byte) error {
	type plain aliased
	return json.Unmarshal(b, (*plain)(a))
}

func TestBindAttachments(t *testing.T) {
	const a, b = "first", "second"
	type pair struct {
		Name string
		Data []byte
		Any  any
	}
	hole := func(s string) string {
		return strings.NewReplacer("%0", holeText(0), "%1", holeText(1)).Replace(s)
	}
	pa, anyPair := []byte(a), any(&pair{})
	ptr := func(v any) any { // a pointer to a copy of v
		p := reflect.New(reflect.TypeOf(v))
		p.Elem().Set(reflect.ValueOf(v))
		return p.Interface()
	}
	anyOf := func(v any) any { return &v }
	tests := []struct {
		what   string
		arg    string
		target any // pointer
		want   any // what it points to then
	}{
		{"bytes", `%1`, new([]byte), []byte(b)},
		{"any", `%1`, new(any), []byte(b)},
		{"any with something in it", `%1`, anyOf("old"), []byte(b)},
		{"any with a pointer to bytes in it", `%1`, anyOf(new([]byte)), ptr([]byte(b))},
		{"named bytes", `%1`, new(byteSlice), byteSlice(b)},
		{"bytes of named elements", `%0`, new([]myByte), []myByte{'f', 'i', 'r', 's', 't'}},
		{"pointer to bytes", `%0`, new(*[]byte), &pa},
		{"list", `[%0,null,%1,"YQ=="]`, new([][]byte), [][]byte{[]byte(a), nil, []byte(b), []byte("a")}},
		{"array", `[%0,%1]`, new([2][]byte), [2][]byte{[]byte(a), []byte(b)}},
		{"any list", `[%0,1,[%1]]`, new([]any), []any{[]byte(a), 1.0, []any{[]byte(b)}}},
		{"any list in any", `[%0,1,[%1]]`, new(any), []any{[]byte(a), 1.0, []any{[]byte(b)}}},
		{"any map", `{"a":%0,"b":{"c":%1},"d":"x"}`, new(map[string]any), map[string]any{"a": []byte(a), "b": map[string]any{"c": []byte(b)}, "d": "x"}},
		{"any map in any", `{"a":%0,"b":{"c":%1}}`, new(any), map[string]any{"a": []byte(a), "b": map[string]any{"c": []byte(b)}}},
		{"map of bytes", `{"a":%0,"b":%1}`, new(map[string][]byte), map[string][]byte{"a": []byte(a), "b": []byte(b)}},
		{"map with number keys", `{"1":%0}`, new(map[int]any), map[int]any{1: []byte(a)}},
		{"map of structs", `{"a":{"Data":%0}}`, new(map[string]pair), map[string]pair{"a": {Data: []byte(a)}}},
		{"map of struct pointers", `{"a":{"Data":%0}}`, new(map[string]*pair), map[string]*pair{"a": {Data: []byte(a)}}},
		{"map of lists", `{"a":[%0]}`, new(map[string][]any), map[string][]any{"a": {[]byte(a)}}},
		{"struct", `{"Name":"x","Data":%1,"Any":%0}`, new(pair), pair{"x", []byte(b), []byte(a)}},
		{"struct, the same twice", `{"Data":%1,"Any":[%1]}`, new(pair), pair{"", []byte(b), []any{[]byte(b)}}},
		{"struct pointer", `{"Data":%1}`, new(*pair), &pair{Data: []byte(b)}},
		{"struct used before", `{"Data":%1}`, &pair{"old", []byte("old"), "old"}, pair{"old", []byte(b), "old"}},
		{"struct in an interface", `{"Data":%1,"Any":%0}`, &anyPair, &pair{"", []byte(b), []byte(a)}},
		{"structs", `[{"Data":%0},{"Any":%1}]`, new([]pair), []pair{{Data: []byte(a)}, {Any: []byte(b)}}},
		{"embedded struct", `{"In":%0,"Ex":%1}`, new(struct {
			inner
			Exported
		}), struct {
			inner
			Exported
		}{inner{[]byte(a)}, Exported{[]byte(b)}}},
		{"unknown fields", `{"Other":%0,"Name":"x"}`, new(pair), pair{Name: "x"}},
		{"raw", `%0`, new(json.RawMessage), json.RawMessage(`"Zmlyc3Q="`)},
		{"raw with more", `{"a": [%0,%1]}`, new(json.RawMessage), json.RawMessage(`{"a": ["Zmlyc3Q=","c2Vjb25k"]}`)},
		{"raw inside", `{"R":{"a":[%0,%1]},"D":%1}`, new(struct {
			R json.RawMessage
			D []byte
		}), struct {
			R json.RawMessage
			D []byte
		}{json.RawMessage(`{"a":["Zmlyc3Q=","c2Vjb25k"]}`), []byte(b)}},
		{"raw beside", `{"R":[1],"D":%1}`, new(struct {
			R json.RawMessage
			D []byte
		}), struct {
			R json.RawMessage
			D []byte
		}{json.RawMessage(`[1]`), []byte(b)}},
		{"raw map", `{"a":%0}`, new(map[string]json.RawMessage), map[string]json.RawMessage{"a": json.RawMessage(`"Zmlyc3Q="`)}},
		{"own method, hidden bytes", `%0`, new(unreadable), unreadable{[]byte(a)}},
		{"own method, beside others", `[%0,%1]`, new(struct2), struct2{unreadable{[]byte(a)}, []byte(b)}},
		{"own method, own fields", `{"Data":%0,"Any":{"x":%1}}`, new(aliased), aliased{[]byte(a), map[string]any{"x": []byte(b)}}},
		{"without attachments", `{"Data":"YQ==","Name":"x"}`, new(pair), pair{Name: "x", Data: []byte("a")}},
		{"placeholder in a string", `"` + strings.ReplaceAll(holeText(0), `"`, `\"`) + `"`, new(any), holeText(0)},
	}
	for _, tt := range tests {
		for _, p := range []Parser{New(nil), New(plainCodec{})} {
			packet, err := decodeAll(p.NewDecoder(Limits{}), text(hole(`52-["e",`+tt.arg+`,%0]`)), bin(a), bin(b))
			if err != nil {
				t.Fatal(err)
			}
			target := reflect.ValueOf(tt.target)
			before := reflect.New(target.Type().Elem()).Elem()
			before.Set(target.Elem())
			if err := packet.Args.Bind(0, tt.target); err != nil {
				t.Errorf("%s: %v", tt.what, err)
			} else {
				equal(t, tt.what, target.Elem().Interface(), tt.want)
			}
			target.Elem().Set(before)
		}
	}
}

// struct2 is read from a list.
type struct2 struct {
	A unreadable
	B []byte
}

func (s *struct2) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&s.A, &s.B})
}

func TestBindEmptyAttachment(t *testing.T) {
	p := mustDecode(t, text(`51-["e",`+holeText(0)+`,{"a":`+holeText(0)+`}]`), bin(""))
	var direct []byte
	var inside struct{ A []byte }
	var hidden unreadable
	if err := errors.Join(p.Args.Bind(0, &direct), p.Args.Bind(1, &inside), p.Args.Bind(0, &hidden)); err != nil {
		t.Fatal(err)
	}
	if direct == nil || inside.A == nil || hidden.data == nil || len(direct)+len(inside.A)+len(hidden.data) > 0 {
		t.Errorf("%#v %#v %#v", direct, inside, hidden)
	}
}

func TestBindAttachmentIntoOther(t *testing.T) {
	type named string
	type object struct {
		Name string
		Any  any
	}
	p := mustDecode(t, text(`51-["e",`+holeText(0)+`,{"Name":`+holeText(0)+`,"Any":`+holeText(0)+`},[`+holeText(0)+`]]`), bin("data"))
	used := &object{Any: 1}
	tests := []struct {
		i      int
		target any
		says   string
	}{
		{0, new(string), "holds binary data; bind it to []byte"},
		{0, new(named), "holds binary data; bind it to []byte"},
		{0, new(*string), "holds binary data; bind it to []byte"},
		{1, new(object), "holds binary data; bind it to []byte"},
		{1, used, "holds binary data; bind it to []byte"},
		{1, new(map[string]string), "holds binary data; bind it to []byte"},
		{2, new([]string), "holds binary data; bind it to []byte"},
		{2, &[]any{new(json.Number)}, "holds binary data; bind it to []byte"},
		{2, new([1]string), "holds binary data; bind it to []byte"},
		{0, new(int), "json: cannot unmarshal string into Go value of type int"},
		{0, new(json.Number), "holds binary data; bind it to []byte"},
		{0, &[]any{new(json.Number)}, "json: cannot unmarshal string"},
		{0, new(object), "json: cannot unmarshal string into Go value of type"},
		{0, nil, "non-nil pointer"},
		{0, (*[]byte)(nil), "non-nil pointer"},
		{0, (*string)(nil), "non-nil pointer"},
		{0, (*any)(nil), "non-nil pointer"},
		{0, (*json.RawMessage)(nil), "non-nil pointer"},
		{1, object{}, "non-nil pointer"},
	}
	for _, tt := range tests {
		err := p.Args.Bind(tt.i, tt.target)
		var be *BindError
		if !errors.As(err, &be) || be.Arg != tt.i || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%T: error %v", tt.target, err)
		}
		// Neither a mark nor a label is left where the application sees it.
		if shown := fmt.Sprintf("%#v %v", tt.target, err); tt.target != nil && !reflect.ValueOf(tt.target).IsZero() {
			if js, err := json.Marshal(tt.target); err == nil {
				shown += string(js)
			}
			if showsSecret(shown) {
				t.Errorf("%T: left behind: %s", tt.target, shown)
			}
		}
	}
}

// Marks do not stay in what was decoded before an error.
func TestBindCleansUpAfterAnError(t *testing.T) {
	p := mustDecode(t, text(`51-["e",{"Any":`+holeText(0)+`,"Number":"x","Data":`+holeText(0)+`}]`), bin("data"))
	var target struct {
		Any    any
		Number int
		Data   []byte
	}
	if err := p.Args.Bind(0, &target); err == nil {
		t.Fatal("no error")
	}
	equal(t, "target", target.Any, any([]byte("data")))
	equal(t, "target", target.Data, []byte("data"))
}

// A target with cycles ends.
func TestBindIntoCycle(t *testing.T) {
	type node struct {
		Next *node
		Data []byte
		Any  any
	}
	n := &node{}
	n.Next = n
	m := map[string]any{}
	m["a"], m["b"] = m, m
	n.Any = []any{m, m, n}
	p := mustDecode(t, text(`51-["e",{"Data":`+holeText(0)+`}]`), bin("data"))
	if err := p.Args.Bind(0, n); err != nil {
		t.Fatal(err)
	}
	equal(t, "data", n.Data, []byte("data"))
	if err := p.Args.Bind(0, &m); err != nil {
		t.Fatal(err)
	}
	equal(t, "data", m["Data"], any([]byte("data")))
}

// A client that sends what a mark or a label could look like gets text.
func TestBindForgedMarks(t *testing.T) {
	forged := []string{
		strings.Repeat("A", secretLen) + "00000000",
		strings.Repeat("\n", labelSecretLen+labelIndexLen) + "YQ==",
	}
	for _, s := range forged {
		lit, _ := json.Marshal(s)
		p := mustDecode(t, text(`51-["e",[`+string(lit)+`,`+holeText(0)+`]]`), bin("data"))
		equal(t, "forged", values(t, p.Args), []any{[]any{s, []byte("data")}})
	}
}

// A codec that does not skip line breaks in base64 gives an error, no garbage.
func TestBindCodecWithStrictBase64(t *testing.T) {
	p := New(codec{
		marshal: json.Marshal,
		unmarshal: func(data []byte, v any) error {
			if strings.Contains(string(data), `\n`) || strings.Contains(string(data), `\r`) {
				return errors.New("illegal base64")
			}
			return json.Unmarshal(data, v)
		},
	})
	packet, err := decodeAll(p.NewDecoder(Limits{}), text(`51-["e",[`+holeText(0)+`]]`), bin("data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := packet.Args.Bind(0, &[]any{new(unreadable)}); err == nil || !strings.Contains(err.Error(), "illegal base64") {
		t.Errorf("error %v", err)
	}
	// Where no method is in the way, such a codec works.
	var list [][]byte
	if err := packet.Args.Bind(0, &list); err != nil {
		t.Error(err)
	}
	equal(t, "list", list, [][]byte{[]byte("data")})
}

// The codec's own number type reaches the application.
func TestBindUsesCodec(t *testing.T) {
	p := New(codec{
		marshal: json.Marshal,
		unmarshal: func(data []byte, v any) error {
			d := json.NewDecoder(strings.NewReader(string(data)))
			d.UseNumber()
			return d.Decode(v)
		},
	})
	packet, err := decodeAll(p.NewDecoder(Limits{}), text(`2["e",12345678901234567890,[1]]`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "values", values(t, packet.Args), []any{json.Number("12345678901234567890"), []any{json.Number("1")}})
}

func TestBindConcurrently(t *testing.T) {
	p := mustDecode(t, text(`52-["e",{"Data":`+holeText(0)+`,"Any":{"x":`+holeText(1)+`}},"text",`+holeText(1)+`]`), bin("a"), bin("b"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				var object struct {
					Data []byte
					Any  map[string]any
				}
				var s string
				var b []byte
				var raw json.RawMessage
				err := errors.Join(p.Args.Bind(0, &object), p.Args.Bind(1, &s), p.Args.Bind(2, &b), p.Args.Bind(0, &raw))
				if err != nil || string(object.Data) != "a" || string(object.Any["x"].([]byte)) != "b" || s != "text" || string(b) != "b" {
					t.Errorf("%v %v %s %s", err, object, s, b)
				}
				clear(raw)
			}
		})
	}
	wg.Wait()
}
