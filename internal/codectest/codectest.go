// Package codectest has the tests for JSON codecs of a parser that claim to read and write
// the same as encoding/json ([parser.StandardCodec]).
package codectest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/parser"
)

// Subject is a codec to test, and where it may differ from encoding/json.
type Subject struct {
	Codec parser.StandardCodec
	// Depth is the depth of nesting that the codec must decode. Deeper values may be an error. 0:
	// the depth that a parser allows.
	Depth int
	// Differs reports whether the codec may do something else with an argument and a type to
	// decode it into, or with a type to encode, for which text is "". It may be nil.
	Differs func(text string, t reflect.Type) bool
}

func (s Subject) differs(text string, t reflect.Type) bool {
	return s.Differs != nil && s.Differs(text, t)
}

// Run runs all tests.
func Run(t *testing.T, s Subject) {
	t.Run("decode", func(t *testing.T) {
		for _, text := range texts {
			s.checkDecode(t, text)
		}
	})
	t.Run("encode", func(t *testing.T) {
		for _, v := range values() {
			s.checkEncode(t, v)
		}
	})
	t.Run("encode refuses", s.testEncodeRefuses)
	t.Run("attachments", s.testAttachments)
	t.Run("hostile", s.testHostile)
	t.Run("nested", s.testNested)
	t.Run("aliasing", s.testAliasing)
	t.Run("own methods", s.testMethods)
}

// Fuzz compares the codec with encoding/json.
func Fuzz(f *testing.F, s Subject) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s.checkDecode(t, text)
		var v any
		if json.Unmarshal([]byte(text), &v) == nil {
			s.checkEncode(t, v)
		}
		s.checkEncode(t, []any{text, map[string]string{text: text}, json.Number(strconv.Itoa(len(text)))})
	})
}

// standard is a parser with encoding/json, of which it does not know that.
var standard = parser.New(plain{})

type plain struct{}

func (plain) Marshal(v any) ([]byte, error)      { return parser.Standard.Marshal(v) }
func (plain) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// maxDepth is the largest Limits.Depth.
const maxDepth = 10_000

// bind decodes an argument of an event into v. ok is false if the packet is refused.
func bind(t testing.TB, p parser.Parser, arg string, v any) (ok bool, err error) {
	t.Helper()
	packet, ok, err := p.NewDecoder(parser.Limits{Depth: maxDepth}).Decode([]byte(`2["e",`+arg+`]`), false)
	if err != nil {
		return false, err
	}
	require.True(t, ok)
	require.Equal(t, 1, packet.Args.Len(), arg)
	return true, packet.Args.Bind(0, v)
}

// checkDecode compares the codec with encoding/json: they decode an argument into targets of
// all kinds.
func (s Subject) checkDecode(t testing.TB, text string) {
	t.Helper()
	p := parser.New(s.Codec)
	if !json.Valid([]byte(text)) {
		_, ok, _ := p.NewDecoder(parser.Limits{}).Decode([]byte(`2["e",`+text+`]`), false)
		several := json.Valid([]byte("[0," + text + "]"))
		assert.True(t, !ok || several, "%q is no JSON", text)
		return
	}
	got, want := targets(), targets()
	for i := range got {
		if s.differs(text, reflect.TypeOf(got[i]).Elem()) {
			continue
		}
		ok, gotErr := bind(t, p, text, got[i])
		wantOK, wantErr := bind(t, standard, text, want[i])
		require.Equal(t, wantOK, ok, "%.200q", text)
		if (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%.200q into %T: error %v, want %v", text, got[i], gotErr, wantErr)
			continue
		}
		if gotErr == nil && !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("%.200q into %T: %#v, want %#v", text, got[i], reflect.ValueOf(got[i]).Elem(), reflect.ValueOf(want[i]).Elem())
		}
		var be *parser.BindError
		if gotErr != nil && !errors.As(gotErr, &be) {
			t.Errorf("%.200q into %T: error %#v", text, got[i], gotErr)
		}
	}
}

// checkEncode compares the codec with encoding/json: they encode a value to the same tokens
// in the same order, in valid UTF-8.
func (s Subject) checkEncode(t testing.TB, v any) {
	t.Helper()
	event := parser.Header{Type: parser.Event}
	want, wantBins, err := standard.Encode(nil, event, []any{"e", v})
	require.NoError(t, err, "%#v", v)
	const head = "headroom"
	got, bins, err := parser.New(s.Codec).Encode([]byte(head), event, []any{"e", v})
	if !assert.NoError(t, err, "%#v", v) {
		return
	}
	require.True(t, strings.HasPrefix(string(got), head))
	got = got[len(head):]
	assert.True(t, utf8.Valid(got), "%#v: %q", v, got)
	assert.Equal(t, wantBins, bins, "%#v", v)
	start := bytes.IndexByte(want, '[')
	require.Equal(t, string(want[:start]), string(got[:start]))
	assert.Equal(t, tokens(t, want[start:]), tokens(t, got[start:]), "%#v: %s, want %s", v, got, want)
	assert.NotContains(t, string(got), "\\u003c", "no HTML escaping")
}

