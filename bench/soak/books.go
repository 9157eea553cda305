package soak

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio/bench/workload"
)

// serverSlack is by how much the server's process may be late to report a socket that has ended.
const serverSlack = 20 * time.Second

// bury notes that a socket is gone for its client. The server must report its end, too.
func (r *run) bury(s *socket) {
	if s.sid == "" {
		key := nameless{workload.SoakAuth{Client: s.c.n, Life: s.c.life}, s.ns}
		r.nameless[key] = append(r.nameless[key], s)
		return
	}
	delete(r.sids, s.sid)
	r.limbo[s.sid] = s
}

// watch asks for the server's reports, and looks for what is overdue, every second.
func (r *run) watch() {
	r.After(time.Second, func() {
		if !r.waiting {
			r.waiting = true
			r.asker.questions <- question{"ended", r.reported}
		}
		r.nag()
		r.watch()
	})
}

// reported handles the server's reports of sockets that have ended.
func (r *run) reported(text string) error {
	r.waiting = false
	var all []workload.SoakEnded
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return err
	}
	for _, e := range all {
		r.ended++
		s := r.limbo[e.SID]
		if s == nil && r.sids[e.SID] != nil { // the client may learn of it later
			r.early = append(r.early, early{e, r.Clock()})
			continue
		}
		if s == nil {
			key := nameless{e.SoakAuth, e.NS}
			if of := r.nameless[key]; len(of) > 1 {
				s, r.nameless[key] = of[0], of[1:]
			} else if len(of) == 1 {
				s = of[0]
				delete(r.nameless, key)
			}
		}
		if s == nil {
			r.faultNow(faultBooks, "the server ended a socket that no client had: client %d.%d in %s (%s)", e.Client, e.Life, e.NS, e.Reason)
			continue
		}
		r.confirm(s, e)
	}
	r.retired = slices.DeleteFunc(r.retired, func(old retired) bool {
		if old.s.state != socketOut || r.limbo[old.s.sid] != nil {
			return false
		}
		old.v.silent()
		return true
	})
	return nil
}

// confirm handles the server's report of a socket whose client is gone.
func (r *run) confirm(s *socket, e workload.SoakEnded) {
	delete(r.limbo, e.SID)
	r.compare(s, e)
	for _, v := range s.voices() {
		v.silent()
	}
}

// compare compares what the client and the server know of a socket.
func (r *run) compare(s *socket, e workload.SoakEnded) {
	wrong := func(format string, args ...any) {
		args = append([]any{r.elapsed().Round(time.Millisecond), e.Client, e.Life, e.NS, s.goal}, args...)
		r.fault(faultf(faultBooks, "%v client %d.%d in %s (%v): "+format, args...))
	}
	if s.ns != e.NS || s.c.n != e.Client {
		wrong("the server has it in %s as client %d", e.NS, e.Client)
	}
	if s.unexpected {
		return
	}
	// If a client is cut off after its DISCONNECT, the server may notice either first.
	if !slices.Contains(reasons[s.goal], e.Reason) && !(s.parted && e.Reason == "client disconnect") {
		wrong("the disconnect handler was told %q", e.Reason)
	}
	if e.Handled < s.acked || e.Handled > s.seq {
		wrong("%d events were handled, %d acknowledged, %d sent", e.Handled, s.acked, s.seq)
	}
	if s.goal.orderly() && e.Handled != s.seq {
		wrong("%d events were handled, %d sent before it left in good order", e.Handled, s.seq)
	}
	if e.Answered > s.replies || s.goal.orderly() && s.goal != endKick && e.Answered != s.replies {
		wrong("%d answers arrived, %d were given", e.Answered, s.replies)
	}
}

// early is a report of a socket whose client does not know yet that it has ended.
type early struct {
	workload.SoakEnded
	at int64
}

// nag reports what is overdue as faults.
func (r *run) nag() {
	now := r.Clock()
	r.early = slices.DeleteFunc(r.early, func(e early) bool {
		if s := r.limbo[e.SID]; s != nil {
			r.confirm(s, e.SoakEnded)
			return true
		}
		s := r.sids[e.SID]
		if s == nil || now-e.at < patience.Nanoseconds() {
			return s == nil
		}
		s.unexpected = true
		s.fault(faultBooks, "the server ended this socket (%s) and its client has not been told", e.Reason)
		return true
	})
	for _, c := range r.clients {
		for _, s := range c.sockets {
			if len(s.pending) > 0 && !s.nagged && now-s.pending[0].at > patience.Nanoseconds() {
				s.nagged = true
				s.fault(faultUnanswered, "%s, number %d, has not been acknowledged for %v", s.pending[0].kind, s.pending[0].seq, patience)
			}
		}
	}
	late := func(s *socket) bool {
		return now-s.ended > (2*r.cfg.Silence + r.cfg.Window + r.cfg.Settle + serverSlack).Nanoseconds()
	}
	for sid, s := range r.limbo {
		if late(s) {
			delete(r.limbo, sid)
			if !s.unexpected {
				r.faultNow(faultBooks, "client %d in %s has been gone (%v) for %v and the server has not ended its socket", s.c.n, s.ns, s.goal, time.Duration(now-s.ended))
			}
		}
	}
	for key, of := range r.nameless { // the server may never have got their CONNECT
		if of = slices.DeleteFunc(of, late); len(of) == 0 {
			delete(r.nameless, key)
		} else {
			r.nameless[key] = of
		}
	}
	for id, v := range r.voices {
		if v.gone && v.ears == 0 {
			delete(r.voices, id)
		}
	}
	r.tellable = slices.DeleteFunc(r.tellable, func(s *socket) bool { return s.state == socketOut })
}
