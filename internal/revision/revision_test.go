package revision

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/sessionid"
	"github.com/seed-d124fa34/socketio/parser"
)

func TestTranslate(t *testing.T) {
	for packet, want := range map[string]string{
		"0":                          "0",
		"0/chat":                     "0/chat",
		"0/chat,":                    "0/chat,",
		"0/chat?":                    "0/chat,{}",
		"0/chat?test=123":            `0/chat,{"test":"123"}`,
		"0/chat?test=123,":           `0/chat,{"test":"123"}`,
		"0/chat?a=1&b=x%20y+z&a=2":   `0/chat,{"a":"2","b":"x y z"}`,
		"0/chat?a&&=b&c=%zz&d=%ff":   "0/chat,{\"\":\"b\",\"a\":\"\",\"c\":\"%zz\",\"d\":\"\ufffd\"}",
		`0/chat?q="}`:                `0/chat,{"q":"\"}"}`,
		`0/chat?a=1,{"b":2}`:         `0/chat?a=1,{"b":2}`,
		`2/chat?a=1,["x"]`:           `2/chat?a=1,["x"]`,
		`50-["x"]`:                   `2["x"]`,
		`50-/chat,7["x"]`:            `2/chat,7["x"]`,
		`60-7[]`:                     `37[]`,
		`51-["x",{}]`:                `51-["x",{}]`,
		"":                           "",
		`42["a"]`:                    `42["a"]`,
		"1/chat":                     "1/chat",
		"5":                          "5",
		"0/chat?token=%7B%22a%22%7D": `0/chat,{"token":"{\"a\"}"}`,
	} {
		got, err := translate([]byte(packet))
		require.NoError(t, err)
		assert.Equal(t, want, string(got), packet)
	}
}

// A packet of a megabyte cannot have half a million parameters.
func TestTooManyParameters(t *testing.T) {
	none, _, _ := parser.New(nil).NewDecoder(parser.Limits{}).Decode([]byte("0"), false)
	for n, want := range map[int]error{maxParameters: nil, maxParameters + 1: errParameters, 500_000: errParameters} {
		name := "/chat?" + strings.TrimSuffix(strings.Repeat("a&", n), "&")
		_, _, err := Old.Decoder(parser.New(nil).NewDecoder(parser.Limits{}), true).Decode([]byte("0"+name), false)
		assert.Equal(t, want, err, n)
		_, _, err = Old.Decoder(own{none.Args}, false).Decode([]byte(name), true)
		assert.Equal(t, want, err, n)
	}
}

// Whatever a client says of itself, its CONNECT packet has an object of strings for a payload.
func FuzzTranslate(f *testing.F) {
	for _, s := range []string{"0/chat?a=b&c=%20", "0/?a,", "50-[1]", "0/x?%00=\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, packet string) {
		translated, err := translate([]byte(packet))
		if err != nil {
			return
		}
		out := string(translated)
		name, query, ok := strings.Cut(packet, "?")
		if !strings.HasPrefix(packet, "0/") || !ok || strings.Contains(strings.TrimSuffix(packet, ","), ",") {
			return
		}
		object, ok := strings.CutPrefix(out, name+",")
		require.True(t, ok, out)
		var got map[string]string
		require.NoError(t, json.Unmarshal([]byte(object), &got), query)
		if utf8.ValidString(name) {
			p, ok, err := decoder{parser.New(nil).NewDecoder(parser.Limits{})}.Decode([]byte(packet), false)
			if err == nil {
				require.True(t, ok)
				require.Equal(t, 1, p.Args.Len())
			}
		}
	})
}

func TestRefused(t *testing.T) {
	whole := map[string]string{"message": "no"}
	for _, tt := range []struct{ data, want any }{
		{nil, "no"}, {"", "no"}, {0, "no"}, {false, "no"}, {"why", "why"}, {7, 7},
		{map[string]any{"code": 1}, map[string]any{"code": 1}}, {[]int{1}, []int{1}},
	} {
		assert.Equal(t, []any{tt.want}, Old.Refused("no", tt.data, whole))
		assert.Equal(t, []any{any(whole)}, Current.Refused("no", tt.data, whole))
	}
	assert.Equal(t, []any{any(whole)}, Old.Refused(InvalidNamespace, nil, whole))
}

