package standby

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// HistoryReader reads the broker's history for sessions whose server was killed.
type HistoryReader struct {
	// After has a subscriber receive what was published after a position, see broker.History.
	After func(ctx context.Context, at broker.Position, to broker.Subscriber) error
	// Any reads the messages of all servers, and Host returns what reads those for one server alone.
	Any  wire.Wire
	Host func(server string) wire.Wire
	// Members is the channel of what servers ask each other, and Journal that of events which only
	// clients of their server get.
	Members, Journal string
	// Encode returns an event as its clients get it.
	Encode func(e *wire.Event, asks bool) (migration.Packet, error)
	// Moves reports whether an order to all servers may join or leave rooms, or disconnect.
	Moves func(order []byte) bool
	// Limit bounds, in bytes, what one client may have missed, and Memory what all have missed that are
	// read at once. What several have missed counts once in Memory, and a little for each.
	Limit, Memory int
}

// entrySize is about what an event takes in memory for each session that it is for.
const entrySize = 256

// Read reads the history once for all sessions, from the oldest Snapshot.Base to the present, which is at.
// Some may have to be read again, alone or with others: later. All others can be finished. An error means that the
// history could not be read: none can be finished, and all can be read again.
//
// If the history does not reach back far enough for a session, it is read from a later Base: a gap for
// one is none for those whose Base is later.
func (h HistoryReader) Read(ctx context.Context, sessions []*Rebuild) (at broker.Position, later []*Rebuild, err error) {
	all := slices.Clone(sessions)
	slices.SortStableFunc(all, func(a, b *Rebuild) int { return strings.Compare(string(a.snap.Base.At), string(b.snap.Base.At)) })
	for len(all) > 0 {
		r := newReading(h, all)
		at, err := r.run(ctx)
		if err != nil {
			return "", nil, err
		}
		if r.startGap == nil {
			return at, append(later, r.postponed()...), nil
		}
		oldest := all[0].snap.Base.At
		n := slices.IndexFunc(all, func(s *Rebuild) bool { return s.snap.Base.At != oldest })
		if n < 0 {
			n = len(all)
		}
		for _, s := range slices.Concat(later, all[:n]) { // Base of later is not newer
			s.err = r.startGap
		}
		rest := all[n:]
		later, all = rest[:len(rest)/2], rest[len(rest)/2:]
	}
	return "", nil, nil
}

// reading is one reading of the history, for some sessions.
type reading struct {
	HistoryReader
	all        []*Rebuild // those with the oldest Base first
	begun      int        // how many have a Base before the message
	unfinished int        // how many need more messages
	size       int        // what they have missed, see HistoryReader.Memory
	hosts      map[string]wire.Wire
	startGap   error // the history does not reach back to the first Base
	lostBefore error // messages before the next one are missing

	// Of the message that is being read.
	position    broker.Position
	journal     bool
	host        string // its clients alone get it; empty: nothing is known of that
	event       *event // made when the first session needs it
	unencodable bool   // it cannot be made
}

func newReading(h HistoryReader, all []*Rebuild) *reading {
	r := &reading{HistoryReader: h, all: all, hosts: make(map[string]wire.Wire)}
	for _, s := range all {
		if s.reset(); s.err != nil {
			continue
		}
		r.unfinished++
		if host := s.snap.Host; r.hosts[host] == nil {
			r.hosts[host] = h.Host(host)
		}
	}
	return r
}

// run reads until the present. at is empty if it has stopped before, because there is nobody to go on for.
func (r *reading) run(ctx context.Context) (at broker.Position, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = r.After(ctx, r.all[0].snap.Base.At, broker.Subscriber{
		Handle: func(m broker.Message) {
			if at == "" && !r.message(m) {
				cancel()
			}
		},
		Ready: func(now broker.Position) {
			if at, r.position = now, now; r.lostBefore != nil {
				r.failBegun()
			}
			cancel()
		},
		Gap: func(err error) {
			switch {
			case at != "":
			case r.position == "":
				r.startGap = err
				cancel()
			default:
				r.lostBefore = err
			}
		},
	})
	if at != "" || r.startGap != nil || r.unfinished == 0 {
		return at, nil
	}
	return "", errors.Join(errNotRead, err)
}

// fail ends a session, if that has not happened.
func (r *reading) fail(s *Rebuild, err error) {
	if !s.needsMessages() {
		return
	}
	s.err = err
	r.forget(s)
}

// forget forgets what a session has missed.
func (r *reading) forget(s *Rebuild) {
	r.unfinished--
	for _, e := range s.events {
		r.size -= entrySize
		if e.holders--; e.holders == 0 {
			r.size -= e.size
		}
	}
	s.events = nil
}

// failBegun ends the sessions that have lost messages.
func (r *reading) failBegun() {
	r.advance()
	for _, s := range r.all[:r.begun] {
		r.fail(s, r.lostBefore)
	}
	r.lostBefore = nil
}

