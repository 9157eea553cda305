package rooms

import (
	"hash/maphash"
	"sync"
)

// Everyone is the name of the room that has all members of a namespace. Callers must refuse
// it as a name that comes from outside.
const Everyone = ""

// shardCount is how many parts an index has. Each has a lock of its own, so that the cores
// of a large server do not queue at one lock.
const shardCount = 64

// Index knows every member by its id, and the members of every room. An M is a
// pointer to something that has a [Member] for itself. Its methods may be called from
// any goroutine; they take the locks of the index last and never wait for anything
// else. Those with a parameter of type *Member are called with the lock held that
// guards it.
type Index[M comparable] struct {
	seed   maphash.Seed
	shards [shardCount]shard[M]
}

type shard[M comparable] struct {
	mu    sync.Mutex
	ids   map[string]*Member[M]
	rooms map[key]*room[M]
	// waiting has the members that joined a room before they entered.
	waiting map[*Member[M]]struct{}
	_       [32]byte // so that processors that lock different shards do not compete for a cache line
}

// key names a room.
type key struct{ ns, name string }

// NewIndex returns an empty index.
func NewIndex[M comparable]() *Index[M] {
	return &Index[M]{seed: maphash.MakeSeed()}
}

func (x *Index[M]) shard(name string) *shard[M] {
	return &x.shards[maphash.String(x.seed, name)%shardCount]
}

func (x *Index[M]) roomShard(k key) *shard[M] {
	name := k.name
	if name == Everyone { // the namespaces' rooms of everyone do not share a shard
		name = k.ns
	}
	return x.shard(name)
}

