package socketio

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/census"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/goargs"
	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/internal/session"
	"github.com/seed-d124fa34/socketio/internal/standby"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/internal/wire/flask"
	"github.com/seed-d124fa34/socketio/parser"
)

// Sessions move between servers (Options.Recovery with Options.Cluster.Broker): a client has come
// back to another server than its own, or its server shuts down. Package migration has the messages
// between the servers. The client waits until its session has come (client.fetch). The server that had the
// session takes the socket out of its rooms at once, so that all later events for it go through the broker,
// and hands the session over when its handlers have returned. session_arrival.go has the other side.
//
// With a broker that keeps a history and records, sessions go on after their server was killed. That server
// has written them down (socketSource), and another one makes them of the record and of the history
// (standby.Restorer).

// moveHost is a Server in the form of a migration.Host.
type moveHost struct {
	srv *Server
	*standby.Restorer
}

var _ migration.Host = moveHost{}

// errMoved is why a socket has left this server.
var errMoved = errors.New("socketio: the client has come back to another server")

// expiryMoved is recoverable.why of a session that goes on on another server. OnExpired is not called.
const expiryMoved Expiry = "moved"

// departure says where a session goes.
type departure struct {
	to     string
	claim  uint64      // of the other server, see recovery.Store
	stored bool        // its record stays: give writes it once more
	unless func() bool // reports that the session stays, with Socket.mu and sending locked; may be nil
	give   func(*migration.Session)
}

// Give takes a session from this server, see migration.Host.
func (h moveHost) Give(key recovery.Key, to string, give func(*migration.Session)) bool {
	s, claim, ok := h.srv.recovery.ClaimKey(key)
	return ok && s.sendOff(&departure{to: to, claim: claim, give: give})
}

// GiveWaiting takes a session whose client is away from this server, see migration.Host.
func (h moveHost) GiveWaiting(to string, give func(*migration.Session)) (key recovery.Key, size int64, ok bool) {
	for {
		s, claim, ok := h.srv.recovery.ClaimWaiting()
		if !ok {
			return key, 0, false
		}
		size := s.keptSize()
		if s.sendOff(&departure{to: to, claim: claim, give: give}) {
			return s.recovery.session.Key(), size, true
		}
	}
}

// Has reports whether this server has a session.
func (h moveHost) Has(key recovery.Key) bool { return h.srv.recovery.Has(key) }

// Waiting returns how many clients are away.
func (h moveHost) Waiting() int { return h.srv.recovery.Waiting() }

// Count counts bytes in Recovery.Budget.
func (h moveHost) Count(bytes int64) { h.srv.recovery.Count(bytes) }

// sendOff takes the socket out of everything, for another server. It reports false if the session has ended,
// or the client has come back to this server since the other one asked for it.
func (s *Socket) sendOff(d *departure) bool {
	for {
		s.takeOver(nil)
		if gone, joined := s.leaveFor(d); !joined {
			return gone
		}
		// The connect handler of an earlier connection has just accepted the client.
	}
}

// leaveFor is sendOff for a socket whose client is away. If its client is not, joined is set, and nothing happens.
func (s *Socket) leaveFor(d *departure) (gone, joined bool) {
	s.mu.Lock()
	r := s.recovery
	if state := s.state.Load(); s.reason != "" || !r.session.Current(d.claim) || state != stateAway {
		joined = s.reason == "" && r.session.Current(d.claim) && state == stateJoined
		s.mu.Unlock()
		return false, joined
	}
	s.sending.Lock()
	if d.unless != nil && d.unless() {
		s.sending.Unlock()
		s.mu.Unlock()
		return false, false
	}
	s.reason, s.cause, r.why, r.departure = r.lost.Reason, errMoved, expiryMoved, d
	back := r.back
	s.state.Store(stateLeaving)
	r.moved.Store(true)
	s.sending.Unlock()
	r.session.End()
	if d.stored {
		r.recorder.Hold()
	} else {
		r.recorder.Stop() // events from now on are not in the order of this server
	}
	index := s.srv().index
	index.Withdraw(&s.membership)
	index.Forget(&s.membership) // events for its session id go through the broker now
	s.mu.Unlock()
	if s.srv().debugs() {
		s.srv().log.Debug("socketio: a session goes to another server", "namespace", s.name, "sid", short(s.sid))
	}
	s.srv().queue(r.box, &Context{Socket: s, kind: kindExpired, event: "disconnect", args: goargs.Args{s.reason}, details: &contextDetails{}})
	if back != nil { // a connection to this server, which the client has lost since
		back.seat.vacate(s)
		back.seat.client.conn.Close(ReasonTransportClose, errTakenOver)
	}
	return true, false
}

// movedAway reports whether the session goes on on another server.
func (s *Socket) movedAway() bool { return s.recovery != nil && s.recovery.moved.Load() }

// awaitsMove reports whether the session is about to go to another server: its handlers on this one have
// not returned.
func (s *Socket) awaitsMove() bool { return s.movedAway() && s.state.Load() == stateLeaving }

