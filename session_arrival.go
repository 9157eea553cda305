package socketio

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/seed-d124fa34/socketio/internal/census"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/handlers"
	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/internal/session"
	"github.com/seed-d124fa34/socketio/internal/sessionid"
	"github.com/seed-d124fa34/socketio/internal/standby"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// How sessions come from another server: with the events that their clients had missed when they left it,
// and with the messages of all servers since. After that they are like any session whose client is away.

var (
	errElsewhere = errors.New("socketio: the client was connected to another server")
	errMoveLost  = errors.New("socketio: too much was emitted while the session came from another server, or the broker was away")
)

// Take makes sessions of another server this server's, see migration.Host.
func (h moveHost) Take(sessions []*migration.Session, from string, c *cluster.Capture) migration.Arrivals {
	g := &arrivals{srv: h.srv, capture: c}
	var events packets.Moved
	for _, m := range sessions {
		a, err := h.srv.adopt(m, from, &events)
		if err != nil {
			if m.Restored != nil && h.srv.closing.Load() {
				g.again = append(g.again, recovery.Key(m.Key))
				continue
			}
			h.srv.log.Warn("socketio: a session could not be moved to this server from another one: its client gets a new session", "error", err)
			continue
		}
		g.all = append(g.all, a)
	}
	if c.Replay(g, g.enter) != nil {
		g.fail()
	}
	return g
}

// arrivals are sessions that have come from another server. First they are in no room. After enter has
// put them into their rooms, they get all events that are emitted from then on. Events that this server
// had published before that are inserted in front of these when they come back from the broker.
type arrivals struct {
	srv     *Server
	capture *cluster.Capture
	all     []*newcomer
	entered bool           // see enter
	marks   int            // how often Settle has been called
	moved   bool           // rooms were joined or left since enter, in Settle
	again   []recovery.Key // see End
}

var (
	_ cluster.Listener   = (*arrivals)(nil)
	_ migration.Arrivals = (*arrivals)(nil)
)

// belated stands for the room of an event that this server emitted before enter, and got back from the
// broker after that.
var belated = new(place)

// newcomer is one session of arrivals.
type newcomer struct {
	s *Socket
	// Newcomer has the events that came with the session and those that were emitted since, because some of them
	// come through the broker, too, and the rooms that were joined or left since enter.
	migration.Newcomer
	// owner is the owner of the record, if the session's server was killed, see broker.RecordStore.
	owner string
	kept  int  // how many events the log had in enter, or in the last call of Settle
	own   bool // this server has emitted an event to it since enter
}

var errNoSession = errors.New("the message is not complete")

// adopt makes a socket of a session. It can be found by its key only.
func (srv *Server) adopt(m *migration.Session, from string, events *packets.Moved) (*newcomer, error) {
	ns, err := handlers.Namespace(m.Namespace)
	if err != nil || !sessionid.Is(m.SID) || len(m.Key) != len(recovery.Key{}) || len(m.Rooms) > srv.opts.Limits.MaxRooms {
		return nil, errors.Join(errNoSession, err)
	}
	cl := &client{
		srv: srv, conn: srv.engine.Ended(Reason(m.Reason), errElsewhere), session: session.Decode(m.Values),
		recoverable: true, slot: srv.workers.NextSlot(), gone: true,
	}
	cl.details.client = cl
	st := &seat{client: cl, ns: ns}
	st.box = &st.own
	s := newSocket(st)
	s.sid = m.SID
	s.membership.Init(s, s.name, s.sid)
	s.announced, s.accepted = true, true
	s.state.Store(stateAway)
	st.away, cl.seats = s, []*seat{st}
	r := s.recovery
	r.lost = &DisconnectError{Reason(m.Reason), errElsewhere}
	r.came = true
	srv.workers.Begin()                       // until Socket.finish
	known, _ := m.Restored.(standby.Restored) // zero unless its server was killed
	r.order = known.Order
	own, _ := recovery.ParseOffset(m.Own)
	a := &newcomer{s: s, owner: known.Owner, Newcomer: migration.NewNewcomer(own)}
	if !srv.recovery.Adopt(&r.session, s, recovery.Key(m.Key)) {
		srv.workers.End()
		return nil, errors.New("this server has it already, or shuts down")
	}
	s.mu.Lock()
	for _, room := range m.Rooms {
		if checkRoomName(room) == nil {
			srv.index.Join(&s.membership, room)
		}
	}
	s.mu.Unlock()
	storeMax(&srv.ackIDs, m.Asks)
	s.resumeQuestions(m.Questions, from)
	s.sending.Lock()
	defer s.sending.Unlock()
	start, _ := recovery.ParseOffset(m.Start)
	r.session.Log.Restart(start, m.Confirmed)
	for _, p := range m.Packets {
		kept, ok := events.Event(p)
		if !ok || !r.session.Log.Keep(kept) {
			r.overflowed = true // canResume says so
			continue
		}
		a.Add(kept.Offset)
	}
	return a, nil
}

