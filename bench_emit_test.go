package socketio

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// underway is how much may be on its way to the clients while a benchmark goes
// on: enough for the writer never to wait for it, and no more.
const underway = 64 << 10

// BenchmarkAck is an event acknowledged, on its way in and out, many in flight.
func BenchmarkAck(b *testing.B) {
	for _, bench := range []struct {
		name, packet string
		fn           any
	}{
		{"empty", `217["e"]`, func(*Context) error { return nil }},
		{"string", `217["e","hello"]`, func(_ *Context, s string) (string, error) { return s, nil }},
		{"struct", `217["e",` + benchObject + `]`, FuncAck(func(_ *Context, m benchMessage) (benchMessage, error) { return m, nil })},
		{"text 1k", `217["e","` + benchText + `"]`, func(_ *Context, s string) (string, error) { return s, nil }},
		{"reflect", `217["e",` + benchObject + `]`, func(_ *Context, m benchMessage) (benchMessage, error) { return m, nil }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r := newRig(b, 1)
			r.srv.On("e", bench.fn)
			packet := []byte(bench.packet)
			r.receive(r.sockets[0], packet)
			size := r.settle()
			b.ReportAllocs()
			for b.Loop() {
				r.receive(r.sockets[0], packet)
				r.expect(size, underway)
			}
		})
	}
}

// BenchmarkOnAckOption is what OnAck costs each emit that makes its own, for a
// closure over the emit's data, besides the emit.
func BenchmarkOnAckOption(b *testing.B) {
	n := 0
	for _, bench := range []struct {
		name string
		make func(i int) EmitOption
	}{
		{"string", func(i int) EmitOption { return OnAck(func(*Context, string) { n += i }) }},
		{"struct", func(i int) EmitOption { return OnAck(func(*Context, benchMessage) { n += i }) }},
		{"error, two", func(i int) EmitOption { return OnAck(func(_ *Context, _ error, _, _ int) { n += i }) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				bench.make(i)
			}
		})
	}
}

// BenchmarkOnAck is an emit whose acknowledgement goes to a callback, one at a time.
func BenchmarkOnAck(b *testing.B) {
	answered := make(chan string)
	for _, bench := range []struct {
		name string
		opts func() []EmitOption
	}{
		{"string", func() []EmitOption { return []EmitOption{OnAck(func(_ *Context, s string) { answered <- s })} }},
		{"reflect", func() []EmitOption { return []EmitOption{OnAck(func(_ *Context, s string, _ int8) { answered <- s })} }},
		{"timeout", func() []EmitOption {
			return []EmitOption{OnAck(func(_ *Context, _ error, s string) { answered <- s }), AckTimeout(time.Minute)}
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r := newRig(b, 1)
			s := r.sockets[0]
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Emit("e", "hello", bench.opts()...); err != nil {
					b.Fatal(err)
				}
				r.receive(s, fmt.Appendf(nil, `3%d["world"]`, r.srv.ackIDs.Load()))
				<-answered
			}
		})
	}
}

// BenchmarkOnAckBroadcast is an emit to a thousand clients, all of whom answer.
func BenchmarkOnAckBroadcast(b *testing.B) {
	const clients = 1000
	for _, bench := range []struct {
		name string
		opts []EmitOption
	}{{"plain", nil}, {"timeout", []EmitOption{AckTimeout(time.Minute)}}} {
		b.Run(bench.name, func(b *testing.B) {
			r := newRig(b, clients)
			var answered atomic.Int64
			all := make(chan struct{}, 1)
			opts := append(bench.opts, OnAck(func(_ *Context, _ error, s string) {
				if answered.Add(1)%clients == 0 {
					all <- struct{}{}
				}
			}))
			queueing := time.Duration(0)
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				if err := r.srv.Emit("e", "hello", opts...); err != nil {
					b.Fatal(err)
				}
				queueing += time.Since(start)
				answer := fmt.Appendf(nil, `3%d["world"]`, r.srv.ackIDs.Load())
				for _, s := range r.sockets {
					r.receive(s, answer)
				}
				<-all
			}
			b.ReportMetric(float64(queueing)/float64(b.N), "ns/queue")
		})
	}
}

// BenchmarkCall is a call and its answer, one at a time.
func BenchmarkCall(b *testing.B) {
	r := newRig(b, 1)
	s := r.sockets[0]
	asked := make(chan struct{})
	go func() {
		for range asked {
			for { // Call sends before it waits
				if id := r.srv.ackIDs.Load(); s.expects(id) {
					r.receive(s, fmt.Appendf(nil, `3%d["world"]`, id))
					break
				}
			}
		}
	}()
	defer close(asked)
	b.ReportAllocs()
	for b.Loop() {
		asked <- struct{}{}
		if _, err := Call[string](b.Context(), s, "e", "hello"); err != nil {
			b.Fatal(err)
		}
	}
}

// expects reports whether an acknowledgement is.
func (s *Socket) expects(id uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acks[id] != nil
}

// BenchmarkEmit is an event to one client, by what selects it.
func BenchmarkEmit(b *testing.B) {
	object, blob := benchMessage{"lobby", "hello", 7}, make([]byte, 64)
	for _, bench := range []struct {
		name string
		emit func(r *rig, s *Socket) error
	}{
		{"string", func(_ *rig, s *Socket) error { return s.Emit("e", "hello") }},
		{"struct", func(_ *rig, s *Socket) error { return s.Emit("e", object) }},
		{"bytes", func(_ *rig, s *Socket) error { return s.Emit("e", blob) }},
		{"args", func(_ *rig, s *Socket) error { return s.Emit("e", Args{"hello", 42}) }},
		{"1 KiB", func(_ *rig, s *Socket) error { return s.Emit("e", benchText) }},
		{"to own room", func(_ *rig, s *Socket) error { return s.Emit("e", "hello", To("room")) }},
		{"to own room, skip self", func(r *rig, _ *Socket) error { return r.sockets[1].Emit("e", "hello", To("room"), SkipSelf()) }},
		{"to sid", func(r *rig, s *Socket) error { return r.srv.Emit("e", "hello", To(s.ID())) }},
		{"to two rooms", func(r *rig, _ *Socket) error { return r.srv.Emit("e", "hello", To("room", "other")) }},
		{"to room except", func(r *rig, _ *Socket) error { return r.srv.Emit("e", "hello", To("room"), Except("other")) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r := newRig(b, 2)
			s := r.sockets[0]
			require.NoError(b, s.Join("room"))
			if bench.name == "to two rooms" {
				require.NoError(b, s.Join("other"))
			}
			require.NoError(b, bench.emit(r, s))
			size := r.settle()
			require.NotZero(b, size)
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.emit(r, s); err != nil {
					b.Fatal(err)
				}
				r.expect(size, underway)
			}
		})
	}
}

var benchText = fmt.Sprintf("%01024d", 7)

// BenchmarkBroadcast is an event to everyone, one at a time, until it has been
// written to all: ns/queue is how long Emit takes, which is when its caller goes on.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newRig(b, n)
			require.NoError(b, r.srv.Emit("e", "hello"))
			size := r.settle()
			queueing := time.Duration(0)
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				if err := r.srv.Emit("e", "hello"); err != nil {
					b.Fatal(err)
				}
				queueing += time.Since(start)
				r.expect(size, 0)
			}
			b.ReportMetric(float64(queueing)/float64(b.N), "ns/queue")
		})
	}
}