func TestSID(t *testing.T) {
	conn := sessionid.New()
	assert.Equal(t, conn, Old.SID("/", conn))
	assert.Equal(t, "/chat#"+conn, Old.SID("/chat", conn))
	assert.NotEqual(t, conn, Current.SID("/", conn))
	for _, sid := range []string{conn, "/chat#" + conn, "/chat#x#" + conn, conn + ".server-1", "/chat#" + conn + ".server-1", Current.SID("/", "")} {
		assert.True(t, sessionid.Is(sid), sid)
	}
	assert.Equal(t, Old, Of(3))
	assert.Equal(t, Current, Of(4))
}

// A packet means the same in ASCII.
func FuzzASCII(f *testing.F) {
	for _, s := range []string{`2["é€😀"]`, `2/ü,1["ü"]`, `51-["ä",{"_placeholder":true,"num":0}]`, `4/ü`, `4"ä"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, packet string) {
		out := string(AppendASCII(nil, []byte(packet)))
		if !utf8.ValidString(packet) {
			return
		}
		decode := func(s string) (parser.Packet, bool, error) {
			return parser.New(nil).NewDecoder(parser.Limits{}).Decode([]byte(s), false)
		}
		before, whole, err := decode(packet)
		if err != nil || !whole {
			return
		}
		after, _, err := decode(out)
		require.NoError(t, err, out)
		require.Equal(t, before.Header, after.Header)
		require.Equal(t, before.Event, after.Event)
		for i := range before.Args.Len() {
			var a, b any
			require.NoError(t, before.Args.Bind(i, &a))
			require.NoError(t, after.Args.Bind(i, &b))
			require.Equal(t, a, b)
		}
		payload := strings.TrimPrefix(out, "2"+before.Namespace)
		if before.Namespace == "/" && before.Type == parser.Event {
			require.True(t, len(payload) == len([]rune(payload)), out)
		}
	})
}

// own is the decoder of another packet format: each message is the name of a namespace that the client asks for.
type own struct{ args parser.Args }

func (d own) Decode(data []byte, _ bool) (parser.Packet, bool, error) {
	return parser.Packet{Header: parser.Header{Type: parser.Connect, Namespace: string(data)}, Args: d.args}, true, nil
}

// Clients whose packets have another format write the query behind the name of the namespace, too.
func TestQueryInAnotherFormat(t *testing.T) {
	none, _, _ := parser.New(nil).NewDecoder(parser.Limits{}).Decode([]byte("0"), false)
	one, _, _ := parser.New(nil).NewDecoder(parser.Limits{}).Decode([]byte(`0{"a":"payload"}`), false)
	for name, tt := range map[string]struct {
		args      parser.Args
		namespace string
		want      map[string]string
	}{
		"/chat?a=b%20c": {none.Args, "/chat", map[string]string{"a": "b c"}},
		"/chat":         {none.Args, "/chat", nil},
		"/":             {none.Args, "/", nil},
		"/chat?a":       {one.Args, "/chat?a", map[string]string{"a": "payload"}},
		"/chat?a,b":     {none.Args, "/chat?a,b", nil},
	} {
		p, ok, err := Old.Decoder(own{tt.args}, false).Decode([]byte(name), true)
		require.NoError(t, err)
		require.True(t, ok)
		assert.Equal(t, tt.namespace, p.Namespace)
		var got map[string]string
		if p.Args.Len() > 0 {
			require.NoError(t, p.Args.Bind(0, &got))
		}
		assert.Equal(t, tt.want, got, name)
	}
	p, _, _ := Current.Decoder(own{none.Args}, false).Decode([]byte("/chat?a=b"), true)
	assert.Equal(t, "/chat?a=b", p.Namespace)
}
