package socketio

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/census"
	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/internal/session"
	"github.com/seed-d124fa34/socketio/internal/standby"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/internal/wire/flask"
	"github.com/seed-d124fa34/socketio/parser"
)

// How sessions go on whose server was killed: it has written them down (socketSource), and another
// server makes them of that and of the broker's history (restore). Then they are like any others
// that come from another server, see arrive.go.

// survival is what a server has for that: its broker keeps a history and records.
type survival struct {
	srv     *Server
	history broker.History
	store   broker.RecordStore
	writer  *standby.Writer
}

// restored is migration.Session.Restored.
type restored struct {
	owner string // of its record
	order *standby.Order
}

// startSurvival has sessions written down, if the broker can do that.
func (srv *Server) startSurvival() {
	history, keeps := srv.opts.Cluster.Broker.(broker.History)
	store, stores := srv.opts.Cluster.Broker.(broker.RecordStore)
	if srv.recovery == nil || !keeps || !stores {
		return
	}
	srv.sequence = standby.NewSequence(srv.recovery.Offsets())
	srv.packets.Ordered = true
	srv.survival = &survival{
		srv: srv, history: history, store: store,
		writer: standby.NewWriter(store, srv.opts.Recovery.Window, srv.log),
	}
}

func recordKey(key recovery.Key) string { return hex.EncodeToString(key[:]) }

// surviveLocked has the session written down from now on. The sequence and s.mu are locked.
func (s *Socket) surviveLocked(owner string) {
	srv, r := s.srv(), s.recovery
	if srv.survival == nil || r.entry != nil {
		return
	}
	r.base, r.joins = srv.sequence.Now(), nil
	r.entry = srv.survival.writer.Add(recordKey(r.session.Key()), owner, socketSource{s})
}

// maxJoins is how many joins and leaves of a session are remembered until its client has confirmed
// what was emitted before. If there are more, the session is not written down any more.
const maxJoins = 1024

// joinedLocked notes a join or a leave. The sequence and s.mu are locked.
func (s *Socket) joinedLocked(room string, left bool) {
	r, w := s.recovery, s.srv().survival
	if w == nil || r == nil || r.entry == nil {
		return
	}
	if len(r.joins) >= maxJoins {
		w.writer.Remove(r.entry)
		return
	}
	r.joins = append(r.joins, standby.Change{Place: s.srv().sequence.Now().Place, Room: room, Left: left})
	w.writer.Changed(r.entry)
}

// endSurvivalLocked ends the writing, at the end of the session here, and deletes what is written unless
// another server has written the session since. s.mu is locked.
func (s *Socket) endSurvivalLocked() {
	if w := s.srv().survival; w != nil && s.recovery.entry != nil {
		w.writer.Remove(s.recovery.entry)
	}
}

// socketSource is a socket as it is written down.
type socketSource struct{ s *Socket }

var _ standby.Source = socketSource{}

func (src socketSource) Version() uint64 { return src.s.recovery.values.Version() }

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

// snapshot returns the present state, nil if it cannot go on elsewhere. The sequence is locked.
func (s *Socket) snapshot() *standby.Snapshot {
	srv, r := s.srv(), s.recovery
	if !srv.sequence.Started() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending.Lock()
	defer s.sending.Unlock()
	if state := s.state.Load(); s.reason != "" || r.overflowed || state != stateJoined && state != stateAway {
		return nil
	}
	key := r.session.Key()
	m := &migration.Session{
		Key: key[:], SID: s.sid, Namespace: s.name, Rooms: s.membership.Rooms(), Reason: string(ReasonTransportClose),
	}
	start, confirmed := r.session.Log.Start()
	m.Start, m.Confirmed = start.String(), confirmed
	var oldest uint64 // that is in the sequence since base
	for p := range r.session.Log.All() {
		switch {
		case p.Payload.Step <= r.base.Step():
			m.Packets = append(m.Packets, packets.ToMove(p))
		case oldest == 0:
			oldest = p.Payload.Step
		}
	}
	if oldest == 0 {
		r.base = srv.sequence.Now()
	} else if mark, ok := srv.sequence.Before(oldest); ok && mark.Step() > r.base.Step() {
		r.base = mark
	}
	r.joins = slices.DeleteFunc(r.joins, func(c standby.Change) bool { return c.Compare(r.base.Place) <= 0 })
	return &standby.Snapshot{
		Host: srv.host, Prefix: srv.recovery.Offsets().Prefix(), Base: r.base, Now: srv.sequence.Now().Place,
		Changes: slices.Clone(r.joins), Asks: srv.ackIDs.Load(), Session: m,
	}
}