// Add makes a new member known by its id. It is in no room yet, and not in its
// namespace.
func (x *Index[M]) Add(m *Member[M]) {
	sh := x.shard(m.id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.ids == nil {
		sh.ids = make(map[string]*Member[M])
	}
	sh.ids[m.id] = m
}

// Find returns the member with an id, the zero M if there is none.
func (x *Index[M]) Find(id string) (found M) {
	if m := x.find(id); m != nil {
		return m.self
	}
	return found
}

func (x *Index[M]) find(id string) *Member[M] {
	sh := x.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.ids[id]
}

// Enter adds a member to its namespace, and to the rooms that it joined before.
func (x *Index[M]) Enter(m *Member[M]) {
	m.everyone = x.put(key{m.ns, Everyone}, m)
	for name := range m.rooms {
		m.rooms[name] = x.put(key{m.ns, name}, m)
	}
	x.settle(m)
}

// Withdraw takes a member out of its namespace and all rooms, for good. It is still
// found by its id, and knows its rooms until Remove.
func (x *Index[M]) Withdraw(m *Member[M]) {
	if m.everyone != nil {
		x.drop(key{m.ns, Everyone}, m.everyone)
		m.everyone = nil
	}
	for name, place := range m.rooms {
		if place != nil {
			x.drop(key{m.ns, name}, place)
			m.rooms[name] = nil
		}
	}
	x.settle(m)
}

// Remove takes a member out of everything.
func (x *Index[M]) Remove(m *Member[M]) {
	x.Withdraw(m)
	m.rooms = nil
	x.Forget(m)
}

// Forget removes the id of a member that was withdrawn, so that Find does not return it. The
// member still knows its rooms until Remove.
func (x *Index[M]) Forget(m *Member[M]) {
	sh := x.shard(m.id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.ids[m.id] == m {
		delete(sh.ids, m.id)
	}
}

// Join puts a member in a room of its namespace. If the member has not entered, it will be
// in the room when it enters. It reports whether the member is in the room now and was not before.
func (x *Index[M]) Join(m *Member[M], name string) (joined bool) {
	if m.Has(name) {
		return false
	}
	if m.rooms == nil {
		m.rooms = make(map[string]*Place[M])
	}
	if m.everyone == nil {
		m.rooms[name] = nil
		x.wait(m)
		return false
	}
	m.rooms[name] = x.put(key{m.ns, name}, m)
	return true
}

// Leave takes a member out of a room. had reports whether the member had the room
// among its own; place is its place there, nil if it had not entered.
func (x *Index[M]) Leave(m *Member[M], name string) (place *Place[M], had bool) {
	place, had = m.rooms[name]
	if place != nil {
		x.drop(key{m.ns, name}, place)
	}
	delete(m.rooms, name)
	return place, had
}

// SetAway notes that the client of a member is away for a while, or is back. A member that
// is away stays in all rooms, and may join and leave them, but Count does not count it. A
// call that changes nothing has no effect. It takes the lock of each room of the member.
func (x *Index[M]) SetAway(m *Member[M], away bool) {
	if m.away == away {
		return
	}
	m.away = away
	x.mark(key{m.ns, Everyone}, m.everyone, away)
	for name, place := range m.rooms {
		x.mark(key{m.ns, name}, place, away)
	}
}

// mark notes in a room that a member is away, or is back. place is nil if the member has not
// entered the room.
func (x *Index[M]) mark(k key, place *Place[M], away bool) {
	if place == nil {
		return
	}
	sh := x.roomShard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.rooms[k].setAway(place, away)
}

// Members returns the members of a room now, including those who are away.
func (x *Index[M]) Members(ns, name string) Roster[M] {
	k := key{ns, name}
	sh := x.roomShard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if r := sh.rooms[k]; r != nil {
		return r.roster()
	}
	return Roster[M]{}
}

// Count returns how many are in a room and not away.
func (x *Index[M]) Count(ns, name string) int {
	present, _ := x.count(ns, name)
	return present
}

// CountAll returns how many are in a room, including those who are away.
func (x *Index[M]) CountAll(ns, name string) int {
	present, away := x.count(ns, name)
	return present + away
}

// Occupied reports whether a room has a member, away or not.
func (x *Index[M]) Occupied(ns, name string) bool { return x.CountAll(ns, name) > 0 }

func (x *Index[M]) count(ns, name string) (present, away int) {
	k := key{ns, name}
	sh := x.roomShard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if r := sh.rooms[k]; r != nil {
		return r.present(), int(r.away)
	}
	return 0, 0
}

// Waiting returns the members of a namespace that joined rooms and have not entered.
func (x *Index[M]) Waiting(ns string) (all []M) {
	for i := range x.shards {
		sh := &x.shards[i]
		sh.mu.Lock()
		for m := range sh.waiting {
			if m.ns == ns {
				all = append(all, m.self)
			}
		}
		sh.mu.Unlock()
	}
	return all
}

// Sizes are what an index holds.
type Sizes struct {
	Entered map[string]int // the members of each namespace that has any who are not away
	Away    map[string]int // those of each namespace who are away; nil: none
	Rooms   int            // with members, without the rooms of everyone
	IDs     int            // the members that are found by their id
	Waiting int            // the members that joined rooms and have not entered
}

// Sizes visits every room, one shard after another. Other shards may change meanwhile.
func (x *Index[M]) Sizes() Sizes {
	s := Sizes{Entered: make(map[string]int)}
	for i := range x.shards {
		sh := &x.shards[i]
		sh.mu.Lock()
		for k, r := range sh.rooms {
			if k.name == Everyone {
				s.count(k.ns, r.present(), int(r.away))
			} else {
				s.Rooms++
			}
		}
		s.IDs += len(sh.ids)
		s.Waiting += len(sh.waiting)
		sh.mu.Unlock()
	}
	return s
}

func (s *Sizes) count(ns string, present, away int) {
	if present > 0 {
		s.Entered[ns] = present
	}
	if away > 0 {
		if s.Away == nil {
			s.Away = make(map[string]int)
		}
		s.Away[ns] = away
	}
}

// wait notes a member that has joined a room and has not entered.
func (x *Index[M]) wait(m *Member[M]) {
	if m.waiting {
		return
	}
	m.waiting = true
	sh := x.shard(m.id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.waiting == nil {
		sh.waiting = make(map[*Member[M]]struct{})
	}
	sh.waiting[m] = struct{}{}
}

// settle is the end of wait.
func (x *Index[M]) settle(m *Member[M]) {
	if !m.waiting {
		return
	}
	m.waiting = false
	sh := x.shard(m.id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	delete(sh.waiting, m)
}

// put adds to a room, which is made if need be.
func (x *Index[M]) put(k key, m *Member[M]) *Place[M] {
	sh := x.roomShard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.rooms == nil {
		sh.rooms = make(map[key]*room[M])
	}
	r := sh.rooms[k]
	if r == nil {
		r = new(room[M])
		sh.rooms[k] = r
	}
	place := r.add(m.self)
	r.setAway(place, m.away)
	return place
}

// drop removes from a room, which vanishes with its last member.
func (x *Index[M]) drop(k key, place *Place[M]) {
	sh := x.roomShard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := sh.rooms[k]
	r.remove(place)
	if r.len() == 0 {
		delete(sh.rooms, k)
	}
}
