package parser

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// decodePacket decodes messages that are one packet.
func decodePacket(t testing.TB, d Decoder, messages ...string) Packet {
	t.Helper()
	for i, m := range messages {
		p, ok, err := d.Decode([]byte(m), i > 0)
		require.NoError(t, err)
		if ok {
			return p
		}
	}
	t.Fatal("the packet is not complete")
	return Packet{}
}

// memory is how many bytes f allocates, and how many of them are held afterwards.
func memory(f func()) (allocated, held int) {
	var before, after, later runtime.MemStats
	runtime.GC()
	runtime.GC() // pools are empty now
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&later)
	return int(after.TotalAlloc - before.TotalAlloc), int(later.HeapAlloc) - int(before.HeapAlloc)
}

// Whatever a packet looks like, decoding it takes little more memory than the packet, and Size says what it holds.
func TestMemoryOfAPacket(t *testing.T) {
	const large = 1_000_000
	attachments := func(n, size int) []string {
		m := []string{fmt.Sprintf(`5%d-["e"`, n)}
		for i := range n {
			m[0] += fmt.Sprintf(`,{"_placeholder":true,"num":%d}`, i)
			m = append(m, strings.Repeat("x", size))
		}
		m[0] += "]"
		return m
	}
	for _, tt := range []struct {
		name     string
		messages []string
		overhead int
	}{
		{"small", []string{`2["e","hello"]`}, 10_000},
		{"eight arguments", []string{`2["e",1,2,3,4,5,6,7,8]`}, 10_000},
		{"many arguments", []string{`2["e"` + strings.Repeat(`,1`, large/2) + `]`}, 3 * large / 2},
		{"many of an acknowledgement", []string{`31[1` + strings.Repeat(`,1`, large/2) + `]`}, 3 * large / 2},
		{"one long argument", []string{`2["e","` + strings.Repeat(`x`, large) + `"]`}, large / 4},
		{"long name", []string{`2["` + strings.Repeat(`x`, large) + `"]`}, large / 4},
		{"many in one", []string{`2["e",[1` + strings.Repeat(`,1`, large/2) + `]]`}, large / 4},
		{"deep", []string{`2["e",` + strings.Repeat(`[`, 60) + strings.Repeat(`]`, 60) + `]`}, 10_000},
		{"attachments", attachments(10, 100_000), large / 2},
		{"empty attachments", attachments(10, 0), 10_000},
		{"the same attachment again and again", append([]string{`51-["e"` + strings.Repeat(`,{"_placeholder":true,"num":0}`, large/30) + `]`}, ""), 6 * large},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wire := 0
			for _, m := range tt.messages {
				wire += len(m)
			}
			d := New(nil).NewDecoder(Limits{})
			var p Packet
			took, held := memory(func() { p = decodePacket(t, d, tt.messages...) })
			size := p.Args.(Sized).Size() + len(p.Event)
			t.Logf("%d bytes on the wire, %d allocated, %d held, Size and name %d", wire, took, held, size)
			assert.Less(t, took-wire, wire+tt.overhead, "allocated beside the copies of the messages that the test makes")
			assert.Less(t, held-size, 64<<10, "Size leaves out what is held")
			assert.Less(t, size, 2*wire+1000)
			runtime.KeepAlive(p)
		})
	}
}

// Arguments whose places are not all kept are those that were sent.
func TestManyArguments(t *testing.T) {
	for _, n := range []int{7, 8, 9, 23, 24, 25, 1000} {
		for _, ack := range []bool{false, true} {
			text := `2[ "e"`
			if ack {
				text = `31[ "e"`
			}
			for i := range n {
				text += fmt.Sprintf(" , [%d,{\"a\":\"],\"}] ", i)
			}
			p := decodePacket(t, New(nil).NewDecoder(Limits{}), text+"]")
			skip := 0
			if ack {
				skip = 1
			}
			require.Equal(t, n+skip, p.Args.Len())
			for i := range n {
				var v []any
				require.NoError(t, p.Args.Bind(i+skip, &v))
				require.Equal(t, []any{float64(i), map[string]any{"a": "],"}}, v)
			}
			var v any
			require.ErrorIs(t, p.Args.Bind(n+skip, &v), ErrNoArgument)
		}
	}
}

// A binary packet may have many arguments, too.
func TestManyArgumentsWithAttachments(t *testing.T) {
	text := `52-["e"` + strings.Repeat(`,7`, 40) + `,{"_placeholder":true,"num":1}` + strings.Repeat(`,8`, 40) + `,{"_placeholder":true,"num":0}]`
	p := decodePacket(t, New(nil).NewDecoder(Limits{}), text, "first", "second")
	require.Equal(t, 82, p.Args.Len())
	var b []byte
	require.NoError(t, p.Args.Bind(40, &b))
	require.Equal(t, "second", string(b))
	require.NoError(t, p.Args.Bind(81, &b))
	require.Equal(t, "first", string(b))
	var n int
	require.NoError(t, p.Args.Bind(41, &n))
	require.Equal(t, 8, n)
}