// handOver hands the session over. Its handlers have returned.
func (s *Socket) handOver() {
	s.srv().mover.Emits.Wait()
	d := s.recovery.departure
	if !d.stored {
		s.srv().stats.recovery.movedOut.Add(1)
	}
	d.give(s.export(d.to))
}

// export returns the session in the form in which another server gets it.
func (s *Socket) export(to string) *migration.Session {
	r := s.recovery
	key := r.session.Key()
	values, missing := session.Encode(r.values)
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		s.srv().notices.Warn(context.Background(), "moved value", "socketio: a value of a session that goes to another server cannot be encoded in JSON, and is missing there: store what can, or look it up again when the client is back (Context.Recovered)",
			"key", printable(name), "error", missing[name])
	}
	m := &migration.Session{
		Key: key[:], SID: s.sid, Namespace: s.name, Values: values, Reason: string(s.reason), Asks: s.srv().ackIDs.Load(),
	}
	s.mu.Lock()
	m.Rooms = s.membership.Rooms()
	asked := make(map[uint64]ackTarget, len(s.acks))
	maps.Copy(asked, s.acks)
	s.mu.Unlock()
	m.Questions = s.relayAnswers(asked, to)
	s.sending.Lock()
	defer s.sending.Unlock()
	start, confirmed := r.session.Log.Start()
	m.Start, m.Confirmed, m.Own = start.String(), confirmed, r.session.Log.TrimmedOwn().String()
	for p := range r.session.Log.All() { // including answered ones: the client may send their offsets
		m.Packets = append(m.Packets, packets.ToMove(p))
	}
	return m
}

// relayAnswers makes the other server pass on the client's acknowledgements to this one, whose waits for them
// go on.
func (s *Socket) relayAnswers(asked map[uint64]ackTarget, to string) (questions []migration.Question) {
	for _, id := range slices.Sorted(maps.Keys(asked)) {
		q := migration.Question{Ask: id, Answer: s.srv().ackIDs.Add(1)}
		ask := &cluster.Ask{
			ID: q.Answer, Namespace: s.name, Asker: &relay{s, id}, Clients: map[string]string{s.sid: to},
			Failures: true,
		}
		if until := asked[id].deadline(); !until.IsZero() {
			q.Left = max(time.Until(until), time.Millisecond)
			ask.Timeout = q.Left
		}
		if err := s.srv().cluster.Expect(ask, to); err != nil {
			ask.Asker.Failed(s.sid, err)
			continue
		}
		questions = append(questions, q)
	}
	return questions
}

// relay passes on the answer of a client that has moved to another server before it answered.
type relay struct {
	s  *Socket
	id uint64
}

func (a *relay) Answered(_ string, args parser.Args) { a.s.answered(a.id, args) }

func (a *relay) Failed(_ string, err error) {
	if target := a.s.takeAck(a.id); target != nil {
		a.s.ackFailed(target, explainElsewhere(target, err))
	}
}

// startSurvival makes this server write sessions down, and restore those of servers that were killed, if the
// broker keeps a history and records.
func (srv *Server) startSurvival() {
	history, keeps := srv.opts.Cluster.Broker.(broker.History)
	store, stores := srv.opts.Cluster.Broker.(broker.RecordStore)
	if srv.recovery == nil || !keeps || !stores {
		return
	}
	window, channel := srv.opts.Recovery.Window, srv.opts.Cluster.Channel
	members, journal := fleetChannel(channel), journalChannel(channel)
	memory := restoreMemory
	if budget := srv.opts.Recovery.Budget; budget > 0 {
		memory = min(memory, budget)
	}
	srv.sequence = standby.NewSequence(srv.recovery.Offsets())
	srv.packets.Ordered = true
	srv.snapshots = standby.NewWriter(store, window, srv.recovery.Count, srv.log)
	srv.restorer = &standby.Restorer{
		Store: store, Taken: 2 * window,
		History: standby.HistoryReader{
			After: func(ctx context.Context, at broker.Position, to broker.Subscriber) error {
				return history.SubscribeAfter(ctx, at, []string{channel, members, journal}, to)
			},
			Any:     flask.New("", channel),
			Host:    func(server string) wire.Wire { return flask.New(server, channel) },
			Members: members, Journal: journal, Encode: srv.encodeMissed, Moves: census.MovesSockets,
			Limit: srv.opts.Recovery.SessionLimit, Memory: memory,
		},
		Claimed: func(snap *standby.Snapshot) { storeMax(&srv.ackIDs, snap.Asks+askMargin) },
		Lost: func(ctx context.Context, why error) {
			srv.notices.Warn(ctx, "restored session", "socketio: a session could not be restored after its server was killed: its client gets a new session", "error", why)
		},
	}
}

// restoreMemory bounds the events that sessions which are restored together have missed, in bytes.
const restoreMemory = 64 << 20

// endSurvival writes what waits, because of Shutdown.
func (srv *Server) endSurvival(ctx context.Context) {
	if srv.snapshots != nil {
		srv.snapshots.Close(ctx)
	}
}

