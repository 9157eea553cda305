package msgpack

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	wire "github.com/vmihailenco/msgpack/v5"

	"github.com/seed-d124fa34/socketio/parser"
)

// packed packs a packet as another implementation would.
func packed(t testing.TB, keysAndValues ...any) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := wire.NewEncoder(&buf)
	enc.UseCompactInts(true)
	require.NoError(t, enc.EncodeMapLen(len(keysAndValues)/2))
	for _, v := range keysAndValues {
		if raw, ok := v.(raw); ok {
			buf.Write(raw)
			continue
		}
		require.NoError(t, enc.Encode(v))
	}
	return buf.Bytes()
}

// raw is written as it is.
type raw []byte

// event is an event "e" with arguments that are msgpack already.
func event(t testing.TB, args ...string) []byte {
	t.Helper()
	list := raw{0x90 + byte(1+len(args)), 0xa1, 'e'}
	for _, arg := range args {
		list = append(list, unhex(t, arg)...)
	}
	return packed(t, "type", 2, "data", list, "nsp", "/")
}

func TestDecode(t *testing.T) {
	for name, test := range map[string]struct {
		msg  []byte
		want parser.Packet
		args []any
	}{
		"connect":                   {packed(t, "type", 0, "nsp", "/"), parser.Packet{Header: parser.Header{Type: parser.Connect, Namespace: "/"}}, []any{}},
		"connect, data nil":         {packed(t, "type", 0, "data", nil, "nsp", "/a"), parser.Packet{Header: parser.Header{Type: parser.Connect, Namespace: "/a"}}, []any{}},
		"connect, data undefined":   {packed(t, "type", 0, "data", raw(undefined), "nsp", "/"), parser.Packet{Header: parser.Header{Type: parser.Connect, Namespace: "/"}}, []any{}},
		"connect with auth":         {packed(t, "type", 0, "data", map[string]any{"token": "x"}, "nsp", "/"), parser.Packet{Header: parser.Header{Type: parser.Connect, Namespace: "/"}}, []any{map[string]any{"token": "x"}}},
		"disconnect":                {packed(t, "nsp", "/", "type", 1), parser.Packet{Header: parser.Header{Type: parser.Disconnect, Namespace: "/"}}, []any{}},
		"disconnect as from Python": {packed(t, "type", 1, "data", nil, "nsp", "/"), parser.Packet{Header: parser.Header{Type: parser.Disconnect, Namespace: "/"}}, []any{}},
		"event":                     {packed(t, "type", 2, "data", []any{"e", 1}, "nsp", "/"), parser.Packet{Header: parser.Header{Type: parser.Event, Namespace: "/"}, Event: "e"}, []any{1.0}},
		"event with id":             {packed(t, "type", 2, "data", []any{"e"}, "nsp", "/", "id", 0), parser.Packet{Header: parser.Header{Type: parser.Event, Namespace: "/", HasID: true}, Event: "e"}, []any{}},
		"event, id nil":             {packed(t, "type", 2, "data", []any{"e"}, "nsp", "/", "id", nil), parser.Packet{Header: parser.Header{Type: parser.Event, Namespace: "/"}, Event: "e"}, []any{}},
		"event with options, as from JavaScript": {
			packed(t, "type", 2, "data", []any{"e", []byte("b")}, "options", map[string]any{"compress": true, "x": []byte("not an attachment")}, "nsp", "/", "id", uint64(1)<<40),
			parser.Packet{Header: parser.Header{Type: parser.Event, Namespace: "/", HasID: true, ID: 1 << 40}, Event: "e"}, []any{[]byte("b")},
		},
		"a number for a name": {packed(t, "type", 2, "data", []any{7}, "nsp", "/"), parser.Packet{Header: parser.Header{Type: parser.Event, Namespace: "/"}, Event: "7"}, []any{}},
		"ack":                 {packed(t, "type", 3, "data", []any{[]byte{9}, nil}, "nsp", "/a", "id", 12), parser.Packet{Header: parser.Header{Type: parser.Ack, Namespace: "/a", ID: 12, HasID: true}}, []any{[]byte{9}, nil}},
		"connect error":       {packed(t, "type", 4, "data", "no", "nsp", "/"), parser.Packet{Header: parser.Header{Type: parser.ConnectError, Namespace: "/"}}, []any{"no"}},
		"many binary values":  {packed(t, "type", 2, "data", []any{"e", slicesOf(20)}, "nsp", "/"), parser.Packet{Header: parser.Header{Type: parser.Event, Namespace: "/"}, Event: "e"}, []any{slicesOf(20)}},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustDecode(t, test.msg)
			assert.Equal(t, test.args, values(t, p.Args))
			p.Args = nil
			assert.Equal(t, test.want, p)
		})
	}
}