// tokens returns the tokens of a JSON text, with its strings decoded.
func tokens(t testing.TB, text []byte) (all []json.Token) {
	t.Helper()
	require.True(t, json.Valid(text), "%q", text)
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err, "%q", text)
		all = append(all, token)
	}
}

func (s Subject) testEncodeRefuses(t *testing.T) {
	type node struct {
		Next *node
		Any  any
	}
	cyclic := &node{}
	cyclic.Next = cyclic
	cyclicMap := map[string]any{}
	cyclicMap["a"] = cyclicMap
	cyclicList := make([]any, 1)
	cyclicList[0] = cyclicList
	type plainNode struct{ Next *plainNode }
	cyclicPlain := &plainNode{}
	cyclicPlain.Next = cyclicPlain
	type pointers map[string]pointers
	cyclicPointers := pointers{}
	cyclicPointers["a"] = cyclicPointers
	for _, v := range []any{
		make(chan int), func() {}, complex(1, 2), map[string]any{"a": make(chan int)}, []any{func() {}},
		math.NaN(), math.Inf(1), map[string]float64{"a": math.Inf(-1)}, []float32{float32(math.NaN())},
		map[bool]int{true: 1}, json.RawMessage(`{`), []json.RawMessage{json.RawMessage(`1 2`)}, json.Number("1x"), []json.Number{"01"},
		failing{}, []failing{{}}, &broken{}, []any{&broken{}}, []*broken{{}}, failingText{}, map[failingText]int{{}: 1},
		cyclic, cyclicMap, cyclicList, cyclicPlain, cyclicPointers,
	} {
		if s.differs("", reflect.TypeOf(v)) {
			continue
		}
		_, _, err := parser.New(s.Codec).Encode(nil, parser.Header{Type: parser.Event}, []any{"e", v})
		assert.Error(t, err, "%T", v)
	}
}

func (s Subject) testAttachments(t *testing.T) {
	type object struct {
		Name string         `json:"name"`
		Data []byte         `json:"data"`
		Any  any            `json:"any"`
		Map  map[string]any `json:"map"`
		List [][]byte       `json:"list"`
		Raw  parser.Raw     `json:"raw"`
	}
	event := parser.Header{Type: parser.Event}
	sent := object{
		Name: "caf\u00e9", Data: []byte("a"), Any: []any{[]byte("b"), "c"}, Map: map[string]any{"d": []byte("e")}, List: [][]byte{[]byte("f"), {}},
	}
	p := parser.New(s.Codec)
	text, bins, err := p.Encode(nil, event, []any{"e", sent, []byte("g")})
	require.NoError(t, err)
	require.Len(t, bins, 6)
	packet, err := parser.DecodeAll(p, parser.Limits{}, text, bins)
	require.NoError(t, err)
	var got object
	require.NoError(t, packet.Args.Bind(0, &got))
	assert.True(t, got.Raw.IsZero() || func() bool { b, _ := got.Raw.MarshalJSON(); return string(b) == "null" }())
	got.Raw = parser.Raw{}
	assert.Equal(t, sent, got)
	var last []byte
	require.NoError(t, packet.Args.Bind(1, &last))
	assert.Equal(t, "g", string(last))
	var anyValue any
	require.NoError(t, packet.Args.Bind(0, &anyValue))
	assert.Equal(t, []byte("a"), anyValue.(map[string]any)["data"])
	var raw json.RawMessage
	require.NoError(t, packet.Args.Bind(0, &raw))
	var decoded object
	require.NoError(t, json.Unmarshal(raw, &decoded), "a RawMessage has them as base64")
	assert.Equal(t, sent.Data, decoded.Data)
	var wrong struct{ Data string }
	assert.Error(t, packet.Args.Bind(0, &wrong), "an attachment is no string")
}

// testHostile checks texts that a client may send to do harm.
func (s Subject) testHostile(t *testing.T) {
	for name, text := range map[string]string{
		"long string":   `"` + strings.Repeat("x", 1<<20) + `"`,
		"long escapes":  `"` + strings.Repeat(`\u00e9`, 1<<16) + `"`,
		"long number":   strings.Repeat("1", 1<<14),
		"long fraction": "0." + strings.Repeat("1", 1<<14),
		"long exponent": "1e-" + strings.Repeat("0", 1<<14) + "1",
		"long key":      `{"` + strings.Repeat("k", 1<<20) + `":1}`,
		"many keys":     `{` + strings.Repeat(`"k":1,`, 1<<14) + `"A":null}`,
		"many elements": `[` + strings.Repeat(`0,`, 1<<16) + `0]`,
		"many lists":    `[` + strings.Repeat(`[],`, 1<<14) + `[]]`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range []any{"", any(nil), []any{}, map[string]any{}, []int8{}, 1.5, 1, json.RawMessage{}, json.Number(""), object{}} {
				typ := reflect.TypeFor[any]()
				if v != nil {
					typ = reflect.TypeOf(v)
				}
				s.compare(t, text, typ)
			}
		})
	}
}

