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