func slicesOf(n int) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = []byte{byte(i)}
	}
	return all
}

// What JSON has no form for becomes what JSON.stringify makes of it.
func TestDecodesWhatJSONLacks(t *testing.T) {
	for name, test := range map[string]struct {
		arg  string
		want any
	}{
		"undefined":             {"d4 00 00", nil},
		"undefined in an array": {"92 d4 00 00 01", []any{nil, 1.0}},
		"undefined in a map":    {"82 a161 d4 00 00 a162 01", map[string]any{"b": 1.0}},
		"NaN":                   {"cb 7ff8000000000001", nil},
		"infinity":              {"ca ff800000", nil},
		"a float32":             {"ca 3fc00000", 1.5},
		"a Date":                {"d7 00 0000018d 9f4d5000", time.UnixMilli(0x18d9f4d5000).UTC().Format(jsDate)},
		"a Date before 1970":    {"d7 00 ffffffff fffffc18", "1969-12-31T23:59:59.000Z"},
		"a timestamp, 4 bytes":  {"d6 ff 00000001", "1970-01-01T00:00:01Z"},
		"a timestamp, 12 bytes": {"c7 0c ff 00000001 ffffffffffffffff", "1969-12-31T23:59:59.000000001Z"},
		"an ArrayBuffer":        {"c7 03 00 010203", []byte{1, 2, 3}},
		"an empty ArrayBuffer":  {"c7 00 00", []byte{}},
		"an ArrayBuffer of 8":   {"c7 08 00 0102030405060708", []byte{1, 2, 3, 4, 5, 6, 7, 8}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, []any{test.want}, values(t, mustDecode(t, event(t, test.arg)).Args))
		})
	}
}

// A client in a language with integers and floats may send either.
func TestBindNumbers(t *testing.T) {
	whole := mustDecode(t, event(t, "cb 4014000000000000", "cf ffffffffffffffff", "d3 8000000000000000", "cb 412e848000000000", "05"))
	var five, million int
	var most uint64
	var least int64
	var float float64
	for i, v := range []any{&five, &most, &least, &million, &float} {
		require.NoError(t, whole.Args.Bind(i, v))
	}
	assert.Equal(t, 5, five)
	assert.Equal(t, 1000000, million)
	assert.Equal(t, uint64(math.MaxUint64), most)
	assert.Equal(t, int64(math.MinInt64), least)
	assert.Equal(t, 5.0, float)

	var small int8
	var bind *parser.BindError
	require.ErrorAs(t, whole.Args.Bind(1, &small), &bind, "a value that does not fit is not cut off")
	require.ErrorAs(t, whole.Args.Bind(2, &most), &bind)
	assert.Equal(t, 2, bind.Arg)
	require.ErrorIs(t, whole.Args.Bind(5, &most), parser.ErrNoArgument)
}