// surviveLocked writes the session down from now on. The sequence and s.mu are locked.
func (s *Socket) surviveLocked(owner string) {
	if w := s.srv().snapshots; w != nil {
		s.recovery.recorder.Start(w, s.srv().sequence, s.recovery.session.Key(), owner, socketSource{s})
	}
}

// startMoving makes sessions move between this server and the others.
func (srv *Server) startMoving(c *cluster.Cluster, id string) {
	if srv.recovery != nil {
		srv.mover = migration.NewMover(moveHost{srv, srv.restorer}, c, id, int64(srv.opts.Recovery.Budget))
	}
}

// handOverSessions gives the sessions of clients that are away to the other servers, because of Shutdown.
func (srv *Server) handOverSessions(ctx context.Context) {
	if srv.mover == nil {
		return
	}
	srv.mover.HandOver(ctx)
	n := srv.mover.Close()
	srv.storeSessions()
	n += srv.recovery.Waiting()
	switch {
	case n == 0:
	case ctx.Err() != nil:
		srv.log.Warn("socketio: sessions of clients that are away end with this server: Close moves none to other servers, and Shutdown stops moving them when its context ends (Options.Recovery)", "sessions", n)
	default:
		srv.log.Warn("socketio: sessions of clients that are away end with this server: no other server has taken them (Options.Recovery)", "sessions", n)
	}
}

// storeSessions leaves the sessions of clients that are away in the broker's store, because of Shutdown. A server that is
// started later, or that this one did not know, goes on with them.
func (srv *Server) storeSessions() {
	if srv.snapshots == nil {
		return
	}
	for {
		s, claim, ok := srv.recovery.ClaimWaiting()
		if !ok {
			return
		}
		srv.sequence.Lock()
		snap := s.snapshot()
		srv.sequence.Unlock()
		if snap == nil {
			s.end(ExpiredShutdown, ReasonServerShutdown, nil)
			continue
		}
		s.sendOff(&departure{claim: claim, stored: true, give: func(m *migration.Session) {
			snap.Session.Values = m.Values // the handlers have returned
			form, _ := snap.Encode()       // otherwise what was written last stays
			s.recovery.recorder.Keep(form)
		}})
	}
}

// socketSource is a Socket in the form of a standby.Source.
type socketSource struct{ s *Socket }

var _ standby.Source = socketSource{}

// Version also changes when the history misses an event, which the snapshot must have then, and after an outage, in
// which another server may have taken the record.
func (src socketSource) Version() uint64 {
	c := src.s.srv().cluster
	return src.s.recovery.values.Version() + c.Dropped() + c.Outages()
}

func (src socketSource) Snapshot() []byte {
	s := src.s
	values, missing := session.Encode(s.recovery.values)
	for name, err := range missing {
		s.srv().notices.Warn(context.Background(), "stored value", "socketio: a value of a session cannot be encoded in JSON, and is missing if this server is killed: store what can, or look it up again when the client is back (Context.Recovered)",
			"key", printable(name), "error", err)
	}
	s.srv().sequence.Lock()
	snap := s.snapshot()
	s.srv().sequence.Unlock()
	if snap == nil {
		return nil
	}
	snap.Session.Values = values
	form, err := snap.Encode()
	if err != nil {
		s.srv().notices.Warn(context.Background(), "stored session", "socketio: a session cannot be written to the broker's store: its client gets a new session if this server is killed", "namespace", s.name, "sid", short(s.sid), "error", err)
		return nil
	}
	return form
}

// snapshot returns the present state, nil if another server cannot go on with it. The sequence is locked.
func (s *Socket) snapshot() *standby.Snapshot {
	srv, r := s.srv(), s.recovery
	if !srv.sequence.Started() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending.Lock()
	defer s.sending.Unlock()
	if state := s.state.Load(); s.reason != "" || r.overflowed || state != stateJoined && state != stateAway || !r.recorder.IsWritten() {
		return nil
	}
	key := r.session.Key()
	m := &migration.Session{
		Key: key[:], SID: s.sid, Namespace: s.name, Rooms: s.membership.Rooms(), Reason: string(ReasonTransportClose),
	}
	start, confirmed := r.session.Log.Start()
	m.Start, m.Confirmed = start.String(), confirmed
	r.recorder.Rebase(srv.cluster.Dropped())
	var oldest uint64 // the step of the oldest event that is not in the base
	for p := range r.session.Log.All() {
		switch {
		case r.recorder.IsInBase(p.Payload.Step):
			m.Packets = append(m.Packets, packets.ToMove(p))
		case oldest == 0:
			oldest = p.Payload.Step
		}
	}
	snap := &standby.Snapshot{Host: srv.host, Prefix: srv.recovery.Offsets().Prefix(), Asks: srv.ackIDs.Load(), Session: m}
	r.recorder.Complete(snap, oldest)
	return snap
}

// Taken ends the session on this server, because another one has it.
func (src socketSource) Taken() {
	s := src.s
	if claim, ok := s.recovery.session.Claim(); ok {
		s.sendOff(&departure{claim: claim, give: func(*migration.Session) {}})
	}
}

// askMargin is how many acknowledgements a server may have asked for after it wrote a session down.
const askMargin = 1 << 24
