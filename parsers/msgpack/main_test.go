package msgpack

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/parser"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// encode returns the one message of a packet.
func encode(t testing.TB, h parser.Header, args ...any) []byte {
	t.Helper()
	text, binary, err := New().Encode([]byte("head"), h, args)
	require.NoError(t, err)
	require.Equal(t, "head", string(text), "there is no text message")
	require.Len(t, binary, 1)
	return binary[0]
}

// decode decodes one message, in a buffer that is overwritten afterwards.
func decode(msg []byte, l parser.Limits) (parser.Packet, error) {
	buf := append([]byte(nil), msg...)
	p, ok, err := New().NewDecoder(l).Decode(buf, true)
	for i := range buf {
		buf[i] = 0xc1
	}
	if err == nil && !ok {
		panic("a message is a packet")
	}
	return p, err
}

func mustDecode(t testing.TB, msg []byte) parser.Packet {
	t.Helper()
	p, err := decode(msg, parser.Limits{})
	require.NoError(t, err)
	return p
}

// values binds every argument to an any.
func values(t testing.TB, a parser.Args) []any {
	t.Helper()
	out := make([]any, a.Len())
	for i := range out {
		require.NoError(t, a.Bind(i, &out[i]))
	}
	return out
}

// unhex reads hexadecimal digits with blanks between them.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// sameJSON returns what the default format makes of an event with these
// arguments, bound to new values of the types of targets.
func sameJSON(t testing.TB, args []any, targets []any) []any {
	t.Helper()
	text, binary, err := parser.New(nil).Encode(nil, parser.Header{Type: parser.Event}, append([]any{"e"}, args...))
	require.NoError(t, err)
	d := parser.New(nil).NewDecoder(parser.Limits{Attachments: 1000})
	p, _, err := d.Decode(text, false)
	require.NoError(t, err)
	for _, b := range binary {
		p, _, err = d.Decode(b, true)
		require.NoError(t, err)
	}
	return bindAll(t, p.Args, targets)
}

func bindAll(t testing.TB, a parser.Args, targets []any) []any {
	t.Helper()
	out := make([]any, len(targets))
	for i, target := range targets {
		v := reflect.New(reflect.TypeOf(target))
		require.NoError(t, a.Bind(i, v.Interface()))
		out[i] = v.Elem().Interface()
	}
	return out
}
