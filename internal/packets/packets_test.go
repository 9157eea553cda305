package packets_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/parser"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// encoder returns an encoder whose events all have the offset "o".
func encoder() *packets.Encoder {
	return &packets.Encoder{
		Parser:          parser.New(nil),
		NextOffset:      func() recovery.Offset { return offset("o") },
		Panicked:        func(v any, h parser.Header) error { return errors.New("panicked") },
		ManyAttachments: func(h parser.Header, n, limit int) {},
		Failed:          func(h parser.Header, event string, err error) {},
	}
}

func offset(text string) recovery.Offset {
	o, _ := recovery.ParseOffset(text)
	return o
}

// messages returns the messages that a client gets: texts, and "bytes:" with binary ones.
func messages(frames *engineio.Frames) (all []string) {
	for m, binary := range frames.Messages() {
		if binary {
			all = append(all, "bytes:"+string(m))
		} else {
			all = append(all, string(m))
		}
	}
	return all
}

var (
	event = parser.Header{Type: parser.Event, Namespace: "/"}
	asks  = parser.Header{Type: parser.Event, Namespace: "/a", ID: 7, HasID: true}
)

// Each client gets its own form of an event.
func TestForms(t *testing.T) {
	for _, test := range []struct {
		name                  string
		head                  parser.Header
		args                  []any
		plain, kept, volatile []string
	}{
		{"no arguments", event, nil, []string{`2["e"]`}, []string{`2["e","o"]`}, []string{`2["e",null]`}},
		{"a number", event, []any{1}, []string{`2["e",1]`}, []string{`2["e",1,"o"]`}, []string{`2["e",1]`}},
		{"a string", event, []any{"x"}, []string{`2["e","x"]`}, []string{`2["e","x","o"]`}, []string{`2["e","x",null]`}},
		{"binary", event, []any{[]byte("b")},
			[]string{`51-["e",{"_placeholder":true,"num":0}]`, "bytes:b"},
			[]string{`51-["e",{"_placeholder":true,"num":0},"o"]`, "bytes:b"},
			[]string{`51-["e",{"_placeholder":true,"num":0}]`, "bytes:b"}},
		{"with an acknowledgement", asks, []any{"x"},
			[]string{`2/a,7["e","x"]`}, []string{`2/a,7["e","x"]`, `2/a,["$offset","o"]`}, []string{`2/a,7["e","x"]`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := encoder()
			p, err := e.Event(test.head, "e", test.args, true)
			require.NoError(t, err)
			require.Equal(t, recovery.Offset{}, p.Offset())
			p = e.WithForms(test.head, "e", test.args, p, true)
			require.Equal(t, test.plain, messages(p.Frames()))
			require.Equal(t, test.volatile, messages(p.VolatileFrames()))
			fixed := p.Fixed()
			require.Equal(t, test.kept, messages(fixed.Kept.Payload.Frames))
			require.Equal(t, test.plain, messages(fixed.Frames()))
			require.Equal(t, test.head.ID, fixed.Kept.Payload.Ask)
			require.Equal(t, offset("o"), fixed.Offset())
			require.Same(t, fixed.Kept, p.Fixed().Kept, "one value for all recipients")

			var all packets.Moved
			moved, ok := all.Event(packets.ToMove(fixed.Kept))
			require.True(t, ok)
			again, ok := all.Event(packets.ToMove(fixed.Kept))
			require.True(t, ok)
			require.Same(t, moved, again, "one value for all sessions that come together")
			other := packets.ToMove(fixed.Kept)
			other.Ask++
			again, ok = all.Event(other)
			require.True(t, ok)
			require.NotSame(t, moved, again)
			require.Equal(t, test.kept, messages(moved.Payload.Frames), "on another server")
			require.Equal(t, test.head.ID, moved.Payload.Ask)
		})
	}
}

