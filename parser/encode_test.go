package parser

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
)

func id(n uint64) Header { return Header{Type: Event, ID: n, HasID: true} }

// checkEncode encodes behind a prefix, which must survive.
func checkEncode(t *testing.T, p Parser, h Header, args []any, text string, attachments ...string) {
	t.Helper()
	const headroom = "headroom4"
	for _, room := range []int{0, 1000} {
		dst := append(make([]byte, 0, len(headroom)+room), headroom...)
		got, bins, err := p.Encode(dst, h, args)
		if err != nil {
			t.Errorf("%v: %v", args, err)
			return
		}
		if string(got) != headroom+text {
			t.Errorf("%v\n got %s\nwant %s", args, got, headroom+text)
		}
		if len(bins) != len(attachments) {
			t.Errorf("%v: %d attachments, want %d", args, len(bins), len(attachments))
			return
		}
		for i, b := range bins {
			if b == nil || string(b) != attachments[i] {
				t.Errorf("%v: attachment %d is %q, want %q", args, i, b, attachments[i])
			}
		}
	}
}

func TestEncode(t *testing.T) {
	type object map[string]any
	tests := []struct {
		h           Header
		args        []any
		want        string
		attachments []string
	}{
		{Header{Type: Connect}, nil, `0`, nil},
		{Header{Type: Connect, Namespace: "/"}, nil, `0`, nil},
		{Header{Type: Connect, Namespace: "/admin"}, nil, `0/admin,`, nil},
		{Header{Type: Connect, Namespace: "/admin"}, []any{object{"sid": "x"}}, `0/admin,{"sid":"x"}`, nil},
		{Header{Type: Connect}, []any{&struct{ SID string }{"x"}}, `0{"SID":"x"}`, nil},
		{Header{Type: Disconnect}, nil, `1`, nil},
		{Header{Type: Disconnect, Namespace: "/foo"}, nil, `1/foo,`, nil},
		{Header{Type: ConnectError}, []any{object{"message": "Not authorized"}}, `4{"message":"Not authorized"}`, nil},
		{Header{Type: ConnectError}, nil, `4`, nil},
		{Header{Type: ConnectError, Namespace: "/n"}, []any{"a string, for clients of revision 4"}, `4/n,"a string, for clients of revision 4"`, nil},
		{Header{Type: Event}, []any{"foo"}, `2["foo"]`, nil},
		{Header{Type: Event, Namespace: "/admin"}, []any{"bar"}, `2/admin,["bar"]`, nil},
		{id(12), []any{"foo"}, `212["foo"]`, nil},
		{id(0), []any{"foo"}, `20["foo"]`, nil},
		{id(maxID), []any{"foo"}, `2999999999999999999["foo"]`, nil},
		{Header{Type: Ack, Namespace: "/admin", ID: 13, HasID: true}, []any{"bar"}, `3/admin,13["bar"]`, nil},
		{Header{Type: Ack, HasID: true}, nil, `30[]`, nil},
		{Header{Type: Event}, []any{"caf\u00e9 <b>&\"\u2028\x00\xff"}, `2["café <b>&\"\u2028\u0000\ufffd"]`, nil},
		{Header{Type: Event}, []any{"a", object{"a": "<b>"}}, `2["a",{"a":"<b>"}]`, nil},
		{
			Header{Type: Event},
			[]any{"a", nil, true, false, "s", int8(-1), int16(2), int32(3), int64(math.MinInt64), 5, uint(1), uint8(2), uint16(3), uint32(4), uint64(math.MaxUint64)},
			`2["a",null,true,false,"s",-1,2,3,-9223372036854775808,5,1,2,3,4,18446744073709551615]`, nil,
		},
		{Header{Type: Event}, []any{"a", 1.5, float32(0.1), 1e21, math.Copysign(0, -1)}, `2["a",1.5,0.1,1e+21,-0]`, nil},
		{Header{Type: Event}, []any{"a", json.RawMessage(`{ "x" : "<>" }`), time.Unix(0, 0).UTC()}, `2["a",{"x":"<>"},"1970-01-01T00:00:00Z"]`, nil},
		{Header{Type: Event}, []any{"a", []int(nil), []any{}, map[string]any(nil), (*int)(nil)}, `2["a",null,[],null,null]`, nil},
		{Header{Type: Event}, []any{"a", []byte(nil), map[string]any{"x": []byte(nil)}}, `2["a",null,{"x":null}]`, nil},
		{Header{Type: Event}, []any{"baz", []byte("\x01")}, `51-["baz",{"_placeholder":true,"num":0}]`, []string{"\x01"}},
		{Header{Type: BinaryEvent}, []any{"baz"}, `2["baz"]`, nil},
		{Header{Type: BinaryAck, ID: 4, HasID: true}, []any{1}, `34[1]`, nil},
		{
			Header{Type: Event, Namespace: "/admin"},
			[]any{"baz", []byte("a"), []byte{}},
			`52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, []string{"a", ""},
		},
		{
			Header{Type: Ack, Namespace: "/admin", ID: 15, HasID: true}, []any{"bar", []byte("a")},
			`61-/admin,15["bar",{"_placeholder":true,"num":0}]`, []string{"a"},
		},
	}
	for _, tt := range tests {
		checkEncode(t, New(nil), tt.h, tt.args, tt.want, tt.attachments...)
	}
}

func TestEncodeTenAttachments(t *testing.T) {
	args, want := []any{"a"}, `512-["a"`
	var bins []string
	for _, n := range strings.Fields("0 1 2 3 4 5 6 7 8 9 10 11") {
		args = append(args, []byte(n))
		want += `,{"_placeholder":true,"num":` + n + `}`
		bins = append(bins, n)
	}
	checkEncode(t, New(nil), Header{Type: Event}, args, want+`]`, bins...)
}

type failing struct{}

var errFailing = errors.New("no luck")

func (failing) MarshalJSON() ([]byte, error) { return nil, errFailing }

func TestEncodeRefuses(t *testing.T) {
	type node struct {
		Next *node
		Any  any
	}
	cyclic := &node{}
	cyclic.Next = cyclic
	cyclicMap := map[string]any{}
	cyclicMap["a"], cyclicMap["b"] = cyclicMap, cyclicMap
	cyclicList := make([]any, 2)
	cyclicList[0], cyclicList[1] = cyclicList, cyclicList
	var cyclicPointer any
	cyclicPointer = &cyclicPointer
	type plainNode struct{ Next *plainNode }
	cyclicPlain := &plainNode{}
	cyclicPlain.Next = cyclicPlain

	tests := []struct {
		what string
		h    Header
		args []any
		says string
	}{
		{"unknown type", Header{Type: 7}, nil, "Type(7)"},
		{"event without a name", Header{Type: Event}, nil, "name"},
		{"event named by a number", Header{Type: Event}, []any{1}, "name"},
		{"ack without id", Header{Type: Ack}, nil, "ID"},
		{"connect with id", Header{Type: Connect, HasID: true}, nil, "ID"},
		{"id too long", id(maxID + 1), []any{"a"}, "18 digits"},
		{"disconnect with payload", Header{Type: Disconnect}, []any{"a"}, "payload"},
		{"connect with two arguments", Header{Type: Connect}, []any{1, 2}, "one argument"},
		{"connect with nil", Header{Type: Connect}, []any{nil}, "object"},
		{"connect with a list", Header{Type: Connect}, []any{[]int{}}, "object"},
		{"connect with bytes", Header{Type: Connect}, []any{[]byte("a")}, "object without bytes"},
		{"connect with bytes inside", Header{Type: Connect}, []any{map[string]any{"a": []byte("a")}}, "object without bytes"},
		{"connect with NaN", Header{Type: Connect}, []any{math.NaN()}, "payload of CONNECT: NaN"},
		{"connect_error with bytes", Header{Type: ConnectError}, []any{map[string]any{"a": []byte{1}}}, "without bytes"},
		{"namespace without slash", Header{Type: Connect, Namespace: "admin"}, nil, `"admin"`},
		{"namespace with comma", Header{Type: Connect, Namespace: "/a,b"}, nil, "','"},
		{"namespace with query", Header{Type: Connect, Namespace: "/a?b"}, nil, "'?'"},
		{"namespace with control character", Header{Type: Connect, Namespace: "/a\x1e"}, nil, "control"},
		{"namespace not UTF-8", Header{Type: Connect, Namespace: "/\xff"}, nil, "UTF-8"},
		{"NaN", Header{Type: Event}, []any{"a", math.NaN()}, "NaN has no JSON form"},
		{"infinity", Header{Type: Event}, []any{"a", math.Inf(-1)}, "-Inf has no JSON form"},
		{"NaN inside", Header{Type: Event}, []any{"a", map[string]any{"x": math.NaN()}}, "NaN"},
		{"channel", Header{Type: Event}, []any{"a", make(chan int)}, "argument 1: json: unsupported type: chan int"},
		{"function inside", Header{Type: Event}, []any{"a", 1, []any{func() {}}}, "argument 2: json: unsupported type"},
		{"marshaler's error", Header{Type: Event}, []any{"a", failing{}}, "no luck"},
		{"pointer cycle", Header{Type: Event}, []any{"a", cyclic}, "refers to itself"},
		{"map cycle", Header{Type: Event}, []any{"a", cyclicMap}, "refers to itself"},
		{"list cycle", Header{Type: Event}, []any{"a", cyclicList}, "refers to itself"},
		{"interface cycle", Header{Type: Event}, []any{"a", cyclicPointer}, "refers to itself"},
		{"cycle that cannot hold bytes", Header{Type: Event}, []any{"a", cyclicPlain}, "cycle"},
	}
	for _, tt := range tests {
		got, bins, err := New(nil).Encode([]byte("x"), tt.h, tt.args)
		if err == nil || got != nil || bins != nil {
			t.Errorf("%s: %s, %v", tt.what, got, err)
			continue
		}
		if msg := err.Error(); !strings.HasPrefix(msg, "parser: ") || !strings.Contains(msg, tt.says) {
			t.Errorf("%s: message %q, want it to say %q", tt.what, msg, tt.says)
		}
	}
	if _, _, err := New(nil).Encode(nil, Header{Type: Event}, []any{"a", failing{}}); !errors.Is(err, errFailing) {
		t.Errorf("the marshaler's error is not wrapped: %v", err)
	}
}

// A failed Encode leaves nothing behind for the next one.
func TestEncodeAfterError(t *testing.T) {
	p := New(nil)
	for range 10 {
		if _, _, err := p.Encode(nil, Header{Type: Event}, []any{"a", map[string]any{"b": []byte("x"), "c": math.NaN()}}); err == nil {
			t.Fatal("no error")
		}
		checkEncode(t, p, Header{Type: Event}, []any{"a", []int{1}}, `2["a",[1]]`)
	}
}

type (
	valueMarshal   struct{ out string }
	pointerMarshal struct{ out string }
	mapMarshal     map[string]string
)

func (m valueMarshal) MarshalJSON() ([]byte, error) {
	if m.out == "fail" {
		return nil, errNever
	}
	return []byte(m.out), nil
}
func (m *pointerMarshal) MarshalJSON() ([]byte, error) { return []byte(m.out), nil }
func (m mapMarshal) MarshalJSON() ([]byte, error)      { return fmt.Appendf(nil, "%d", len(m)), nil }

// checkMarshaler compares what becomes of a type's own JSON with encoding/json.
func checkMarshaler(t testing.TB, v any) {
	t.Helper()
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	wantErr := enc.Encode(v)
	got, _, err := New(nil).Encode(nil, Header{Type: Event}, []any{"e", v})
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%#v: error %v, encoding/json gives %v", v, err, wantErr)
	}
	if err == nil {
		if w := `["e",` + strings.TrimSuffix(want.String(), "\n") + `]`; got[0] != '2' || !sameJSON(string(got[1:]), w) {
			t.Errorf("%#v: %s, encoding/json gives %s", v, got, w)
		}
		return
	}
	var me *json.MarshalerError
	if !errors.As(err, &me) || me.Type != reflect.TypeOf(v) {
		t.Errorf("%#v: error %#v", v, err)
	}
}

func TestEncodeMarshaler(t *testing.T) {
	for _, out := range append([]string{
		` { "a" : [ 1 , 2 ] } `, "{\"a\":\" b \"}\n", `"<b>&</b>"`, "\"\u2028\"", "\"\xff\"", ``, ` `, `{`, `{}{}`, `1 2`, "\x00", `fail`,
		strings.Repeat("[", 10000) + strings.Repeat("]", 10000), strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
	}, jsonTexts...) {
		for _, v := range []any{valueMarshal{out}, &valueMarshal{out}, &pointerMarshal{out}, json.RawMessage(out)} {
			checkMarshaler(t, v)
		}
	}
	for _, v := range []any{
		(*valueMarshal)(nil), (*pointerMarshal)(nil), json.RawMessage(nil), mapMarshal(nil), time.Unix(1e9, 0).UTC(), new(big.Int),
	} {
		checkMarshaler(t, v)
	}
	checkEncode(t, New(nil), Header{Type: Event}, []any{"e", pointerMarshal{"x"}}, `2["e",{}]`) // as encoding/json: it cannot be called
	if _, _, err := New(nil).Encode(nil, Header{Type: Event}, []any{"e", valueMarshal{"fail"}}); !errors.Is(err, errNever) {
		t.Errorf("error %v", err)
	}
	own := New(&codec{marshal: func(any) ([]byte, error) { return []byte(`"own"`), nil }})
	checkEncode(t, own, Header{Type: Event}, []any{"e", valueMarshal{"1"}}, `2["e","own"]`)
}
