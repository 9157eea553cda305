package socketio

import (
	"fmt"
	"hash/maphash"
	"iter"
	"sync"
)

// index knows every socket by its session id, and the members of every room of
// every namespace. It is sharded so that servers with many cores do not queue
// at one lock. A socket knows its own rooms, so that leaving costs what it
// joined and not what exists.
type index struct {
	seed   maphash.Seed
	shards [64]shard
}

type shard struct {
	mu    sync.Mutex // taken after Socket.mu
	sids  map[string]*Socket
	rooms map[roomKey]*room
	// connecting has the sockets that joined a room before they were accepted.
	connecting map[*Socket]struct{}
}

// roomKey names a room.
type roomKey struct{ ns, name string }

// everyone is the name, in the index, of the room of all who are in a namespace.
// Names that come from outside are checked: none of them is it.
const everyone = ""

func (x *index) init() { x.seed = maphash.MakeSeed() }

func (x *index) shard(name string) *shard {
	return &x.shards[maphash.String(x.seed, name)%uint64(len(x.shards))]
}

func (x *index) roomShard(k roomKey) *shard {
	name := k.name
	if name == everyone { // the namespaces' rooms of everyone are not to share a shard
		name = k.ns
	}
	return x.shard(name)
}

// socket returns the socket with a session id, nil if there is none.
func (x *index) socket(sid string) *Socket {
	if len(sid) != sidLen { // a room, as a rule
		return nil
	}
	sh := x.shard(sid)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.sids[sid]
}

// elsewhere reports whether a socket of this server has the session id, in another
// namespace: none of this one can have it.
func (x *index) elsewhere(sid, ns string) bool {
	s := x.socket(sid)
	return s != nil && s.name != ns
}

// addSID makes a new socket known by its session id. It is in no room yet.
func (x *index) addSID(s *Socket) {
	sh := x.shard(s.sid)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.sids == nil {
		sh.sids = make(map[string]*Socket)
	}
	sh.sids[s.sid] = s
}

// members returns who is in a room now.
func (x *index) members(ns, name string) roster {
	k := roomKey{ns, name}
	sh := x.roomShard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if r := sh.rooms[k]; r != nil {
		return r.roster()
	}
	return roster{}
}

// inRoom returns who is in a room now, also if its name is a session id.
func (x *index) inRoom(ns, name string) iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		if s := x.socket(name); s != nil && s.name == ns {
			if s.present() {
				yield(s)
			}
			return // nobody else can be in this room
		}
		for m := range x.members(ns, name).all() {
			if !yield(m.s) {
				return
			}
		}
	}
}

// sids returns the session ids in a room.
func (x *index) sids(ns, name string) []string {
	sids := make([]string, 0, x.count(ns, name))
	for s := range x.inRoom(ns, name) {
		sids = append(sids, s.sid)
	}
	return sids
}

// count returns how many are in a room.
func (x *index) count(ns, name string) int {
	if s := x.socket(name); s != nil && s.name == ns {
		if !s.present() {
			return 0
		}
		return 1
	}
	k := roomKey{ns, name}
	sh := x.roomShard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if r := sh.rooms[k]; r != nil {
		return r.len()
	}
	return 0
}

// occupied reports whether anybody is in a room, or has its name as session id.
func (x *index) occupied(ns, name string) bool {
	k := roomKey{ns, name}
	sh := x.roomShard(k)
	sh.mu.Lock()
	_, ok := sh.rooms[k]
	sh.mu.Unlock()
	if !ok && name != everyone {
		s := x.socket(name)
		ok = s != nil && s.name == ns && !s.hasLeft()
	}
	return ok
}

// enter adds an accepted socket to its namespace and to the rooms it joined
// while its connect handler decided. s.mu is held.
func (x *index) enter(s *Socket) {
	s.everyone = x.add(roomKey{s.name, everyone}, s)
	for name := range s.rooms {
		s.rooms[name] = x.add(roomKey{s.name, name}, s)
	}
	x.settle(s)
}

// withdraw takes a socket that leaves out of everything but its session id. It
// knows its rooms until its disconnect handler has returned. s.mu is held.
func (x *index) withdraw(s *Socket) {
	if s.everyone != nil {
		x.drop(roomKey{s.name, everyone}, s.everyone)
		s.everyone = nil
	}
	for name, m := range s.rooms {
		if m != nil {
			x.drop(roomKey{s.name, name}, m)
			s.rooms[name] = nil
		}
	}
	x.settle(s)
}