// Taken ends the session here: another server has it.
func (src socketSource) Taken() {
	s := src.s
	if _, claim, ok := s.srv().recovery.ClaimKey(s.recovery.session.Key()); ok {
		s.sendOff(&departure{claim: claim, give: func(*migration.Session) {}})
	}
}

// step is what is left to be done at the end of an event that is a step in the order of the server.
type step struct {
	head    parser.Header
	reached []*Socket // of whom hooks are to hear
	full    []*Socket // whose connections are to be closed
	ending  []*Socket // whose sessions are to end
}

// begin makes the event a step in the order of the server, until end, if sessions are written down: it
// is sent to all clients here and handed to the outbox before the next one. No code of the
// application runs meanwhile.
func (f *fanout) begin(h parser.Header) {
	q := f.srv.sequence
	if q == nil || f.volatile || f.packet.Forms == nil {
		return
	}
	q.Lock()
	f.step = &step{head: h}
	f.packet.WithOffset(q.Next()).WithStep(q.Now().Step())
}

// beginReceived is begin for an event of another server.
func (f *fanout) beginReceived() {
	q := f.srv.sequence
	if q == nil {
		return
	}
	q.Lock()
	f.step = new(step)
	q.Count()
	f.packet.WithStep(q.Now().Step())
}

// release unlocks what a panic has left locked.
func (f *fanout) release() {
	if f.step != nil {
		f.srv.sequence.Unlock()
	}
}

// endStep ends begin, and does what can run code of the application.
func (f *fanout) endStep() {
	st := f.step
	f.step = nil
	f.srv.sequence.Unlock()
	for _, s := range st.reached {
		f.hooks.reached(s, f.shown)
	}
	for _, s := range st.full {
		s.closeIfFull(ErrSendQueueFull)
	}
	for _, s := range st.ending {
		s.end(ExpiredSessionLimit, "", errSessionLimit)
	}
}

// record publishes the event for the history, if clients here may need it, and the other servers do
// not get it as it is.
func (f *fanout) record(out *wire.Event, event string, data any) {
	if f.step == nil || !f.packet.IsKept() {
		return
	}
	out.ID = f.packet.Offset().Append(nil)
	if f.step.head.HasID {
		out.Ask = &wire.Ask{ID: f.step.head.ID}
	}
	if f.srv.packets.ToWire(out, &f.packet, event, argsOf(data)) == nil {
		_ = f.srv.cluster.Record(out) // lost with the broker, as any message
	}
}

// recorded returns whom an event is for.
func (e *emitOptions) recorded(direct bool, self *Socket) *wire.Event {
	out := &wire.Event{Namespace: e.ns, Everyone: !e.targeted && !direct, Rooms: e.rooms, Skip: e.skip, Except: e.except, NoCompress: e.noCompress}
	switch {
	case direct:
		out.Rooms = []string{self.sid}
	case e.skipSelf && self != nil:
		out.Skip = append(slices.Clip(e.skip), self.sid)
	}
	return out
}

// askMargin is how many acknowledgements a server may have asked for since it wrote a session down.
const askMargin = 1 << 24

// CanRestore is of migration.Restorer, as the next two methods.
func (h moveHost) CanRestore() bool { return h.srv.survival != nil }