func TestBindBinary(t *testing.T) {
	p := mustDecode(t, packed(t, "type", 2, "nsp", "/", "data",
		[]any{"e", map[string]any{"name": "n", "data": []byte{1}, "parts": []any{[]byte{2}, []byte{}}}}))
	var v struct {
		Name  string // found as "name", as in JSON
		Data  []byte
		Parts [][]byte
	}
	require.NoError(t, p.Args.Bind(0, &v))
	assert.Equal(t, "n", v.Name)
	assert.Equal(t, []byte{1}, v.Data)
	assert.Equal(t, [][]byte{{2}, {}}, v.Parts)

	var text struct{ Data string }
	require.Error(t, p.Args.Bind(0, &text), "binary data is no text")
	var raw json.RawMessage
	require.NoError(t, p.Args.Bind(0, &raw))
	assert.JSONEq(t, `{"name":"n","data":"AQ==","parts":["Ag==",""]}`, string(raw))
}

func TestRefuses(t *testing.T) {
	tooDeep := strings.Repeat("91", 65) + "01"
	for name, test := range map[string]struct {
		msg  []byte
		want string
	}{
		"nothing":                        {nil, "a packet is a map"},
		"an array":                       {unhex(t, "90"), "a packet is a map"},
		"nil":                            {unhex(t, "c0"), "a packet is a map"},
		"an unused code":                 {event(t, "c1"), "value expected"},
		"garbage behind the packet":      {append(packed(t, "type", 0, "nsp", "/"), 0xc0), "garbage"},
		"no type":                        {packed(t, "nsp", "/"), "without a type"},
		"no namespace":                   {packed(t, "type", 0), "without a namespace"},
		"an unknown type":                {packed(t, "type", 7, "nsp", "/"), "unknown packet type"},
		"a binary type":                  {packed(t, "type", 5, "data", []any{"e"}, "nsp", "/"), "unknown packet type"},
		"a negative type":                {packed(t, "type", -1, "nsp", "/"), "unknown packet type"},
		"a type that is a string":        {packed(t, "type", "2", "nsp", "/"), "unknown packet type"},
		"a namespace that is a number":   {packed(t, "type", 0, "nsp", 1), "a namespace is a string"},
		"a namespace without a slash":    {packed(t, "type", 0, "nsp", "a"), "starts with '/'"},
		"an empty namespace":             {packed(t, "type", 0, "nsp", ""), "starts with '/'"},
		"a namespace that ends itself":   {packed(t, "type", 2, "data", []any{"e"}, "nsp", `/,["x"]`), "holds no ','"},
		"a namespace with a query":       {packed(t, "type", 0, "nsp", "/a?b=c"), "holds no ','"},
		"a namespace with a control":     {packed(t, "type", 0, "nsp", "/\n"), "control characters"},
		"a key twice":                    {packed(t, "type", 0, "nsp", "/", "type", 1), "twice"},
		"a key that is no string":        {packed(t, "type", 0, "nsp", "/", 1, 2), "map key must be a string"},
		"a nested key that is no string": {event(t, "81 01 01"), "map key must be a string"},
		"a nested key that is binary":    {event(t, "81 c40161 01"), "map key must be a string"},
		"an event without data":          {packed(t, "type", 2, "nsp", "/"), "without a payload"},
		"an event without a name":        {packed(t, "type", 2, "data", []any{}, "nsp", "/"), "without a name"},
		"an event named nil":             {packed(t, "type", 2, "data", []any{nil}, "nsp", "/"), "name"},
		"an event named in binary":       {packed(t, "type", 2, "data", []any{[]byte("e")}, "nsp", "/"), "name"},
		"an event whose data is a map":   {packed(t, "type", 2, "data", map[string]any{}, "nsp", "/"), "must be an array"},
		"a reserved name":                {packed(t, "type", 2, "data", []any{"connect"}, "nsp", "/"), "reserved"},
		"an ack without an id":           {packed(t, "type", 3, "data", []any{}, "nsp", "/"), "without an id"},
		"a negative id":                  {packed(t, "type", 2, "data", []any{"e"}, "nsp", "/", "id", -1), "natural number"},
		"an id that is a string":         {packed(t, "type", 2, "data", []any{"e"}, "nsp", "/", "id", "1"), "natural number"},
		"a connect with an id":           {packed(t, "type", 0, "nsp", "/", "id", 1), "has no id"},
		"a connect with binary data":     {packed(t, "type", 0, "data", map[string]any{"a": []byte{}}, "nsp", "/"), "binary data in CONNECT"},
		"a connect with a list":          {packed(t, "type", 0, "data", []any{}, "nsp", "/"), "must be an object"},
		"a disconnect with data":         {packed(t, "type", 1, "data", 0, "nsp", "/"), "no payload"},
		"invalid UTF-8":                  {event(t, "a1 ff"), "invalid UTF-8"},
		"a string cut off":               {event(t, "db ffffffff"), "not complete"},
		"binary data cut off":            {event(t, "c6 ffffffff"), "not complete"},
		"an array cut off":               {event(t, "dd ffffffff"), "value expected"},
		"a map cut off":                  {event(t, "df ffffffff"), "must be a string"},
		"an extension cut off":           {event(t, "c9 ffffffff 00"), "not complete"},
		"an unknown extension":           {event(t, "d4 07 00"), "extension type 7"},
		"an unknown fixed extension":     {event(t, "d5 00 0000"), "extension type 0"},
		"a Date in the year 292 million": {event(t, "d7 00 7fffffffffffffff"), "beyond the years"},
		"a timestamp of 5 bytes":         {event(t, "c7 05 ff 0000000000"), "extension type -1"},
		"an attachment that is forged":   {event(t, "82 ac5f706c616365686f6c646572 c3 a36e756d 00", "c40101"), "_placeholder"},
		"too deep":                       {event(t, tooDeep), "Limits.Depth"},
		"too deep where nobody looks":    {packed(t, "x", raw(unhex(t, tooDeep)), "type", 0, "nsp", "/"), "Limits.Depth"},
		"an id of 19 digits":             {packed(t, "type", 2, "data", []any{"e"}, "nsp", "/", "id", uint64(1e18)), "Limits.IDDigits"},
	} {
		t.Run(name, func(t *testing.T) {
			d := New().NewDecoder(parser.Limits{})
			_, ok, err := d.Decode(test.msg, true)
			require.ErrorContains(t, err, test.want)
			assert.False(t, ok)
			assert.True(t, strings.HasPrefix(err.Error(), "parser: "), err)

			_, _, again := d.Decode(packed(t, "type", 0, "nsp", "/"), true)
			assert.Equal(t, err, again, "the decoder has no more packets")
		})
	}
}