// compare decodes a text with the codec and with encoding/json.
func (s Subject) compare(t *testing.T, text string, typ reflect.Type) {
	t.Helper()
	got, want := reflect.New(typ), reflect.New(typ)
	ok, gotErr := bind(t, parser.New(s.Codec), text, got.Interface())
	require.True(t, ok)
	_, wantErr := bind(t, standard, text, want.Interface())
	if !assert.Equal(t, wantErr == nil, gotErr == nil, "%v: %.200v, want %.200v", typ, gotErr, wantErr) || gotErr != nil {
		return
	}
	assert.True(t, reflect.DeepEqual(got.Interface(), want.Interface()), "%v", typ)
}

// testNested checks that nesting is decoded, or an error where it is too deep. It must not
// use up the stack, which no program survives.
func (s Subject) testNested(t *testing.T) {
	type list []list
	type tree struct {
		A *tree
		B map[string]*tree
	}
	types := []reflect.Type{
		reflect.TypeFor[any](), reflect.TypeFor[list](), reflect.TypeFor[tree](), reflect.TypeFor[map[string]any](), reflect.TypeFor[[]any](),
		reflect.TypeFor[json.RawMessage](), reflect.TypeFor[string](),
	}
	for _, nest := range []func(n int) string{
		func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) },
		func(n int) string { return strings.Repeat(`{"A":`, n-1) + `{}` + strings.Repeat("}", n-1) },
		func(n int) string { return strings.Repeat(`{"B":{"x":`, n/2) + `{}` + strings.Repeat("}}", n/2) },
		func(n int) string { return `{"unknown":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}` },
	} {
		depth := s.Depth
		if depth == 0 {
			depth = maxDepth - 1
		}
		for _, typ := range types {
			s.compare(t, nest(depth), typ)
			ok, _ := bind(t, parser.New(s.Codec), nest(maxDepth-1), reflect.New(typ).Interface())
			require.True(t, ok)
		}
	}
}

// testAliasing checks that what is decoded does not change with the arguments, nor the other way round.
func (s Subject) testAliasing(t *testing.T) {
	const text = `{"raw":{"a":[1,"two"]},"text":"some text","number":12.50,"bytes":"YWJj","any":"more text"}`
	type object struct {
		Raw    json.RawMessage `json:"raw"`
		Text   string          `json:"text"`
		Number json.Number     `json:"number"`
		Bytes  []byte          `json:"bytes"`
		Any    any             `json:"any"`
	}
	packet, ok, err := parser.New(s.Codec).NewDecoder(parser.Limits{}).Decode([]byte(`2["e",`+text+`]`), false)
	require.NoError(t, err)
	require.True(t, ok)
	var first, second object
	require.NoError(t, packet.Args.Bind(0, &first))
	for _, b := range [][]byte{first.Raw, first.Bytes} {
		for i := range b {
			b[i] = 'x'
		}
	}
	require.NoError(t, packet.Args.Bind(0, &second))
	assert.Equal(t, `{"a":[1,"two"]}`, string(second.Raw))
	assert.Equal(t, "abc", string(second.Bytes))
	assert.Equal(t, "some text", first.Text)

	// The parser may use the memory of what it has decoded and encoded for something else.
	data := []byte(text)
	var third object
	require.NoError(t, s.Codec.Unmarshal(data, &third))
	clear(data)
	assert.Equal(t, object{Raw: json.RawMessage(`{"a":[1,"two"]}`), Text: "some text", Number: "12.50", Bytes: []byte("abc"), Any: "more text"}, third)
	out, err := s.Codec.AppendJSON(nil, third)
	require.NoError(t, err)
	kept := string(out)
	again, err := s.Codec.AppendJSON(nil, second)
	require.NoError(t, err)
	clear(again)
	assert.Equal(t, kept, string(out))
	marshaled, err := s.Codec.Marshal(third)
	require.NoError(t, err)
	assert.JSONEq(t, kept, string(marshaled))
}

// testMethods checks that values with methods of their own have these called, once.
func (s Subject) testMethods(t *testing.T) {
	p := parser.New(s.Codec)
	var m methods
	_, err := bind(t, p, `{"a":1}`, &m)
	require.NoError(t, err)
	assert.Equal(t, methods{read: []string{`{"a":1}`}}, m)
	var inside struct{ M *methods }
	_, err = bind(t, p, `{"M":[1, 2]}`, &inside)
	require.NoError(t, err)
	assert.Equal(t, []string{`[1, 2]`}, inside.M.read)
	text, _, err := p.Encode(nil, parser.Header{Type: parser.Event}, []any{"e", &m, inside})
	require.NoError(t, err)
	assert.Equal(t, `2["e",{"own":true},{"M":{"own":true}}]`, string(text))
	assert.Equal(t, 1, m.written)
}
