package soak

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/bench/workload"
	"github.com/seed-d124fa34/socketio/parser"
)

func jsonOf(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// What is sent is what the server's decoder reads.
func TestEncodePacket(t *testing.T) {
	h := workload.Head{Seq: 1, Voice: 2, Number: 3, At: 4, Sum: 5}
	want, err := jsonOf(h)
	require.NoError(t, err)
	require.Equal(t, want, string(appendHead(nil, h)))
	var back workload.Head
	require.True(t, parseHead([]byte(want), &back))
	require.Equal(t, h, back)

	d := parser.New(nil).NewDecoder(parser.Limits{})
	var p parser.Packet
	ok := false
	for _, m := range encodePacket("/chat", 12, "say", h, "room", payload{binary: []byte{7, 8}}) {
		require.False(t, ok)
		p, ok, err = d.Decode(m.data, m.op == 2)
		require.NoError(t, err)
	}
	require.True(t, ok)
	require.Equal(t, "say", p.Event)
	require.Equal(t, "/chat", p.Namespace)
	require.EqualValues(t, 12, p.ID)
	var room string
	var bytes []byte
	require.NoError(t, p.Args.Bind(0, &back))
	require.NoError(t, p.Args.Bind(1, &room))
	require.NoError(t, p.Args.Bind(2, &bytes))
	require.Equal(t, h, back)
	require.Equal(t, "room", room)
	require.Equal(t, []byte{7, 8}, bytes)
}

func TestParseRefuses(t *testing.T) {
	for _, bad := range []string{"", "9", "5[", "5x-[]"} {
		_, err := parsePacket([]byte(bad))
		require.ErrorIs(t, err, errPacket, bad)
	}
	for _, bad := range []string{`2["said"]`, `2["said",{"seq":1}]`, `31[{"error":{"message":"no"}}]`, `2`, `21[]`,
		`2["said",{"seq":1,"voice":2,"number":3,"at":4,"sum":5},7]`, `2["said",{"seq":1,"voice":2,"number":3,"at":4,"sum":5},{"_placeholder":true,"num":0}]`} {
		p, err := parsePacket([]byte(bad))
		require.NoError(t, err, bad)
		_, err = parseContent(p)
		require.ErrorIs(t, err, errPacket, bad)
	}
}
