package socketio

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkRecovery is what Options.Recovery costs: an event to one client, and one to
// everyone, until they have been written. The clients answer a ping after each 256 events.
func BenchmarkRecovery(b *testing.B) {
	for _, bench := range []struct {
		name    string
		clients int
		slack   int64
		emit    func(r *rig) error
	}{
		{"one", 1, underway, func(r *rig) error { return r.sockets[0].Emit("e", "hello") }},
		{"one, 1 KiB", 1, underway, func(r *rig) error { return r.sockets[0].Emit("e", benchText) }},
		{"to sid", 1, underway, func(r *rig) error { return r.srv.Emit("e", "hello", To(r.sockets[0].ID())) }},
		{"everyone of 100", 100, 0, func(r *rig) error { return r.srv.Emit("e", "hello") }},
		{"everyone of 10000", 10_000, 0, func(r *rig) error { return r.srv.Emit("e", "hello") }},
	} {
		for _, recovery := range []*Recovery{nil, {}} {
			b.Run(fmt.Sprintf("%s/on=%v", bench.name, recovery != nil), func(b *testing.B) {
				r := newRecoveryRig(b, bench.clients, recovery)
				for range 300_000 { // offsets are longer from then on, and keep their length
					if recovery != nil {
						r.srv.recovery.NextOffset()
					}
				}
				require.NoError(b, bench.emit(r))
				size := r.settle()
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := bench.emit(r); err != nil {
						b.Fatal(err)
					}
					if i%256 == 255 && recovery != nil {
						r.confirm()
					}
					r.expect(size, bench.slack)
				}
			})
		}
	}
}
