package codectest

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"time"
)

// texts are arguments that clients may send, and some that are no JSON.
var texts = []string{
	`null`, `true`, `false`, `0`, `-0`, `1`, `127`, `128`, `-129`, `255`, `256`, `65536`, `4294967296`,
	`9007199254740991`, `9007199254740993`, `-9007199254740993`, `9223372036854775807`, `9223372036854775808`, `18446744073709551615`, `18446744073709551616`,
	`123456789012345678901234567890`, `1.0`, `1e2`, `-1.5e+10`, `1E5`, `0.0`, `0.1`, `1e-7`, `1e400`, `-1e400`, `1e-400`, `1.7976931348623157e308`, `4.9e-324`,
	`0.30000000000000004`, `2.2250738585072011e-308`, `100000000000000000000000`,
	`""`, `"a"`, `"é"`, `"\u00e9"`, `"\ud83d\ude00"`, `"😀"`, `"\ud800"`, `"\udc00"`, `"\ud800\ud800"`, `"\ud800x"`, `"\ud800\u0041"`, `"\"\\\/\b\f\n\r\t"`, "\"\xff\"", "\"a\xc3\"", "\"\xed\xa0\x80\"", "\"\x7f\"",
	`"<b>&"`, "\"\u2028\u2029\"", `"\u2028"`, `"\u0000"`, `"12"`, `"1.5"`, `"null"`, `"true"`, `"YQ=="`, `"YQ"`, `"\u0059Q=="`, `"Y\nQ=="`, `"a-_b"`, `"2026-04-17T12:00:00Z"`,
	`[]`, `{}`, `[[]]`, `[{}]`, ` [ 1 , 2 ] `, `[1,2,3,4,5]`, `[null]`, `[1,"x",true,null,[],{}]`, `["a",1]`, `[1,2,255]`, `[256]`, `["a","b"]`, "\t[\r\n]",
	`{"a":1}`, ` { "a" : [ ] , "b" : { } } `, `{"":""}`, `{"a":1,"a":2}`, `{"a":{"x":1},"a":{"y":2}}`, `{"c":{"x":1},"c":{"y":2}}`, `{"c":[1,2],"c":[3]}`, `{"list":[{"a":1},{"a":2}],"list":[{"b":"YQ=="}]}`,
	`{"A":1}`, `{"a":1,"A":2}`, `{"A":2,"a":1}`, `{"\u0061":1}`, `{"a":null,"b":null,"c":null,"p":null,"list":null}`, `{"a":1.0,"list":[{"a":2e1}]}`, `{"a":1.5}`, `{"a":"1"}`, `{"a":true}`,
	`{"b":"YQ=="}`, `{"b":[1,2]}`, `{"b":"!"}`, `{"s":"5","f":1.5,"f32":0.1}`, `{"s":5}`, `{"s":"x"}`, `{"p":{"a":1}}`, `{"p":1}`, `{"unknown":[{"a":"\ud800"}],"a":3}`, `{"Inner":1,"outer":2}`,
	`{"time":"2026-04-17T12:00:00Z"}`, `{"time":"x"}`, `{"raw":{"x" : [ 1 ] }}`, `{"number":12.50}`, `{"number":"1"}`, `{"number":"x"}`, `{"array":[1]}`, `{"array":[1,2,3,4]}`, `{"ints":{"1":"a","-2":"b"}}`, `{"ints":{"x":"a"}}`,
	`{"keys":{"a":1,"b":2}}`, `{"big":123456789012345678901234567890}`, `{"K":1,"\u212a":2}`, `{"ſ":"7"}`, `{"a":1,"b":"YQ==","c":{"d":[1]},"list":[{"a":1,"c":"x"}],"p":{"p":{"a":2}}}`,
	`{"_placeholder":true,"num":0}`, `{"a b":1,"é":2,"<":3}`,
	// no JSON
	``, ` `, `nul`, `nulll`, `True`, `NaN`, `Infinity`, `undefined`, `01`, `-`, `+1`, `.5`, `1.`, `1e`, `1e+`, `0x1`, `1_0`,
	`"`, `"a`, `"\x"`, `"\u12"`, "\"\n\"", "\"\x00\"", `'a'`, `[`, `[1`, `[1,`, `[1,]`, `[1 2]`, `{`, `{"a"`, `{"a":`, `{"a":1,}`, `{a:1}`, `{"a" 1}`, "\ufeff[]", `/**/1`,
	`{"unknown":tru}`, `{"unknown":"\x"}`, `{"unknown":01}`, `[[1,]]`,
}

// object has fields of all kinds.
type object struct {
	A    int     `json:"a"`
	B    []byte  `json:"b"`
	C    any     `json:"c"`
	S    int64   `json:"s,string"`
	F    float64 `json:"f"`
	F32  float32 `json:"f32,omitempty"`
	P    *object `json:"p"`
	List []item  `json:"list"`
	embedded
	Time   *time.Time      `json:"time"`
	Raw    json.RawMessage `json:"raw"`
	Number json.Number     `json:"number"`
	Array  [3]uint8        `json:"array"`
	Ints   map[int]string  `json:"ints"`
	Keys   map[textKey]int `json:"keys"`
	Big    *big.Int        `json:"big"`
	Hidden string          `json:"-"`
	K      int
}