// An event that is encoded with its offset is given without it to others.
func TestEventToKeep(t *testing.T) {
	e := encoder()
	for _, args := range [][]any{nil, {1, "x"}, {[]byte("b")}} {
		plain, err := e.Event(event, "e", args, true)
		require.NoError(t, err)
		kept, err := e.EventToKeep(event, "e", args, true)
		require.NoError(t, err)
		require.Equal(t, plain.Size, kept.Size)
		require.Equal(t, messages(plain.Frames()), messages(kept.Frames()))
		wantText, wantAttachments := plain.Message()
		text, attachments := kept.Message()
		require.Equal(t, string(wantText), string(text))
		require.Equal(t, wantAttachments, attachments)
		require.NotEqual(t, messages(plain.Frames()), messages(kept.Kept.Payload.Frames))
		require.Equal(t, offset("o"), kept.Offset())
	}
}

// An event of another server keeps its offset, and the offset of a moved one must be there.
func TestOffsetsOfOtherServers(t *testing.T) {
	e := encoder()
	p, err := e.Event(event, "e", nil, true)
	require.NoError(t, err)
	p = e.WithForms(event, "e", nil, p, true).WithOffset(offset("theirs"))
	fixed := p.Fixed()
	require.Equal(t, []string{`2["e","theirs"]`}, messages(fixed.Kept.Payload.Frames))
	m := packets.ToMove(fixed.Kept)
	m.Offset = ""
	_, ok := new(packets.Moved).Event(m)
	require.False(t, ok)
}

// Without clients that can come back no packet has forms.
func TestNobodyComesBack(t *testing.T) {
	e := encoder()
	e.NextOffset = nil
	p, err := e.Event(event, "e", nil, true)
	require.NoError(t, err)
	p = e.WithForms(event, "e", nil, p, true)
	require.Nil(t, p.Fixed().Kept)
	require.Same(t, p.Frames(), p.VolatileFrames())
}

type explosive struct{}

func (explosive) MarshalJSON() ([]byte, error) { panic("boom") }

// Panics and errors of encoding are errors, and the encoder goes on.
func TestEncodingFails(t *testing.T) {
	e := encoder()
	many := 0
	e.ManyAttachments = func(_ parser.Header, n, limit int) { many = n }
	_, err := e.Event(event, "e", []any{explosive{}}, true)
	require.EqualError(t, err, "panicked")
	_, err = e.EventToKeep(event, "e", []any{make(chan int)}, true)
	require.Error(t, err)
	args := make([]any, 11)
	for i := range args {
		args[i] = []byte("b")
	}
	_, err = e.Event(event, "e", args, true)
	require.NoError(t, err)
	require.Equal(t, 11, many)
	p, err := e.Encode(parser.Header{Type: parser.Disconnect, Namespace: "/a"}, nil, false)
	require.NoError(t, err)
	require.Equal(t, []string{`1/a,`}, messages(p.Frames()))
	require.False(t, p.Frames().Compress())
}

// The buffers that encoding uses again are no part of the packets.
func TestConcurrentEncoding(t *testing.T) {
	e := encoder()
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			for range 200 {
				p, err := e.Event(event, name, []any{name}, true)
				if err != nil || messages(p.Frames())[0] != `2["`+name+`","`+name+`"]` {
					t.Error(err, messages(p.Frames()))
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkEncoder(b *testing.B) {
	args := []any{map[string]any{"room": "lobby", "text": "hello"}}
	e := encoder()
	offsets := recovery.NewOffsets()
	e.NextOffset = offsets.Next
	b.Run("Event", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = e.Event(event, "said", args, true)
		}
	})
	b.Run("EventToKeep", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = e.EventToKeep(event, "said", args, true)
		}
	})
	b.Run("WithForms", func(b *testing.B) { // a kept, a volatile and a plain one
		b.ReportAllocs()
		for b.Loop() {
			p, _ := e.Event(event, "said", args, true)
			p = e.WithForms(event, "said", args, p, true)
			_, _, _ = p.VolatileFrames(), p.Fixed(), p.Frames()
		}
	})
}
