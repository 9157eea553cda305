package socketio

import (
	"slices"
	"sync"
	"unsafe"
)

// each calls visit for every recipient, once, with its place in the room it was
// found in, if it is one. No lock is held: who joins meanwhile may be missed. If a
// socket has left the room, visit returns errLeftRoom; it may then be found again
// through another room. A socket whose connect handler has not decided is
// reached by its own emits and by its session id only.
func (srv *Server) each(e *emission, fromSocket bool, self *Socket, visit func(*Socket, *member) error) {
	if fromSocket && !e.targeted && !e.broadcast {
		if !e.skipSelf && !e.leavesOut(self, self) {
			_ = visit(self, nil)
		}
		return
	}
	leavesOut := e.skipSelf || len(e.skip) > 0 || len(e.except) > 0
	if !e.targeted || len(e.rooms) == 1 {
		room := everyone
		if e.targeted {
			room = e.rooms[0]
		}
		srv.inRoom(e.ns, room, self, func(s *Socket, via *member) {
			if !leavesOut || !(e.skipSelf && s == self) && !e.leavesOut(s, self) {
				_ = visit(s, via)
			}
		})
		return
	}
	seen := socketSets.Get().(*socketSet)
	for i, room := range e.rooms {
		last := i == len(e.rooms)-1 // whom it finds nobody looks for any more
		srv.inRoom(e.ns, room, self, func(s *Socket, via *member) {
			if i > 0 && seen.has(s) || leavesOut && (e.skipSelf && s == self || e.leavesOut(s, self)) {
				return
			}
			if err := visit(s, via); err != errLeftRoom && !last {
				seen.add(s)
			}
		})
	}
	seen.free()
}

// leavesOut reports whether Skip or Except leave a socket out.
func (e *emission) leavesOut(s, self *Socket) bool {
	if s == nil {
		return false
	}
	if len(e.skip) > 0 && slices.Contains(e.skip, s.sid) {
		return true
	}
	return len(e.except) > 0 && s.inOneOf(e.except, s == self)
}

// inOneOf reports whether the socket is in one of the rooms. joining counts those
// that it will be in when its connect handler accepts it.
func (s *Socket) inOneOf(rooms []string, joining bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, room := range rooms {
		if m, in := s.rooms[room]; in && (m != nil || joining) || room == s.sid {
			return true
		}
	}
	return false
}

// inRoom calls visit for everyone in a room, with the place there if it has one:
// a socket in the room of its session id has none, and neither has self, if it
// will be in the room when its connect handler accepts it.
func (srv *Server) inRoom(ns, room string, self *Socket, visit func(s *Socket, via *member)) {
	if s := srv.index.socket(room); s != nil && s.name == ns {
		if s.state.Load() < stateLeaving {
			visit(s, nil)
		}
		return // nobody else can be in this room
	}
	for m := range srv.index.members(ns, room).all() {
		visit(m.s, m)
	}
	if self != nil && self.awaits(room) {
		visit(self, nil)
	}
}

// awaits reports whether the socket will be in a room, or everyone's, when its
// connect handler accepts it.
func (s *Socket) awaits(room string) bool {
	if s.state.Load() != stateConnecting {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Load() != stateConnecting {
		return false
	}
	_, joining := s.rooms[room]
	return joining || room == everyone
}

// socketSet is a set of sockets, cheaper than a map for the one purpose of finding
// whom an emission has reached. The zero value is empty.
type socketSet struct {
	table []*Socket // its length is a power of two, at least twice n; nil: free
	n     int
}

var socketSets = sync.Pool{New: func() any { return new(socketSet) }}

// maxSet is the table from which a set is left to the garbage collector.
const maxSet = 1 << 16

// free ends the use of a set from socketSets.
func (set *socketSet) free() {
	if len(set.table) > maxSet {
		return
	}
	if set.n > 0 {
		clear(set.table)
	}
	set.n = 0
	socketSets.Put(set)
}

// slot is where a socket is, or would be. The address of a socket does for a hash: it
// does not move while the set, which refers to it, is used.
func (set *socketSet) slot(s *Socket) int {
	h := uint64(uintptr(unsafe.Pointer(s))) * 0x9e3779b97f4a7c15
	mask := len(set.table) - 1
	i := int(h>>32) & mask
	for set.table[i] != nil && set.table[i] != s {
		i = (i + 1) & mask
	}
	return i
}

func (set *socketSet) has(s *Socket) bool {
	return set.n > 0 && set.table[set.slot(s)] == s
}

func (set *socketSet) add(s *Socket) {
	if 2*set.n >= len(set.table) {
		set.grow()
	}
	if i := set.slot(s); set.table[i] == nil {
		set.table[i] = s
		set.n++
	}
}

func (set *socketSet) grow() {
	old := set.table
	set.table = make([]*Socket, max(64, 2*len(old)))
	for _, s := range old {
		if s != nil {
			set.table[set.slot(s)] = s
		}
	}
}