// resumeQuestions makes the answers of the client go to the server that waits for them.
func (s *Socket) resumeQuestions(questions []migration.Question, from string) {
	srv := s.srv()
	for _, q := range questions {
		t := &remoteTarget{
			question: srv.cluster.Resume(from, s.name, q.Answer, q.Left), id: q.Ask,
		}
		t.waiting.Add(s)
		if err := s.expect(q.Ask, t); err != nil {
			t.failed(s, err)
			continue
		}
		t.arm()
	}
}

// storeMax raises a counter to n, if it is lower.
func storeMax(counter *atomic.Uint64, n uint64) {
	for last := counter.Load(); last < n && !counter.CompareAndSwap(last, n); last = counter.Load() {
	}
}

// enter puts the sockets into their rooms. From now on they get every event that is emitted to them.
func (g *arrivals) enter() {
	g.entered, g.moved = true, false
	arrival := g.srv.arrived.Load() + 1
	for _, a := range g.all {
		s := a.s
		s.sending.Lock()
		a.addKept()
		a.kept, a.own = s.recovery.session.Log.Len(), false
		s.sending.Unlock()
		s.mu.Lock()
		s.recovery.arrival, s.recovery.changed = arrival, make(map[string]bool)
		if s.reason == "" {
			g.srv.index.Add(&s.membership)
			g.srv.index.SetAway(&s.membership, true)
			g.srv.index.Enter(&s.membership)
		}
		s.mu.Unlock()
		if a.Ends {
			s.Disconnect()
		}
	}
	g.srv.arrived.Store(arrival) // enter runs once at a time
}

// Settle makes the sessions wait for their clients. The goroutine that receives calls it.
//
// If the messages that came now joined or left rooms, events that this server has emitted to these rooms since
// enter may have missed the sockets. So Settle asks for another call, after everything that this server has
// emitted before now has come back.
func (g *arrivals) Settle() (again bool) {
	for _, a := range g.all {
		a.beginSettling()
	}
	if g.capture.ReplayOwn(g) != nil {
		return false // End is called
	}
	for _, a := range g.all {
		a.insertBelated()
	}
	if g.marks++; g.moved && g.marks == 1 {
		for _, a := range g.all {
			a.s.mu.Lock()
			a.s.recovery.changed = make(map[string]bool)
			a.s.mu.Unlock()
		}
		return true
	}
	for _, a := range g.all {
		a.settle()
	}
	g.srv.stats.recovery.movedIn.Add(uint64(len(g.all)))
	g.all = nil
	return false
}

// beginSettling notes the events that have reached a socket since enter.
func (a *newcomer) beginSettling() {
	s, r := a.s, a.s.recovery
	s.mu.Lock()
	a.Changed(r.changed)
	r.changed = nil
	s.mu.Unlock()
	s.sending.Lock()
	defer s.sending.Unlock()
	a.addKept()
}

// addKept notes all events in the log. s.sending is locked.
func (a *newcomer) addKept() {
	prefix := a.s.srv().recovery.Offsets().Prefix()
	for p := range a.s.recovery.session.Log.All() {
		a.own = a.own || !a.Keeps(p.Offset) && strings.HasPrefix(p.Offset.String(), prefix)
		a.Add(p.Offset)
	}
}

// insertBelated inserts the belated events into the log, in front of those that the socket got at once.
func (a *newcomer) insertBelated() {
	s, r := a.s, a.s.recovery
	s.sending.Lock()
	defer s.sending.Unlock()
	belated := r.belated.Take()
	if len(belated) > 0 { // emitToArrived may have brought some of them meanwhile
		a.addKept()
		belated = slices.DeleteFunc(belated, func(p *packets.KeptPacket) bool { return a.Keeps(p.Offset) })
	}
	if !r.session.Log.Insert(a.kept, belated...) {
		r.overflowed = true // canResume says so
	}
	a.kept = r.session.Log.Len()
}

