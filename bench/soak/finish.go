package soak

import (
	"fmt"
	"time"

	"github.com/seed-d124fa34/socketio/bench/workload"
)

// finish stops all traffic, checks that everything has arrived, makes all clients leave, and
// checks that nothing of them is left on the server.
func (r *run) finish() error {
	r.frozen, r.quiet, r.over = true, true, true
	if err := r.awaitAnswers(); err != nil {
		return err
	}
	var x workload.SoakIndex
	if err := r.ask("index", &x); err != nil {
		return err
	}
	r.compareIndex(x)
	r.frozen = false
	if err := r.emptyServer(); err != nil {
		return err
	}
	return r.checkEmpty()
}

// awaitAnswers waits until the server has acknowledged every event, and a last check of every socket.
func (r *run) awaitAnswers() error {
	if err := r.wait(patience, r.idle); err != nil {
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
	if err := r.wait(patience, r.idle); err != nil {
		return err
	}
	if !r.idle() {
		r.faultNow(faultUnanswered, "at the end events have not been acknowledged after %v", patience)
	}
	return nil
}

// idle reports whether the clients wait for nothing.
func (r *run) idle() bool {
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

// emptyServer makes all clients leave, and waits until the server has reported the end of every socket.
func (r *run) emptyServer() error {
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
	if err := r.wait(patience, func() bool { return r.linked() == 0 }); err != nil {
		return err
	}
	if n := r.linked(); n > 0 {
		r.faultNow(faultUnanswered, "%d clients could not leave", n)
	}
	limit := 2*r.cfg.Silence + r.cfg.Window + r.cfg.Settle + 2*serverSlack
	return r.wait(limit, func() bool { return len(r.limbo) == 0 && len(r.nameless) == 0 })
}

// checkEmpty checks that the server is as it was before the first client came.
func (r *run) checkEmpty() error {
	if err := r.checkReleased(); err != nil {
		return err
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
	r.checkGrowth()
	return nil
}

// checkReleased checks that the server's process has given up all that its clients took, once it has had time
// to.
func (r *run) checkReleased() error {
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
	return nil
}

// checkGrowth checks that memory did not climb after the warm-up: what lives on
// the heap, in which every leak is, and all that the process has, whose gaps take
// longer to settle.
func (r *run) checkGrowth() {
	steady := steadyPart(r.samples)
	if len(steady) < fewestSamples {
		return
	}
	for _, of := range []struct {
		what    string
		value   func(sample) int64
		share   float64
		atLeast float64
	}{
		{"what lives on the heap after a collection", func(s sample) int64 { return s.live }, 0.05, 4 << 20},
		{"resident memory after a collection", func(s sample) int64 { return s.collected }, 0.10, 16 << 20},
	} {
		t := trendOf(steady, of.value)
		if t.rise > max(of.share*t.mean, of.atLeast) {
			r.faultNow(faultMemory, "%s climbed by %.1f MiB in %v, from a mean of %.1f MiB", of.what, t.rise/(1<<20), t.span, t.mean/(1<<20))
		}
	}
}