// remove takes a socket out of everything. s.mu is held.
func (x *index) remove(s *Socket) {
	x.withdraw(s)
	s.rooms = nil
	sh := x.shard(s.sid)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	delete(sh.sids, s.sid)
}

// await notes a socket that joined a room before its connect handler decided, so
// that closeRoom finds it. s.mu is held.
func (x *index) await(s *Socket) {
	if s.pending {
		return
	}
	s.pending = true
	sh := x.shard(s.sid)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.connecting == nil {
		sh.connecting = make(map[*Socket]struct{})
	}
	sh.connecting[s] = struct{}{}
}

// settle is the end of await. s.mu is held.
func (x *index) settle(s *Socket) {
	if !s.pending {
		return
	}
	s.pending = false
	sh := x.shard(s.sid)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	delete(sh.connecting, s)
}

// undecided returns the sockets of a namespace that joined rooms and about which
// their connect handlers have not decided.
func (x *index) undecided(ns string) (all []*Socket) {
	for i := range x.shards {
		sh := &x.shards[i]
		sh.mu.Lock()
		for s := range sh.connecting {
			if s.name == ns {
				all = append(all, s)
			}
		}
		sh.mu.Unlock()
	}
	return all
}

// checkRoomName checks the name of a room that is to be joined.
func checkRoomName(name string) error {
	switch {
	case name == "":
		return errEmptyRoom
	case len(name) > maxName:
		return fmt.Errorf("%w: its name is longer than %d bytes", ErrRoomName, maxName)
	}
	return nil
}

// join is Socket.Join.
func (x *index) join(s *Socket, name string) error {
	if err := checkRoomName(name); err != nil {
		return err
	}
	if name == s.sid {
		return nil // always there
	}
	if isSID(name) && !x.elsewhere(name, s.name) {
		return fmt.Errorf("%w: its name is the session id of another socket", ErrRoomName)
	}
	joined, err := x.place(s, name)
	if hs := s.srv().hooks.Load(); hs != nil && joined {
		hs.joined(s, name)
	}
	return err
}

// place puts a socket in a room, or notes that it is to be there when accepted.
// joined is set if it is there now and was not before.
func (x *index) place(s *Socket, name string) (joined bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != "" {
		return false, &DisconnectError{s.reason, s.cause}
	}
	if _, in := s.rooms[name]; in {
		return false, nil
	}
	if most := s.srv().opts.Limits.MaxRooms; len(s.rooms) >= most {
		s.srv().stats.hit(limitRooms)
		return false, &LimitError{limitRooms, most}
	}
	if s.rooms == nil {
		s.rooms = make(map[string]*member)
	}
	var m *member
	if s.state.Load() != stateConnecting {
		m = x.add(roomKey{s.name, name}, s)
	} else {
		x.await(s)
	}
	s.rooms[name] = m
	return m != nil, nil
}

// leave is Socket.Leave.
func (x *index) leave(s *Socket, name string) {
	left := x.displace(s, name)
	if hs := s.srv().hooks.Load(); hs != nil && left {
		hs.left(s, name)
	}
}

// displace takes a socket out of a room, and reports whether it was there.
func (x *index) displace(s *Socket, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, in := s.rooms[name]
	if m != nil {
		x.drop(roomKey{s.name, name}, m)
		s.sending.Lock() // when it is unlocked, every emit that got through is queued
		m.left = true
		s.sending.Unlock()
	}
	delete(s.rooms, name)
	return m != nil || in && s.told // in its disconnect handler
}

// closeRoom removes everyone from a room, those included who will be in it when
// they are accepted: a socket enters the room before it is forgotten as undecided.
func (x *index) closeRoom(ns, name string) {
	for _, s := range x.undecided(ns) {
		s.Leave(name)
	}
	for m := range x.members(ns, name).all() {
		m.s.Leave(name)
	}
}

// add appends to a room, which is made if need be.
func (x *index) add(k roomKey, s *Socket) *member {
	sh := x.roomShard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.rooms == nil {
		sh.rooms = make(map[roomKey]*room)
	}
	r := sh.rooms[k]
	if r == nil {
		r = new(room)
		sh.rooms[k] = r
	}
	return r.add(s)
}

// drop removes a member from its room, which vanishes with the last one.
func (x *index) drop(k roomKey, m *member) {
	sh := x.roomShard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := sh.rooms[k]
	r.remove(m)
	if r.len() == 0 {
		delete(sh.rooms, k)
	}
}