// settle is Settle for one session, at the end.
func (a *newcomer) settle() {
	s, r := a.s, a.s.recovery
	if a.Ends {
		s.Disconnect()
	}
	s.srv().sequence.Lock()
	s.mu.Lock()
	if s.reason == "" {
		s.surviveLocked(a.owner)
	}
	s.mu.Unlock()
	s.srv().sequence.Unlock()
	if !r.session.Arrive() {
		s.end(ExpiredShutdown, "", nil)
	}
}

// End ends the sessions, unless Settle has been called, because events for them may be lost. It returns those that
// can be restored once more.
func (g *arrivals) End() (again []recovery.Key) {
	g.capture.End() // waits for Settle
	g.fail()
	return g.again
}

func (g *arrivals) fail() {
	for _, a := range g.all {
		if a.giveBack() {
			g.again = append(g.again, a.s.recovery.session.Key())
		} else {
			a.s.end(ExpiredMove, "", errMoveLost)
		}
	}
	g.all = nil
}

// giveBack takes a session that was restored out of this server. It reports false if the session cannot be restored once
// more.
func (a *newcomer) giveBack() bool {
	return a.owner != "" && !a.Ends && a.s.sendOff(&departure{stored: true, unless: a.isTouched, give: func(*migration.Session) {}})
}

// isTouched reports whether this server has done something since enter that may be neither in the record of the session nor in the
// history. s.mu and s.sending are locked.
func (a *newcomer) isTouched() bool {
	a.addKept()
	a.Changed(a.s.recovery.changed)
	return a.own || a.HasChanged()
}

// Interested reports whether an event is for one of them.
func (g *arrivals) Interested(e *wire.Event) bool {
	for _, a := range g.all {
		if a.isIn(e) {
			return true
		}
	}
	return false
}

// isIn reports whether an event is for the client.
func (a *newcomer) isIn(e *wire.Event) bool {
	if e.Namespace != a.s.name || a.Ends {
		return false
	}
	return e.Everyone || a.s.inOneOf(e.Rooms, true)
}

// Event delivers an event.
func (g *arrivals) Event(in *wire.Event, q *cluster.Question) error {
	offset := packets.WireOffset(in)
	var via *place
	if g.entered {
		via = belated
	}
	return g.srv.deliverFrom(in, q, func(e *emitOptions, visit func(*Socket, *place) error) {
		for _, a := range g.all {
			if !a.Had(offset) && a.isIn(in) && !e.leavesOut(a.s, a.s) {
				_ = visit(a.s, via)
			}
		}
	})
}

// Command carries out a command.
func (g *arrivals) Command(c wire.Command) error {
	for _, a := range g.all {
		switch {
		case a.Outdated(c.Room):
		case c.Namespace != a.s.name || c.Do != wire.CloseRoom && c.SID != a.s.sid:
		case c.Do == wire.Join:
			g.moved = true
			_ = a.s.join(c.Room) // a room that cannot be joined is not joined
		case c.Do == wire.Disconnect:
			a.Ends = true
		default:
			g.moved = true
			a.s.leaveRoom(c.Room)
		}
	}
	return nil
}

// Order carries out an order to all servers.
func (g *arrivals) Order(content []byte) {
	var q census.Question
	if json.Unmarshal(content, &q) != nil || q.Do != census.Move && q.Do != census.Disconnect || q.NeedsRoom() {
		return
	}
	for _, a := range g.all {
		switch {
		case !a.isIn(&wire.Event{Namespace: q.Namespace, Everyone: q.Everyone, Rooms: []string{q.Room}}):
		case q.Do == census.Disconnect:
			a.Ends = true
		case a.Outdated(q.Room, q.NewRoom):
		default:
			g.moved = true
			if a.s.join(q.NewRoom) == nil && !q.Everyone && q.Room != q.NewRoom {
				a.s.leaveRoom(q.Room)
			}
		}
	}
}

// emitToArrived sends an event to sockets that have come from other servers since Server.emit looked for its
// recipients, unless they have it from the broker.
func (srv *Server) emitToArrived(e *emitOptions, self *Socket, p packet) {
	srv.each(e, false, self, func(s *Socket, via *place) error {
		if s.recovery == nil || s.recovery.arrival <= e.arrived {
			return nil
		}
		_, err := s.deliverKept(p, false, via, true)
		if srv.sequence == nil { // otherwise the next event does so
			s.closeIfFull(err)
		}
		return err
	})
}
