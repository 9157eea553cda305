package soak

import (
	"time"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

// sample is the state of the server's process at one time.
type sample struct {
	at          time.Duration
	rss         int64 // before a garbage collection
	collected   int64 // the RSS after a garbage collection that has returned free memory
	live, heap  int64 // after the collection: bytes of objects, and bytes of the heap
	goroutines  int
	descriptors int
	sockets     int
	conns       int // connections of the clients
	limbo       int // sockets that have left, and whose end the server has not reported yet
	cpu         time.Duration
	status      workload.SoakStatus
}

// sample makes the server collect its garbage, and measures it.
func (r *run) sample() (s sample, err error) {
	if s.rss, err = r.cfg.Server.RSS(); err != nil {
		return s, err
	}
	if err := r.ask("gc", nil); err != nil {
		return s, err
	}
	if s.collected, err = r.cfg.Server.RSS(); err != nil {
		return s, err
	}
	if err := r.ask("status", &s.status); err != nil {
		return s, err
	}
	s.at, s.conns, s.limbo = r.elapsed(), r.Conns(), len(r.limbo)+len(r.nameless)
	s.live, s.heap, s.goroutines, s.descriptors, s.sockets = s.status.HeapLive, s.status.HeapInUse, s.status.Goroutines, s.status.Descriptors, s.status.Sockets
	s.cpu, err = r.cfg.Server.CPU()
	return s, err
}

// audit stops all clients from coming, going and moving, and compares the server's index and
// its resources with the state of the clients.
func (r *run) audit() error {
	r.frozen = true
	defer func() { r.frozen = false }()
	if err := r.wait(patience, r.settled); err != nil {
		return err
	}
	if !r.settled() {
		r.faultNow(faultUnanswered, "clients that come, go or move have not been done after %v", patience)
		return nil
	}
	var x workload.SoakIndex
	if err := r.ask("index", &x); err != nil {
		return err
	}
	r.compareIndex(x)
	s, err := r.sample()
	if err != nil {
		return err
	}
	r.compareStats(x, s)
	r.samples = append(r.samples, s)
	r.audits++
	r.checkResources(s)
	return nil
}

// settled reports whether no client comes, goes or moves.
func (r *run) settled() bool {
	if r.connecting > 0 || r.closing > 0 || r.dropping > 0 {
		return false
	}
	for _, c := range r.clients {
		if c.link != nil && (c.busy() || c.link.upgrading()) {
			return false
		}
	}
	return true
}

// compareIndex compares the members of every room. The server may still have sockets whose clients
// are gone.
func (r *run) compareIndex(x workload.SoakIndex) {
	type place struct{ ns, room string }
	mine := map[place]map[string]*socket{}
	for _, c := range r.clients {
		for _, s := range c.sockets {
			rooms := []string{""}
			for _, p := range s.rooms {
				rooms = append(rooms, p.name)
			}
			for _, room := range rooms {
				at := place{s.ns, room}
				if mine[at] == nil {
					mine[at] = map[string]*socket{}
				}
				mine[at][s.sid] = s
			}
		}
	}
	unknown := 0
	for ns, rooms := range x {
		for room, sids := range rooms {
			at := place{ns, room}
			for _, sid := range sids {
				switch {
				case mine[at][sid] != nil:
					delete(mine[at], sid)
				case r.limbo[sid] != nil:
				case r.sids[sid] != nil:
					r.faultNow(faultIndex, "the server has client %d in room %q of %s, in which it is not", r.sids[sid].c.n, room, ns)
				default:
					unknown++
				}
			}
		}
	}
	for at, left := range mine {
		for _, s := range left {
			r.faultNow(faultIndex, "the server does not have client %d.%d in room %q of %s (or not once)", s.c.n, s.c.life, at.room, at.ns)
		}
	}
	if unknown > len(r.nameless) {
		r.faultNow(faultIndex, "the server has %d memberships of sockets that no client has or had lately", unknown-len(r.nameless))
	}
}

// compareStats compares Server.Stats with the server's index, its handlers and the clients. It may
// still count sockets whose clients are gone.
func (r *run) compareStats(x workload.SoakIndex, s sample) {
	rooms := 0
	for _, of := range x {
		rooms += len(of) - 1 // without everyone
	}
	st := s.status.Stats
	for _, c := range []struct {
		what         string
		says, counts int
	}{
		{"sockets", st.Sockets, s.sockets},
		{"rooms", st.Rooms, rooms},
		{"connections", st.Connections, r.linked()},
		{"connections opened and not closed", int(st.Opened - st.Closed), st.Connections},
	} {
		if off := c.says - c.counts; max(off, -off) > s.limbo {
			r.faultNow(faultIndex, "Server.Stats says %d %s, there are %d", c.says, c.what, c.counts)
		}
	}
	if st.Panics > 0 || st.LimitHits > 0 {
		r.faultNow(faultServer, "Server.Stats says %d panics and that limits were reached %d times", st.Panics, st.LimitHits)
	}
}

// linked counts the clients that have a connection.
func (r *run) linked() int {
	n := 0
	for _, c := range r.clients {
		if c.link != nil {
			n++
		}
	}
	return n
}

// What the server may hold more than its clients explain.
const (
	spareGoroutines  = 64
	spareDescriptors = 32
	heapKept         = 8 << 20 // after everyone has left: maps do not shrink
)

// checkResources compares the server's resources with the clients' connections.
// A connection has a goroutine, and another one while the HTTP server waits for
// what a handler does.
func (r *run) checkResources(s sample) {
	if most := r.base.goroutines + 2*s.conns + s.limbo + spareGoroutines; s.goroutines > most {
		r.faultNow(faultMemory, "the server has %d goroutines for %d connections, at most %d were expected", s.goroutines, s.conns, most)
	}
	off := s.descriptors - r.base.descriptors - s.conns
	if max(off, -off) > spareDescriptors+s.conns/50+2*s.limbo {
		r.faultNow(faultMemory, "the server has %d descriptors more than without clients, which have %d connections", s.descriptors-r.base.descriptors, s.conns)
	}
}

func (r *run) beginMeter(server, clients *time.Duration) {
	if cpu, err := r.cfg.Server.CPU(); err == nil {
		*server = cpu
	}
	*clients, r.activeAt = wire.CPUTime(), r.elapsed()
}

func (r *run) endMeter(server, clients time.Duration) {
	if cpu, err := r.cfg.Server.CPU(); err == nil {
		r.cpu.server = cpu - server
	}
	r.cpu.clients, r.activeAt = wire.CPUTime()-clients, r.elapsed()-r.activeAt
}
