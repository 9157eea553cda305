package socketio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/plural"
	"github.com/seed-d124fa34/socketio/internal/revision"
	"github.com/seed-d124fa34/socketio/internal/stall"
	"github.com/seed-d124fa34/socketio/parser"
)

// What a client sends comes in by this file: its packets, how fast they may come, and how
// many bytes of events may wait for their handlers.

// Message handles one message from the client.
func (cl *client) Message(data []byte, binary bool) (room <-chan struct{}) {
	cl.message(data, binary)
	return cl.backpressure()
}

func (cl *client) message(data []byte, binary bool) {
	if cl.broken {
		return
	}
	cl.partial += len(data)
	p, ok, err := cl.dec.Decode(data, binary)
	if err != nil {
		if limit, ok := errors.AsType[*parser.LimitError](err); ok {
			cl.srv.stats.hit(limitInParser + limit.Limit)
		}
		cl.fail(ReasonParseError, err)
		return
	}
	if !ok {
		if cl.parts == nil {
			cl.parts = stall.NewParts(cl.srv.opts.stall.Timeout, cl.backlog.Watched, cl.partsMissing)
		}
		cl.parts.Came()
		return
	}
	size := cl.partial
	if size > len(data) {
		cl.parts.Complete()
	}
	cl.partial = 0
	if p.Type == parser.Connect {
		cl.connect(p, size)
		return
	}
	s, asked := cl.socket(p.Namespace)
	switch {
	case !asked:
		cl.fail(ReasonParseError, fmt.Errorf("socketio: %v packet for namespace %.100q, which the client is not in", p.Type, p.Namespace))
	case s == nil: // it has left or was refused; the client may not know yet
		cl.countUseless()
	case p.Type == parser.Event:
		cl.event(s, p, size)
	case p.Type == parser.Ack:
		if !s.hearsFrom(cl) || !s.answered(p.ID, p.Args) {
			cl.unexpected()
		}
	case p.Type == parser.Disconnect:
		if cl.throttle() == flood {
			cl.fail(ReasonTransportError, cl.srv.errTooFast())
			return
		}
		s.leaveSeat(cl.seatOf(p.Namespace), ReasonClientDisconnect, nil, false, false)
	default:
		cl.fail(ReasonParseError, fmt.Errorf("socketio: %v packet, which clients do not send", p.Type))
	}
}

// event queues an event for its handler.
func (cl *client) event(s *Socket, p parser.Packet, size int) {
	if parser.Reserved(p.Event) {
		cl.fail(ReasonParseError, fmt.Errorf("socketio: event %.100q, a name reserved by the protocol", p.Event))
		return
	}
	cl.srv.stats.of(cl).in.Add(1)
	c := &Context{Socket: s, event: p.Event, args: p.Args, id: p.ID, hasID: p.HasID, details: &cl.details}
	switch cl.throttle() {
	case tooFast:
		c.kind = kindDropped
	case flood:
		cl.fail(ReasonTransportError, cl.srv.errTooFast())
		return
	}
	if cl.enqueue(c, footprint(p, size)) {
		cl.srv.queue(s.box(), c)
	}
}

// connect handles a CONNECT packet: it makes a socket and queues the call of the connect
// handler, which accepts or refuses it.
func (cl *client) connect(p parser.Packet, size int) {
	ns := p.Namespace
	if cl.srv.closing.Load() {
		// Do not refuse: clients reconnect by themselves only when they lose the
		// connection.
		cl.drain()
		return
	}
	switch cl.throttle() {
	case tooFast:
		cl.refuse(ns, errTooManyEvents)
		return
	case flood:
		cl.fail(ReasonTransportError, cl.srv.errTooFast())
		return
	}
	if len(ns) > maxName || !cl.srv.accepts(ns) {
		cl.logNoNamespace(ns)
		cl.countUseless()
		cl.refuse(ns, &Error{Message: revision.InvalidNamespace})
		return
	}
	st, old := cl.takeSeat(ns)
	if st == nil {
		cl.srv.stats.hit(limitNamespaces)
		cl.countUseless()
		cl.refuse(ns, &Error{Message: "Too many namespaces"})
		return
	}
	c := &Context{kind: kindConnect, event: "connect", args: p.Args, details: &cl.details}
	in := cl.arrival(p, c)
	if old != nil && ns == "/" && cl.revision().JoinsMain() { // some clients ask for it all the same
		cl.countUseless()
		return
	}
	if old != nil && !old.comesBackAs(in, st) {
		// The official client sends a second CONNECT after disconnect() and connect(), if
		// the first one has not been answered. It gets no answer to the first one any
		// more.
		old.leaveSeat(st, ReasonClientDisconnect, nil, false, false)
		old.depart() // another goroutine may be making it leave
	}
	if cl.enqueue(c, footprint(p, size)) {
		cl.enter(st, in)
	}
}

