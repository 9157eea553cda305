package migration

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func session() *Session {
	return &Session{
		Key: []byte("key"), SID: "sid", Namespace: "/ns", Rooms: []string{"a", "b"},
		Values: map[string]json.RawMessage{"name": []byte(`{"x":[1,2.5,"<é>"]}`)}, Reason: "transport close",
		Start: "offset1", Confirmed: true, Own: "offset0",
		Packets: []Packet{
			{Offset: "offset2", Text: `2/ns,["e","<&é\u2028>","offset2"]`},
			{Offset: "offset3", Text: `51-["e",{"_placeholder":true,"num":0},"offset3"]`, Binary: [][]byte{{0, 255}}},
			{Offset: "offset4", Text: `27["ask"]`, Last: `2["$offset","offset4"]`, Ask: 7},
			{Offset: "offset5", Binary: [][]byte{{1}, {}}},
		},
		Questions: []Question{{Ask: 7, Answer: 9, Left: time.Second}, {Ask: 8, Answer: 10}},
	}
}

// A server reads what another one has written, whatever its length.
func TestFormOfSessions(t *testing.T) {
	long := session()
	for _, c := range []string{"x", "é", "\U0001f600"} { // cut within no character
		long.Packets = append(long.Packets, Packet{Offset: "o", Text: strings.Repeat(c, 2*chunkSize)})
	}
	want := []*Session{session(), long, {SID: "another"}}
	var form []string
	for _, s := range want {
		var err error
		form, err = Append(form, s)
		require.NoError(t, err)
	}
	require.Greater(t, len(form), 10)
	for _, chunk := range form {
		assert.LessOrEqual(t, len(chunk), chunkSize+1)
	}
	text, err := json.Marshal(form) // as the fleet sends it
	require.NoError(t, err)
	var received []string
	require.NoError(t, json.Unmarshal(text, &received))
	got, err := Read(received)
	require.NoError(t, err)
	assert.Equal(t, want, got)

	_, err = Append(nil, &Session{Values: map[string]json.RawMessage{"x": []byte("{")}})
	require.Error(t, err)
}

func TestReadNonsense(t *testing.T) {
	form, err := Append(nil, session())
	require.NoError(t, err)
	for _, bad := range [][]string{{""}, {"x"}, {"+{}"}, {"."}, {".{"}, {".[]"}, {form[0], "+" + form[0][1:]}, {"+" + form[0][1:], form[0]}} {
		_, err := Read(bad)
		require.Error(t, err, bad)
	}
	all, err := Read(nil)
	require.NoError(t, err)
	require.Empty(t, all)
}

// Whatever arrives is read or refused; what is read is the same when it is written again.
func FuzzRead(f *testing.F) {
	form, err := Append(nil, session())
	require.NoError(f, err)
	f.Add(form[0][1:100], form[0][100:], byte('+'))
	f.Add(form[0][1:], form[0][1:], byte('.'))
	f.Add(`{"left":1}`, `{"packets":[{}],"values":{"":null}}`, byte('.'))
	f.Fuzz(func(t *testing.T, first, second string, mark byte) {
		all, err := Read([]string{string(rune(mark)) + first, "." + second})
		if err != nil {
			return
		}
		var form []string
		for _, s := range all {
			form, err = Append(form, s)
			require.NoError(t, err)
		}
		again, err := Read(form)
		require.NoError(t, err)
		require.Len(t, again, len(all))
		twice := make([]string, 0, len(form))
		for _, s := range again {
			twice, err = Append(twice, s)
			require.NoError(t, err)
		}
		require.Equal(t, form, twice)
	})
}

func BenchmarkForm(b *testing.B) {
	s := session()
	s.Packets = nil
	for range 100 {
		s.Packets = append(s.Packets, Packet{Offset: "abcdefgh12", Text: `2["news","` + strings.Repeat("x", 300) + `","abcdefgh12"]`})
	}
	b.ReportAllocs()
	for b.Loop() {
		form, err := Append(nil, s)
		if err == nil {
			_, err = Read(form)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
