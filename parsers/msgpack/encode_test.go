package msgpack

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	wire "github.com/vmihailenco/msgpack/v5"

	"github.com/seed-d124fa34/socketio/parser"
)

// The bytes that python-socketio sends for the same packets: keys in the order
// type, data, nsp, id; nsp always there; types 2 and 3 also with binary data.
func TestEncodesAsPythonSocketIO(t *testing.T) {
	event := parser.Header{Type: parser.Event}
	for name, test := range map[string]struct {
		header parser.Header
		args   []any
		want   string
	}{
		"connect reply": {
			parser.Header{Type: parser.Connect}, []any{map[string]string{"sid": "1"}},
			"83 a474797065 00 a464617461 81 a3736964 a131 a36e7370 a12f",
		},
		"connect error": {
			parser.Header{Type: parser.ConnectError, Namespace: "/a"}, []any{map[string]string{"message": "no"}},
			"83 a474797065 04 a464617461 81 a76d657373616765 a26e6f a36e7370 a22f61",
		},
		"event": {
			event, []any{"e", 1, "two", nil, true},
			"83 a474797065 02 a464617461 95 a165 01 a374776f c0 c3 a36e7370 a12f",
		},
		"event with id": {
			parser.Header{Type: parser.Event, Namespace: "/a", ID: 300, HasID: true}, []any{"e"},
			"84 a474797065 02 a464617461 91 a165 a36e7370 a22f61 a26964 cd012c",
		},
		"event with binary data": {
			event, []any{"e", []byte{1, 2}, map[string]any{"b": []byte{3}}},
			"83 a474797065 02 a464617461 93 a165 c4020102 81 a162 c40103 a36e7370 a12f",
		},
		"a binary event is an event": {
			parser.Header{Type: parser.BinaryEvent}, []any{"e", []byte{}},
			"83 a474797065 02 a464617461 92 a165 c400 a36e7370 a12f",
		},
		"ack": {
			parser.Header{Type: parser.Ack, ID: 0, HasID: true}, nil,
			"84 a474797065 03 a464617461 90 a36e7370 a12f a26964 00",
		},
		"ack with binary data": {
			parser.Header{Type: parser.BinaryAck, ID: 7, HasID: true}, []any{[]byte("x"), -1, -33, 1.5},
			"84 a474797065 03 a464617461 94 c40178 ff d0df cb3ff8000000000000 a36e7370 a12f a26964 07",
		},
		"numbers": {
			event, []any{"e", 127, 128, 255, 256, 65535, 65536, 1 << 32, -32, -128, -129, uint64(math.MaxUint64)},
			"83 a474797065 02 a464617461 9c a165 7f cc80 ccff cd0100 cdffff ce00010000 cf0000000100000000 " +
				"e0 d080 d1ff7f cfffffffffffffffff a36e7370 a12f",
		},
		"long strings": {
			event, []any{"e", strings.Repeat("x", 31), strings.Repeat("y", 32)},
			"83 a474797065 02 a464617461 93 a165 bf" + strings.Repeat("78", 31) + "d920" + strings.Repeat("79", 32) + "a36e7370 a12f",
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, unhex(t, test.want), encode(t, test.header, test.args...))
		})
	}
}

// python-socketio sends a null here, which the JavaScript client refuses.
func TestEncodesNoDataAsNoData(t *testing.T) {
	assert.Equal(t, unhex(t, "82 a474797065 01 a36e7370 a12f"), encode(t, parser.Header{Type: parser.Disconnect}))
	assert.Equal(t, unhex(t, "82 a474797065 00 a36e7370 a22f61"), encode(t, parser.Header{Type: parser.Connect, Namespace: "/a"}))
}

type inner struct {
	Text string `json:"text"`
}

type tagged struct {
	inner
	ID      int               `json:"id"`
	Skipped string            `json:"-"`
	Empty   string            `json:"empty,omitempty"`
	Quoted  int64             `json:"quoted,string"`
	When    time.Time         `json:"when"`
	Raw     json.RawMessage   `json:"raw"`
	Big     *big.Int          `json:"big"`
	Data    []byte            `json:"data"`
	None    []byte            `json:"none"`
	Parts   map[string][]byte `json:"parts"`
	Keys    map[int]string    `json:"keys"`
	List    []any             `json:"list"`
	Plain   float32
}

func sample() tagged {
	return tagged{
		inner: inner{"\"quoted\", \x01 <&> \u2028 日本 \U0001f600"}, ID: -5, Skipped: "not sent", Quoted: 1 << 60,
		When: time.Date(2024, 2, 29, 1, 2, 3, 456, time.UTC), Raw: json.RawMessage(` { "a" : [ 1 , [ ] , { } , "x,]}" ] } `),
		Big: big.NewInt(77), Data: []byte{0, 255}, Parts: map[string][]byte{"p": {1}, "q": {}},
		Keys: map[int]string{2: "two"}, List: []any{nil, []byte("in"), []any{}, map[string]any{}, 1e300, "s"}, Plain: 0.1,
	}
}