func TestRefusesText(t *testing.T) {
	_, _, err := New().NewDecoder(parser.Limits{}).Decode([]byte(`2["e"]`), false)
	require.ErrorIs(t, err, parser.ErrMalformed)
	require.ErrorContains(t, err, "does not use msgpack")
}

func TestLimits(t *testing.T) {
	msg := packed(t, "type", 2, "data", []any{"e", slicesOf(3)}, "nsp", "/")
	for name, test := range map[string]struct {
		limits parser.Limits
		want   *parser.LimitError
	}{
		"attachments":      {parser.Limits{Attachments: 2}, &parser.LimitError{Limit: "Attachments", Max: 2}},
		"attachment bytes": {parser.Limits{AttachmentBytes: 2}, &parser.LimitError{Limit: "AttachmentBytes", Max: 2}},
		"depth":            {parser.Limits{Depth: 1}, &parser.LimitError{Limit: "Depth", Max: 1}},
		"enough":           {parser.Limits{Attachments: 3, AttachmentBytes: 3, Depth: 3}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(msg, test.limits)
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.Equal(t, error(test.want), err)
		})
	}
}

// Every message cut off anywhere is refused, and costs no more than it is long.
func TestRefusesEveryBeginning(t *testing.T) {
	msg := encode(t, parser.Header{Type: parser.Event, ID: 5, HasID: true}, "e", sample())
	for n := range msg {
		_, err := decode(msg[:n], parser.Limits{})
		require.Error(t, err, "%x", msg[:n])
	}
}