// fail closes the connection because of what the client did. Events that wait for a
// handler are dropped.
func (cl *client) fail(reason Reason, err error) {
	cl.broken = true
	if cl.srv.debugs() {
		cl.srv.log.Debug("socketio: closing connection", "connection", short(cl.conn.ID()), "reason", reason, "error", err)
	}
	cl.conn.Close(reason, err)
}

// enqueue counts an event of size bytes among those that wait for their handlers. It
// returns false if the event must be ignored.
func (cl *client) enqueue(c *Context, size int) bool {
	c.size = size + eventOverhead
	if n := cl.backlog.Add(int64(c.size)); !cl.willHandle(c, n) {
		cl.handled(c)
		return false
	}
	return true
}

// willHandle reports whether an event that brought the backlog to n is handled although the
// client may be draining. It is called on the read side.
func (cl *client) willHandle(c *Context, n int64) bool {
	for {
		left := cl.draining.Load()
		switch {
		case left == 0:
			return true
		case left <= drainNothing || n == int64(c.size) && cl.deferred.Load() == 0:
			return false
		case cl.draining.CompareAndSwap(left, left-1):
			return true
		}
	}
}

// handled counts the end of an event that enqueue has counted.
func (cl *client) handled(c *Context) {
	if cl.backlog.Done(int64(c.size)) == 0 && cl.draining.Load() != 0 && cl.idle() {
		cl.drained()
	}
}

// deferEnded counts the end of an acknowledgement that DeferAck has counted.
func (cl *client) deferEnded() {
	if cl.deferred.Add(-1) == 0 && cl.draining.Load() != 0 && cl.idle() {
		cl.drained()
	}
}

// idle reports whether no event waits or is handled, and no acknowledgement is deferred.
func (cl *client) idle() bool { return cl.backlog.Size() == 0 && cl.deferred.Load() == 0 }

// footprint returns how many bytes the arguments of a packet take that came in size
// bytes.
func footprint(p parser.Packet, size int) int {
	if a, ok := p.Args.(parser.Sized); ok {
		return max(size, a.Size()+len(p.Event))
	}
	return size
}

// verdict says what EventRate does with an event.
type verdict uint8

const (
	inTime  verdict = iota
	tooFast         // drop it
	flood           // close the connection
)

// throttle applies EventRate to one more event. It is called by the read side.
func (cl *client) throttle() verdict {
	o := &cl.srv.opts
	if o.Limits.EventRate == 0 {
		return inTime
	}
	now := time.Since(cl.srv.began)
	interval := time.Second / time.Duration(o.Limits.EventRate)
	burst := interval * time.Duration(o.Limits.EventBurst)
	if cl.events.Take(now, interval, burst) {
		return inTime
	}
	cl.srv.stats.hit(limitEventRate)
	if cl.dropped.Take(now, interval, burst) {
		return tooFast
	}
	return flood
}

// errTooManyEvents is the error that the client gets.
var errTooManyEvents = &Error{Message: "Too many events"}

// errTooFast returns the error that an error handler gets for a dropped event.
func (srv *Server) errTooFast() error {
	return fmt.Errorf("%w: %w", &LimitError{limitEventRate, srv.opts.Limits.EventRate}, errTooManyEvents)
}

// Useless packets are acknowledgements that are not expected, packets for a namespace
// that the client has left, and requests for one that does not exist. They cost the
// server as much as others, but no handler slows their client down. So the server allows
// Options.Limits.ControlRate of them a second, and uselessBurst times as many at once.
// When a client sends more, the server stops reading from it for uselessPause.
const (
	uselessBurst = 10
	uselessPause = time.Second
)

// countUseless counts a useless packet. It is called on the read side.
func (cl *client) countUseless() {
	interval := time.Second / time.Duration(cl.srv.opts.Limits.ControlRate)
	if cl.useless.Take(time.Since(cl.srv.began), interval, interval*time.Duration(cl.srv.opts.Limits.ControlRate)*uselessBurst) {
		return
	}
	cl.slow = true
}

// unexpected counts an acknowledgement that is not expected: as a useless packet and as
// an event.
func (cl *client) unexpected() {
	cl.countUseless()
	if cl.throttle() == flood {
		cl.fail(ReasonTransportError, cl.srv.errTooFast())
	}
}

// uselessPauseEnd returns the channel that the engine waits for after too many useless packets.
func (cl *client) uselessPauseEnd() <-chan struct{} {
	cl.slow = false
	cl.srv.stats.hit(limitControlRate)
	const kind = "useless packets"
	if ctx := context.Background(); cl.srv.notices.Enabled(ctx, kind) {
		cl.srv.notices.Warn(ctx, kind, "socketio: the server reads more slowly from a client because it sends more useless packets than "+
			"Options.Limits.ControlRate allows: acknowledgements that are not expected, packets for namespaces it is not in", "rate", cl.srv.opts.Limits.ControlRate,
			"connection", short(cl.conn.ID()))
	}
	room := make(chan struct{})
	time.AfterFunc(uselessPause, func() { close(room) })
	return room
}

