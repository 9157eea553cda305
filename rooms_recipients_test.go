package socketio

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/sessionid"
)

// newIndexed returns a socket that is in the index, but not in the namespace.
func newIndexed(srv *Server) *Socket {
	s := &Socket{server: srv, name: "/", sid: sessionid.New()}
	s.membership.Init(s, s.name, s.sid)
	srv.index.Add(&s.membership)
	return s
}

// Whatever rooms are selected and left out, each socket is found once, and nobody else.
func TestRecipientsAgreeWithAModel(t *testing.T) {
	srv := NewServer(nil)
	defer srv.Shutdown(context.Background())
	var all []*Socket
	for i := range 600 { // more than one part of a room
		s := newIndexed(srv)
		s.state.Store(stateJoined)
		srv.index.Enter(&s.membership)
		for room := range 5 {
			if rand.IntN(5) > room || i == 0 {
				require.NoError(t, s.join(fmt.Sprint(room)))
			}
		}
		all = append(all, s)
	}
	pick := func() string {
		if n := rand.IntN(8); n < 7 {
			return fmt.Sprint(n) // two of which nobody is in
		}
		return all[rand.IntN(len(all))].sid
	}
	some := func(most int) (names []string) {
		for range rand.IntN(most + 1) {
			names = append(names, pick())
		}
		return names
	}
	in := func(s *Socket, rooms []string) bool {
		return slices.ContainsFunc(rooms, func(room string) bool {
			return s.membership.Has(room) || room == s.sid
		})
	}
	for range 500 {
		e := &emitOptions{ns: "/", targeted: rand.IntN(4) > 0, rooms: some(4), except: some(2)}
		if rand.IntN(2) == 0 {
			e.skip = []string{"unknown", all[rand.IntN(len(all))].sid}
		}
		if !e.targeted {
			e.rooms = nil
		}
		found := map[*Socket]int{}
		srv.each(e, false, nil, func(s *Socket, _ *place) error { found[s]++; return nil })
		for _, s := range all {
			want := 0
			if (!e.targeted || in(s, e.rooms)) && !in(s, e.except) && !slices.Contains(e.skip, s.sid) {
				want = 1
			}
			require.Equal(t, want, found[s], "%+v", e)
		}
	}
}

// A socket that has left one room is looked for in the others, until it is reached.
func TestRecipientsThatLeftAreLookedForAgain(t *testing.T) {
	srv := NewServer(nil)
	defer srv.Shutdown(context.Background())
	s := newIndexed(srv)
	s.state.Store(stateJoined)
	srv.index.Enter(&s.membership)
	for _, room := range []string{"a", "b", "c", "d"} {
		require.NoError(t, s.join(room))
	}
	visits := 0
	srv.each(&emitOptions{ns: "/", targeted: true, rooms: []string{"a", "b", "c", "d", s.sid}}, false, nil, func(*Socket, *place) error {
		if visits++; visits < 3 {
			return errLeftRoom
		}
		return nil
	})
	require.Equal(t, 3, visits)
}

// A socket that is let in while its own event goes to a room gets it once.
func TestRecipientIsLetInMeanwhile(t *testing.T) {
	srv := NewServer(nil)
	defer srv.Shutdown(context.Background())
	var all []*Socket
	for range 2 {
		s := newIndexed(srv)
		require.NoError(t, s.join("r"))
		all = append(all, s)
	}
	letIn := func(s *Socket) {
		s.state.Store(stateAdmitting)
		srv.index.Enter(&s.membership)
	}
	self, other := all[0], all[1]
	letIn(other)
	visits := make(map[*Socket]int)
	srv.inRoom("/", "r", self, func(s *Socket, _ *place) {
		if visits[s]++; s == other {
			letIn(self)
		}
	})
	require.Equal(t, map[*Socket]int{self: 1, other: 1}, visits)
}