func (r *reading) advance() {
	for r.begun < len(r.all) && r.all[r.begun].snap.Base.At < r.position {
		r.begun++
	}
}

// message takes the next message. It reports false when it is of no use to go on.
func (r *reading) message(m broker.Message) (useful bool) {
	r.position, r.journal, r.event, r.unencodable = m.Position, m.Channel == r.Journal, nil, false
	if r.lostBefore != nil {
		r.failBegun()
	}
	r.advance()
	if !r.journal {
		for _, s := range r.all[:r.begun] {
			s.received++
		}
	}
	if m.Channel == r.Members {
		r.takeOrder(m.Data)
	} else if own, _ := r.Any.Read(m.Channel, m.Data, (*receiver)(r)); own { // what cannot be read reaches nobody
		for host, w := range r.hosts {
			r.host = host
			_, _ = w.Read(m.Channel, m.Data, (*receiver)(r))
		}
		r.host = ""
	}
	if r.size > r.Memory {
		r.postpone()
	}
	return r.startGap == nil && r.unfinished > 0
}

// takeOrder takes an order to all servers.
func (r *reading) takeOrder(data []byte) {
	_, order, ok := fleet.ReadOrder(data)
	if !ok || !r.Moves(order) {
		return
	}
	for _, s := range r.all[:r.begun] {
		if s.received > s.snap.Now.Received {
			r.fail(s, ErrUncertain)
		}
	}
}

// postpone leaves sessions to another reading, the last first, until what the others have missed is not
// too much. One of them stays.
func (r *reading) postpone() {
	keep := (r.unfinished + 1) / 2
	for i := len(r.all) - 1; i >= 0 && r.unfinished > 1 && (r.unfinished > keep || r.size > r.Memory); i-- {
		if s := r.all[i]; s.needsMessages() {
			r.forget(s)
			s.postponed = true
		}
	}
}

// postponed returns the sessions that postpone has left to another reading.
func (r *reading) postponed() (all []*Rebuild) {
	for _, s := range r.all {
		if s.postponed {
			all = append(all, s)
		}
	}
	return all
}

// eachCandidate calls f for the sessions that the message may be for, until f returns false.
func (r *reading) eachCandidate(f func(s *Rebuild) bool) {
	for _, s := range r.all[:r.begun] {
		if s.needsMessages() && (r.host == "" || r.host == s.snap.Host) && !f(s) {
			return
		}
	}
}

// receiver is a reading as wires see it.
type receiver reading

var _ wire.Receiver = (*receiver)(nil)

func (r *receiver) Interested(e *wire.Event) (yes bool) {
	(*reading)(r).eachCandidate(func(s *Rebuild) bool {
		yes = s.mayConcern(e)
		return !yes
	})
	return yes
}

func (r *receiver) Event(e *wire.Event, q *wire.Question) error {
	if e.Volatile {
		return nil
	}
	e.At = string(r.position)
	(*reading)(r).eachCandidate(func(s *Rebuild) bool {
		if s.mayConcern(e) {
			(*reading)(r).keepEvent(s, e, q != nil)
		}
		return true
	})
	return nil
}

// keepEvent keeps an event for a session.
func (r *reading) keepEvent(s *Rebuild, e *wire.Event, asks bool) {
	place, ok := s.place(e, r.journal)
	if !ok || !r.encodeOnce(e, asks) {
		return
	}
	if s.size += r.event.size; s.size > r.Limit {
		r.fail(s, errTooLarge)
		return
	}
	s.events = append(s.events, placedEvent{place, r.event})
	r.size += entrySize
	if r.event.holders++; r.event.holders == 1 {
		r.size += r.event.size
	}
}

// encodeOnce makes the event of the message, once for all sessions. It reports false if that cannot be done.
func (r *reading) encodeOnce(e *wire.Event, asks bool) (ok bool) {
	if r.event != nil || r.unencodable {
		return !r.unencodable
	}
	packet, err := r.Encode(e, asks)
	if r.unencodable = err != nil; r.unencodable {
		return false // it has reached nobody
	}
	size := len(packet.Text)
	for _, b := range packet.Binary {
		size += len(b)
	}
	r.event = &event{
		everyone: e.Everyone, rooms: slices.Clone(e.Rooms), skip: slices.Clone(e.Skip), except: slices.Clone(e.Except), packet: packet, size: size,
	}
	return true
}

func (r *receiver) Command(c wire.Command) error {
	(*reading)(r).eachCandidate(func(s *Rebuild) bool {
		if err := s.command(c); err != nil {
			(*reading)(r).fail(s, err)
		}
		return true
	})
	return nil
}

func (r *receiver) Answer(*wire.Answer) error { return nil }
func (r *receiver) Cancel(string, string)     {}