// The backlog of a connection consists of the events that have arrived and whose
// handlers have not returned. Above Options.Limits.ReceiveQueueLimit the server stops
// reading from the client until half of that is left. If no handler of the connection
// returns for as long as a client may be silent (Options.PingInterval and PingTimeout), the
// connection is closed and the events that wait are dropped. The backlog of a client that
// has gone is dropped in the same way.

var _ stall.Owner = (*client)(nil)

// backpressure returns the channel that the engine must wait for before it reads on, nil
// if it need not wait. It is called on the read side.
func (cl *client) backpressure() <-chan struct{} {
	rules := &cl.srv.opts.stall
	switch {
	case cl.broken:
	case cl.backlog.Size()+int64(cl.partial) > rules.Limit:
		if room := cl.backlog.Hold(rules, cl); room != nil {
			cl.srv.stats.hit(limitReceiveQueue)
			return room
		}
	case cl.slow:
		return cl.uselessPauseEnd()
	}
	return nil
}

// Stuck closes the connection because none of its handlers has returned for too long.
func (cl *client) Stuck(waiting int64) {
	err := fmt.Errorf("socketio: no handler of the connection has returned for %v while %d bytes of its events wait (Options.Limits.ReceiveQueueLimit)",
		cl.srv.opts.stall.Timeout, waiting)
	cl.warnStalled("stuck handler", "socketio: a connection was closed because its handlers do not return: "+
		"give the calls in them a time limit; Options.Limits.ReceiveQueueLimit bounds the events that wait for them", err)
	cl.conn.Close(ReasonTransportError, err)
}

// Abandon drops the events of a client that has gone, which wait behind a handler
// that does not return.
func (cl *client) Abandon() {
	cl.mu.Lock()
	boxes := make([]*box, 0, len(cl.seats))
	for _, st := range cl.seats {
		boxes = append(boxes, st.box)
	}
	cl.mu.Unlock()
	dropped := 0
	for _, b := range boxes {
		dropped += cl.srv.dropEvents(b, func(t *task) bool { return t.details.client == cl })
	}
	if dropped > 0 {
		cl.warnStalled("dropped backlog", "socketio: events of a client that has gone were dropped because a handler in front of them does not return: "+
			"give the calls in it a time limit",
			fmt.Errorf("socketio: %s dropped after %v (Options.PingInterval and PingTimeout)", plural.Of(dropped, "event"), cl.srv.opts.stall.Timeout))
	}
}

func (cl *client) warnStalled(kind, msg string, err error) {
	cl.srv.notices.Warn(context.Background(), kind, msg, "connection", short(cl.conn.ID()), "error", err)
}

// partsMissing closes the connection because the attachments of a packet do not come.
func (cl *client) partsMissing() {
	cl.conn.Close(ReasonParseError, fmt.Errorf("socketio: the attachments of a packet have not come within %v (Options.PingInterval and PingTimeout)", cl.srv.opts.stall.Timeout))
}

// sendRequired sends a packet that the protocol requires. If the send queue is full, it
// closes the connection.
func (cl *client) sendRequired(p packet) error {
	err := cl.conn.Send(p.Frames())
	if errors.Is(err, engineio.ErrSendQueueFull) {
		cl.conn.Close(ReasonSlowClient, err)
	}
	return err
}

// refuse sends a CONNECT_ERROR packet.
func (cl *client) refuse(ns string, e *Error) {
	cl.srv.stats.connectErrors.Add(1)
	if hs := cl.srv.hooks.Load(); hs != nil {
		hs.refused(cl, ns, e)
	}
	p, err := cl.srv.packets.Encode(parser.Header{Type: parser.ConnectError, Namespace: ns}, cl.refusal(e), true)
	if err != nil {
		cl.srv.log.Warn("socketio: the data of a refusal cannot be encoded: the refusal is sent without it", "namespace", ns, "error", err)
		p, err = cl.srv.packets.Encode(parser.Header{Type: parser.ConnectError, Namespace: ns}, cl.refusal(&Error{Message: e.Message}), true)
	}
	if err == nil {
		err = cl.sendRequired(p)
	}
	if err != nil {
		cl.srv.log.Debug("socketio: a refusal could not be sent", "namespace", ns, "error", err)
	}
}

// refusal returns the payload of a CONNECT_ERROR packet. Other parsers than Socket.IO's own
// have objects only.
func (cl *client) refusal(e *Error) []any {
	if cl.srv.opts.ownParser {
		return []any{e}
	}
	return cl.revision().Refused(e.Message, e.Data, e)
}