// One struct, with json tags, serves both formats: what arrives is the same.
func TestRoundTripIsThatOfJSON(t *testing.T) {
	for name, args := range map[string][]any{
		"nothing":                  {},
		"scalars":                  {nil, true, 5, -5.25, "text", uint64(1) << 63},
		"binary":                   {[]byte("abc"), []byte{}, []byte(nil)},
		"nested":                   {[]any{[]any{}, map[string]any{}, []any{map[string]any{"a": []any{1, 2}}}}, [2][]int{{1}, {2, 3}}},
		"struct":                   {sample()},
		"pointers":                 {new(5), &tagged{Data: []byte("x")}},
		"text":                     {"invalid \xff", "\\ \" \n \u007f", strings.Repeat("é", 70000)},
		"list":                     {make([]int, 70000)},
		"a key that JSON reserves": {map[string]any{"_placeholder": true, "num": 0}},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustDecode(t, encode(t, parser.Header{Type: parser.Event}, append([]any{"e"}, args...)...))
			targets := make([]any, len(args))
			for i, arg := range args {
				if targets[i] = arg; arg == nil {
					targets[i] = map[string]int(nil)
				}
			}
			assert.Equal(t, sameJSON(t, args, targets), bindAll(t, p.Args, targets))

			anything := make([]any, len(args))
			for i, v := range values(t, p.Args) {
				require.NoError(t, p.Args.Bind(i, &anything[i]))
				assert.Equal(t, v, anything[i])
			}
		})
	}
}

// What another implementation reads is what was written.
func TestEncodesForOthers(t *testing.T) {
	msg := encode(t, parser.Header{Type: parser.Event, Namespace: "/x", ID: 9, HasID: true}, "e", sample())
	var got map[string]any
	require.NoError(t, wire.Unmarshal(msg, &got))
	assert.EqualValues(t, 2, got["type"])
	assert.Equal(t, "/x", got["nsp"])
	assert.EqualValues(t, 9, got["id"])
	args := got["data"].([]any)
	require.Len(t, args, 2)
	fields := args[1].(map[string]any)
	assert.Equal(t, []byte{0, 255}, fields["data"])
	assert.Nil(t, fields["none"])
	assert.Equal(t, map[string]any{"p": []byte{1}, "q": []byte{}}, fields["parts"])
	assert.Equal(t, "2024-02-29T01:02:03.000000456Z", fields["when"])
	assert.Equal(t, "1152921504606846976", fields["quoted"])
	assert.Equal(t, sample().Text, fields["text"])
	assert.Equal(t, 0.1, fields["Plain"])
	assert.NotContains(t, fields, "empty")
}

func TestDoesNotEncode(t *testing.T) {
	event := parser.Header{Type: parser.Event}
	placeholder := map[string]any{"_placeholder": true, "num": 0}
	for name, test := range map[string]struct {
		header parser.Header
		args   []any
		want   string
	}{
		"what JSON cannot":        {event, []any{"e", make(chan int)}, "unsupported type"},
		"NaN":                     {event, []any{"e", math.NaN()}, "NaN"},
		"an event without a name": {event, nil, "name"},
		"an ack without an id":    {parser.Header{Type: parser.Ack}, nil, "ID"},
		"a bad namespace":         {parser.Header{Type: parser.Event, Namespace: "a"}, []any{"e"}, "namespace"},
		"an unknown type":         {parser.Header{Type: 9}, nil, "packet type"},
		"a placeholder of the app's before binary data": {event, []any{"e", placeholder, []byte("x")}, "_placeholder"},
		"a placeholder of the app's behind binary data": {event, []any{"e", []byte("x"), placeholder}, "_placeholder"},
		"a number that is too big":                      {event, []any{"e", json.RawMessage("1e999")}, "no msgpack form"},
	} {
		t.Run(name, func(t *testing.T) {
			text, binary, err := New().Encode(make([]byte, 0, 8), test.header, test.args)
			require.ErrorContains(t, err, "parser: ")
			require.ErrorContains(t, err, test.want)
			assert.Nil(t, text)
			assert.Nil(t, binary)
		})
	}
}

// codec is encoding/json, spaced out, or something else that a test wants.
type codec struct{ marshal func(v any) ([]byte, error) }

func (c codec) Marshal(v any) ([]byte, error)      { return c.marshal(v) }
func (c codec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

func TestOtherCodecs(t *testing.T) {
	indented := NewWithCodec(codec{func(v any) ([]byte, error) { return json.MarshalIndent(v, " ", "\t") }})
	_, binary, err := indented.Encode(nil, parser.Header{Type: parser.Event}, []any{"e", sample()})
	require.NoError(t, err)
	p, _, err := indented.NewDecoder(parser.Limits{}).Decode(binary[0], true)
	require.NoError(t, err)
	var got tagged
	require.NoError(t, p.Args.Bind(0, &got))
	assert.Equal(t, sample().Data, got.Data)
	assert.Equal(t, sample().Text, got.Text)

	failing := NewWithCodec(codec{func(any) ([]byte, error) { return nil, errors.New("no") }})
	_, _, err = failing.Encode(nil, parser.Header{Type: parser.Event}, []any{"e", 1.5})
	require.ErrorContains(t, err, "no")

	for _, broken := range []string{`"open`, `{"a":tru}`, `[nul`, `+`, `[1,}`, `{"a":"\x"}`, `]`, `@`, `[[[`} {
		c := NewWithCodec(codec{func(any) ([]byte, error) { return []byte(broken), nil }})
		// Whatever comes of it: no panic, and nothing that hangs.
		_, _, _ = c.Encode(nil, parser.Header{Type: parser.Event}, []any{"e", struct{}{}})
	}
}
