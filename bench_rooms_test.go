package socketio

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkJoinLeave is a room joined and left again, by how many rooms there are
// and how many others are in it.
func BenchmarkJoinLeave(b *testing.B) {
	for _, bench := range []struct {
		rooms, others int
		emit          bool // to the room each time, as in a chat
	}{
		{rooms: 1}, {rooms: 100}, {rooms: 20_000},
		{rooms: 1, others: 100}, {rooms: 1, others: 10_000}, {rooms: 1, others: 10_000, emit: true},
	} {
		name := fmt.Sprintf("%d rooms, %d others", bench.rooms, bench.others)
		if bench.emit {
			name += ", snapshot"
		}
		b.Run(name, func(b *testing.B) {
			r := newRig(b, 1+bench.others)
			s := r.sockets[0]
			for i := range bench.rooms {
				require.NoError(b, s.Join(fmt.Sprint("room-", i)))
			}
			for _, other := range r.sockets[1:] {
				require.NoError(b, other.Join("room"))
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Join("room"); err != nil {
					b.Fatal(err)
				}
				if bench.emit {
					r.srv.index.Members("/", "room")
				}
				s.Leave("room")
			}
		})
	}
}

// BenchmarkEmitToRooms is an event to a room of one client, by how many rooms
// there are: to each in turn.
func BenchmarkEmitToRooms(b *testing.B) {
	for _, rooms := range []int{1, 100, 20_000} {
		b.Run(fmt.Sprint(rooms), func(b *testing.B) {
			r := newRig(b, 1)
			s := r.sockets[0]
			options := make([]EmitOption, rooms)
			for i := range options {
				name := fmt.Sprint("room-", i)
				options[i] = To(name)
				require.NoError(b, s.Join(name))
			}
			require.NoError(b, s.Emit("e", "hello", options[0]))
			size := r.settle()
			next := 0
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Emit("e", "hello", options[next]); err != nil {
					b.Fatal(err)
				}
				if next++; next == rooms {
					next = 0
				}
				r.expect(size, underway)
			}
		})
	}
}

// BenchmarkDisconnect is a client that leaves its namespace and all its rooms,
// and comes back, by how many they are: both from the packet to the end of the
// handler. Joining the rooms is not measured.
func BenchmarkDisconnect(b *testing.B) {
	for _, rooms := range []int{0, 10, 1000} {
		for _, others := range []int{0, 1000} {
			b.Run(fmt.Sprintf("%d rooms, %d others in each", rooms, others), func(b *testing.B) {
				r := newRig(b, 1+others)
				names := make([]string, rooms)
				for i := range names {
					names[i] = fmt.Sprint("room-", i)
					for _, other := range r.sockets[1:] {
						require.NoError(b, other.Join(names[i]))
					}
				}
				s, cl := r.sockets[0], r.sockets[0].client()
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					for _, name := range names {
						if err := s.Join(name); err != nil {
							b.Fatal(err)
						}
					}
					b.StartTimer()
					cl.Message([]byte("1"), false)
					cl.Message([]byte("0"), false) // its handler follows the end of the other
					s = <-r.arrived
				}
			})
		}
	}
}
