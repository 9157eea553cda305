package soak

import (
	"fmt"
	"time"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

// sample is the state of the server's process at one time.
type sample struct {
	at          time.Duration
	rss         int64 // as it was
	collected   int64 // after a garbage collection, with what is free given back
	live, heap  int64 // bytes of objects after it, and with the gaps between them
	goroutines  int
	descriptors int
	sockets     int
	conns       int // that the clients have open
	limbo       int // sockets of which the server may not know yet that they are gone
	cpu         time.Duration
	status      workload.SoakStatus
}

// sample collects the server's garbage and looks at it.
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

// audit has everyone stay where they are, and compares the server's index and
// its resources with what the clients believe.
func (r *run) audit() error {
	r.calm = true
	defer func() { r.calm = false }()
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

// settled reports whether nobody comes, goes or moves.
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

// compareIndex compares the members of every room. Sockets whose clients are
// gone may still be there.
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

// compareStats compares what Server.Stats says with the server's index, its
// handlers and the clients. What the clients have left may be counted still.
func (r *run) compareStats(x workload.SoakIndex, s sample) {
	rooms, links := 0, 0
	for _, of := range x {
		rooms += len(of) - 1 // without everyone
	}
	for _, c := range r.clients {
		if c.link != nil {
			links++
		}
	}
	st := s.status.Stats
	for _, c := range []struct {
		what         string
		says, counts int
	}{
		{"sockets", st.Sockets, s.sockets},
		{"rooms", st.Rooms, rooms},
		{"connections", st.Connections, links},
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

// What the server may hold beyond what its clients explain.
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

// finish has everyone be quiet, checks that all has come, has everyone leave and
// checks that nothing is left. It is long because it is one course of steps.
func (r *run) finish() error {
	r.calm, r.quiet, r.over = true, true, true
	idle := func() bool {
		if !r.settled() {
			return false
		}
		for _, c := range r.clients {
			for _, s := range c.sockets {
				if len(s.pending) > 0 {
					return false
				}
			}
		}
		return true
	}
	if err := r.wait(patience, idle); err != nil {
		return err
	}
	for _, c := range r.clients {
		for _, s := range c.sockets {
			if s.state != socketIn {
				continue
			}
			if err := s.check(); err != nil {
				return err
			}
		}
	}
	if err := r.wait(patience, idle); err != nil {
		return err
	}
	if !idle() {
		r.faultNow(faultUnanswered, "at the end events have not been acknowledged after %v", patience)
	}
	var x workload.SoakIndex
	if err := r.ask("index", &x); err != nil {
		return err
	}
	r.compareIndex(x)
	r.calm = false
	there := func() int {
		n := 0
		for _, c := range r.clients {
			if c.link != nil {
				n++
			}
		}
		return n
	}
	for _, c := range r.clients {
		if c.link == nil || c.going {
			continue
		}
		c.goal = endClean
		if err := c.leave(); err != nil {
			return err
		}
		if err := r.wait(patience, func() bool { return r.closing < arrivals }); err != nil {
			return err
		}
	}
	if err := r.wait(patience, func() bool { return there() == 0 }); err != nil {
		return err
	}
	if n := there(); n > 0 {
		r.faultNow(faultUnanswered, "%d clients could not leave", n)
	}
	if err := r.wait(2*r.cfg.Silence+r.cfg.Window+r.cfg.Settle+2*serverSlack, func() bool { return len(r.limbo) == 0 && len(r.nameless) == 0 }); err != nil {
		return err
	}
	return r.checkEmpty()
}

// checkEmpty checks that the server is as it was before the first client came.
func (r *run) checkEmpty() error {
	var wrong string
	for deadline := r.elapsed() + patience; ; {
		var err error
		if r.final, err = r.sample(); err != nil {
			return err
		}
		s := r.final
		switch {
		case s.goroutines > r.base.goroutines:
			wrong = fmt.Sprintf("%d goroutines, there were %d before", s.goroutines, r.base.goroutines)
		case s.descriptors > r.base.descriptors:
			wrong = fmt.Sprintf("%d descriptors, there were %d before", s.descriptors, r.base.descriptors)
		case s.live > r.base.live+heapKept:
			wrong = fmt.Sprintf("%d bytes of heap, there were %d before", s.live, r.base.live)
		case s.sockets > 0 || s.status.Connects != s.status.Disconnects:
			wrong = fmt.Sprintf("%d sockets; %d connect and %d disconnect handlers ran", s.sockets, s.status.Connects, s.status.Disconnects)
		default:
			wrong = ""
		}
		if wrong == "" || r.elapsed() > deadline {
			break
		}
		if err := r.wait(time.Second, func() bool { return false }); err != nil {
			return err
		}
	}
	if wrong != "" {
		r.faultNow(faultMemory, "with no clients left the server has %s", wrong)
	}
	var x workload.SoakIndex
	if err := r.ask("index", &x); err != nil {
		return err
	}
	for ns, rooms := range x {
		for room, sids := range rooms {
			if len(sids) > 0 {
				r.faultNow(faultIndex, "with no clients left the server has %d in room %q of %s", len(sids), room, ns)
			}
		}
	}
	r.compareStats(x, r.final)
	if st := r.final.status.Stats; st.QueuedBytes != 0 {
		r.faultNow(faultMemory, "with no clients left %d bytes wait to be sent", st.QueuedBytes)
	}
	for _, text := range r.final.status.First {
		r.fault(faultf(faultServer, "%s", text))
	}
	if more := r.final.status.Faults - len(r.final.status.First); more > 0 {
		r.found[faultServer] += more
	}
	return r.checkGrowth()
}

// checkGrowth checks that memory did not climb after the warm-up: what lives on
// the heap, in which every leak is, and all that the process has, whose gaps take
// longer to settle.
func (r *run) checkGrowth() error {
	steady := steadyPart(r.samples)
	if len(steady) < fewestSamples {
		return nil
	}
	for _, of := range []struct {
		what     string
		value    func(sample) int64
		share    float64
		at_least float64
	}{
		{"what lives on the heap after a collection", func(s sample) int64 { return s.live }, 0.05, 4 << 20},
		{"resident memory after a collection", func(s sample) int64 { return s.collected }, 0.10, 16 << 20},
	} {
		t := trendOf(steady, of.value)
		if t.rise > max(of.share*t.mean, of.at_least) {
			r.faultNow(faultMemory, "%s climbed by %.1f MiB in %v, from a mean of %.1f MiB", of.what, t.rise/(1<<20), t.span, t.mean/(1<<20))
		}
	}
	return nil
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