type item struct {
	A uint8  `json:"a"`
	B []byte `json:"b"`
	C string `json:"c,omitempty"`
}

type embedded struct {
	Inner int
	Outer int `json:"outer"`
}

type (
	text    string
	integer int32
	list    []string
)

// targets returns pointers to variables, some of them in use.
func targets() []any {
	inUse := any(map[string]any{"kept": 1.0})
	var before any = "before"
	return []any{
		new(string), new(bool), new(int), new(int8), new(int16), new(int32), new(int64),
		new(uint), new(uint8), new(uint16), new(uint32), new(uint64), new(float32), new(float64),
		new(text), new(integer), new(list), new([]byte), new(json.RawMessage), new(any), new([]any), new(map[string]any), new(map[string]string),
		new(map[string]int), new(map[string]object), new(map[text]any), new([]int), new([]string), new([]float64), new([]bool), new([2]int), new([][]byte), new(*string), new(**int),
		new(json.Number), new(time.Time), new(*time.Time), new(big.Int), new(textKey), new([]textKey), new(methods), new([]methods), new(map[string]methods),
		new(object), new(*object), new([]object), new(struct{}), new(item),
		&inUse, &before, &map[string]int{"kept": 1}, &[]int{7, 8, 9}, &object{A: 7, C: "c", P: &object{A: 8, F: 2}, List: make([]item, 0, 4), Array: [3]uint8{1, 2, 3}},
		&[3]int{1, 2, 3},
	}
}

// values returns what programs may send.
func values() []any {
	now := time.Unix(1_700_000_000, 0).UTC()
	var nilObject *object
	var nilMarshaler *methods
	return []any{
		nil, true, 1, -1, int64(math.MinInt64), uint64(math.MaxUint64), int64(9007199254740993), 1.5, float32(0.1), 1e21, 1e20, 1e-6, 1e-7, 4.9e-324, math.MaxFloat64, math.Copysign(0, -1), []float64{1e21, 1e-7, 0.1, 100, 1e6},
		"", "caf\u00e9", "<b>&\"'\u2028\u2029\x00\x1f\x7f\\/", "\xff", "a\xc3", "\xed\xa0\x80", strings.Repeat("long ", 1000), text("t"), []string{"<", "\xff", "\u2028"},
		map[string]any{"b": 1, "a": 2, "c": map[string]any{"z": 1, "y": "<>", "\xff": 0}}, map[string]int{"z": 1, "a": 2, "é": 3, "<": 4}, map[int]string{10: "a", 9: "b", -1: "c"}, map[textKey]int{"y": 1, "x": 2},
		map[string]any(nil), []int(nil), []any{}, [2]int{1, 2}, []any{nil, 1, "x", []any{}}, struct{}{}, &struct{}{}, nilObject, nilMarshaler,
		json.RawMessage(`{ "x" : "<>" , "y" : [ 1 ] }`), []json.RawMessage{json.RawMessage(` 1 `), nil}, json.Number("12.50"), []json.Number{"1", "1e400", ""}, now, &now, big.NewInt(1 << 40),
		object{A: 1, B: []byte("x"), C: []any{[]byte("y")}, S: 5, F: 0.1, P: &object{}, List: []item{{A: 1, C: "\u2028"}}, Time: &now, Raw: json.RawMessage(`[ 1 ]`), Number: "1", Ints: map[int]string{2: "b", 1: "a"}, Keys: map[textKey]int{"k": 1}, Big: big.NewInt(7), Hidden: "secret", K: 1},
		[]object{{}, {}}, map[string]object{"b": {}, "a": {}}, []textKey{"x"}, struct{ T textKey }{"<x>"}, []any{methods{}, &methods{}}, struct{ M methods }{}, struct{ M *methods }{&methods{}},
		[]byte("binary"), []byte(nil), map[string][]byte{"b": []byte("x"), "a": nil}, [][]byte{{}, nil},
		struct {
			A string    `json:"a,omitempty"`
			B *int      `json:"b,omitempty"`
			C []int     `json:"c,omitempty"`
			D time.Time `json:"d,omitzero"`
			E float64   `json:"e,string"`
			F bool      `json:",string"`
			G string    `json:"g,string"`
			H int       `json:"<h>"`
		}{G: "quoted \" <"},
	}
}

// textKey has text methods.
type textKey string

func (k textKey) MarshalText() ([]byte, error)     { return []byte("<" + string(k) + ">"), nil }
func (k *textKey) UnmarshalText(text []byte) error { *k = textKey("key " + string(text)); return nil }

// methods reads and writes itself, and notes that.
type methods struct {
	read    []string
	written int
}

func (m *methods) UnmarshalJSON(text []byte) error {
	m.read = append(m.read, string(text))
	return nil
}

func (m *methods) MarshalJSON() ([]byte, error) {
	m.written++
	return []byte(`{"own": true}`), nil
}

var errFailing = errors.New("no luck")

// failing cannot be written.
type failing struct{}

func (failing) MarshalJSON() ([]byte, error) { return nil, errFailing }

// failingText cannot be written as text.
type failingText struct{}

func (failingText) MarshalText() ([]byte, error) { return nil, errFailing }

// broken writes something that is no JSON.
type broken struct{ _ int }

func (*broken) MarshalJSON() ([]byte, error) { return []byte(`{"a":`), nil }