// Claim takes what the server of a session has written down of it. What it returns is a *standby.Rebuild.
func (h moveHost) Claim(ctx context.Context, key recovery.Key) migration.Claim {
	form, owner, err := h.srv.survival.store.TakeRecord(ctx, recordKey(key), 2*h.srv.opts.Recovery.Window)
	if err != nil || form == nil {
		return nil // it is nowhere, or another server was faster
	}
	snap, err := standby.Decode(form)
	if err == nil && recovery.Key(snap.Session.Key) != key {
		err = errWrongKey
	}
	if err != nil {
		h.lost(ctx, err)
		return nil
	}
	raiseTo(&h.srv.ackIDs, snap.Asks+askMargin)
	return standby.NewRebuild(snap, owner)
}

var errWrongKey = errors.New("the record of a session has another key")

// lost logs that a session is lost.
func (h moveHost) lost(ctx context.Context, err error) {
	h.srv.notices.Warn(ctx, "restored session", "socketio: a session could not be restored after its server was killed: its client gets a new session", "error", err)
}

// encodeMissed returns an event of the history as a client gets it. Nobody waits for an acknowledgement
// any more.
func (srv *Server) encodeMissed(e *wire.Event, asks bool) (m migration.Packet, err error) {
	head := parser.Header{Type: parser.Event, Namespace: e.Namespace}
	if asks {
		head.ID, head.HasID = srv.ackIDs.Add(1), true
	}
	out, _, err := srv.packets.FromWire(head, e)
	if err != nil {
		return m, err
	}
	m = packets.ToMove(out.Fixed().Kept)
	m.Ask = 0
	return m, nil
}

// Restore makes sessions of what Claim has taken and of the history.
func (h moveHost) Restore(ctx context.Context, claims []migration.Claim) (sessions []*migration.Session, at broker.Position, later []migration.Claim) {
	all := make([]*standby.Rebuild, len(claims))
	for i, c := range claims {
		all[i] = c.(*standby.Rebuild)
	}
	at, postponed := h.srv.survival.reading().Read(ctx, all)
	again := make(map[*standby.Rebuild]bool)
	for _, r := range postponed {
		again[r] = true
		later = append(later, r)
	}
	for _, r := range all {
		if again[r] {
			continue
		}
		s, order, err := r.Finish()
		if err != nil {
			h.lost(ctx, err)
			continue
		}
		s.Restored = restored{r.Owner, order}
		sessions = append(sessions, s)
	}
	return sessions, at, later
}

// restoreMemory is how many bytes sessions that are restored together may have missed.
const restoreMemory = 64 << 20

// reading is how the broker's history is read.
func (w *survival) reading() standby.History {
	channel := w.srv.opts.Cluster.Channel
	members, journal := fleetChannel(channel), journalChannel(channel)
	return standby.History{
		After: func(ctx context.Context, at broker.Position, to broker.Subscriber) error {
			return w.history.SubscribeAfter(ctx, at, []string{channel, members, journal}, to)
		},
		Any:     flask.New("", channel),
		Host:    func(server string) wire.Wire { return flask.New(server, channel) },
		Members: members, Journal: journal, Encode: w.srv.encodeMissed, Moves: movesSockets,
		Limit: w.srv.opts.Recovery.SessionLimit, Memory: restoreMemory,
	}
}

// resumeUnpublished is Log.Resume for the offset of an event that a server has not published before it was
// killed. Socket.sending is locked.
func (r *recoverable) resumeUnpublished(offset recovery.Offset) bool {
	if r.order == nil || !r.session.Log.Resume(r.order.Known(offset)) {
		return false
	}
	r.session.Log.Restart(offset, true)
	return true
}

// movesSockets reports whether an order to all servers joins rooms, leaves them or disconnects sockets.
func movesSockets(order []byte) bool {
	var q census.Question
	return json.Unmarshal(order, &q) == nil && (q.Do == census.Move || q.Do == census.Disconnect)
}

// endSurvival writes what waits, because of Shutdown.
func (srv *Server) endSurvival(ctx context.Context) {
	if srv.survival != nil {
		srv.survival.writer.Close(ctx)
	}
}
