package socketio

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkRecipients is an event to 2,000 clients, selected in several ways, until
// it is queued for all of them: everyone is in a and in b, and one client is in c.
func BenchmarkRecipients(b *testing.B) {
	const clients = 2000
	r := newRig(b, clients)
	for _, s := range r.sockets {
		require.NoError(b, s.Join("a"))
		require.NoError(b, s.Join("b"))
	}
	require.NoError(b, r.sockets[0].Join("c"))
	for _, bench := range []struct {
		name string
		opts []EmitOption
	}{
		{"everyone", nil},
		{"To one", []EmitOption{To("a")}},
		{"To two", []EmitOption{To("a", "b")}},
		{"Except", []EmitOption{Except("c")}},
		{"Skip", []EmitOption{Skip(r.sockets[0].sid)}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			size := int64(0)
			queueing := time.Duration(0)
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				if err := r.srv.Emit("e", "hello", bench.opts...); err != nil {
					b.Fatal(err)
				}
				queueing += time.Since(start)
				b.StopTimer()
				if size == 0 {
					size = r.settle()
				} else {
					r.expect(size, 0)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(queueing)/float64(b.N), "ns/queue")
		})
		b.Run(bench.name+", selection alone", func(b *testing.B) {
			e, err := newEmitOptions(nil, "/", bench.opts)
			require.NoError(b, err)
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				r.srv.each(e, false, nil, func(*Socket, *place) error { n++; return nil })
			}
			require.Positive(b, n)
		})
	}
}

// BenchmarkCount is how many are in a room, by how many they are.
func BenchmarkCount(b *testing.B) {
	for _, clients := range []int{10, 2000} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			r := newRig(b, clients)
			for _, s := range r.sockets {
				require.NoError(b, s.Join("a"))
			}
			b.ReportAllocs()
			for b.Loop() {
				if n, _ := r.srv.CountRoom("a"); n != clients {
					b.Fatal(n)
				}
			}
		})
	}
}
