package socketio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/outbox"
	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/parser"
)

// Broker connects servers, see package broker, which has what implementing one
// takes. The alias is for programs that pass a broker on: they need no second import.
type Broker = broker.Broker

// cluster is a server's place among others on a Broker. Three goroutines are its:
// listen, which close ends, the outbox's, and that of fleet. listen carries out what the other
// servers publish; that never waits, and calls no user code but a Parser and a
// logger.
type cluster struct {
	uplink
	srv    *Server
	fleet  *fleet.Fleet // the other servers, if they are written in Go
	quoted []byte       // host, as messages have it
	in     arrival      // listen's
	cancel context.CancelFunc
	done   chan struct{} // closed when listen has ended

	mu    sync.Mutex
	asked map[uint64]*question // by acknowledgement id; nil when closed
}

func newCluster(srv *Server, host string) *cluster {
	o := &srv.opts
	ctx, cancel := context.WithCancel(context.Background())
	c := &cluster{
		uplink: newUplink(o.Cluster.Broker, host, o.Cluster.Channel, o.Cluster.QueueLimit, o.Cluster.ReplayLimit, o.queue, srv.log, false),
		srv:    srv, cancel: cancel, done: make(chan struct{}),
		asked: make(map[uint64]*question),
	}
	c.quoted = appendText(nil, c.host)
	c.fleet = newFleet(c)
	go c.listen(ctx)
	return c
}

// listen keeps the subscription in force.
func (c *cluster) listen(ctx context.Context) {
	defer close(c.done)
	for failures := 0; ; {
		err := c.srv.opts.Cluster.Broker.Subscribe(ctx, []string{c.channel, c.fleetChannel()}, func() {
			failures = 0
			c.out.Retry()
			c.fleet.Connected()
			c.out.Link.Subscribed(nil) // last: who sees Connected in BrokerStatus may ask the other servers
		}, c.receive)
		if ctx.Err() != nil {
			return
		}
		c.fleet.Disconnected()
		c.out.Link.Subscribed(err)
		if errors.Is(err, broker.ErrClosed) {
			return
		}
		failures++
		select {
		case <-time.After(outbox.Backoff(failures)):
		case <-ctx.Done():
			return
		}
	}
}

// close ends the cluster's goroutines: what arrives from now on is not carried
// out, what waits is published until the context ends.
func (c *cluster) close(ctx context.Context) error {
	c.fleet.Close()
	c.cancel()
	<-c.done // it ends with its context
	c.mu.Lock()
	asked := c.asked
	c.asked = nil
	c.mu.Unlock()
	for _, q := range asked {
		q.end(errQuestionEnds)
	}
	err := c.srv.workers.Wait(ctx) // callbacks of answers that came last
	if failed := c.out.Close(ctx); failed != nil {
		err = failed
	}
	return err
}

// receive carries out one message.
func (c *cluster) receive(channel string, data []byte) {
	defer func() {
		if v := recover(); v != nil { // of a Parser or a logger
			c.out.Link.CountIgnored()
			c.srv.recovered("handling a message from the broker", v)
		}
	}()
	if outbox.IsProbe(data) {
		return
	}
	if channel == c.fleetChannel() {
		if err := c.fleet.Receive(data); err != nil {
			c.out.Link.Ignore(data, err)
		}
		return
	}
	c.in = arrival{}
	m := &c.in
	wanted, err := c.read(m, data)
	switch {
	case err != nil:
		err = explain(data, err)
	case m.own:
		return
	case wanted:
		err = c.carryOut(m)
	}
	c.out.Link.Received()
	if err != nil {
		c.out.Link.Ignore(data, err)
	}
}

// read finds the members of a message, and reports whether it concerns this
// server. If it does not, and the payload comes last, that is not looked at.
func (c *cluster) read(m *arrival, data []byte) (wanted bool, err error) {
	stopped := false
	err = walkObject(data, func(key []byte) bool {
		stopped = string(key) == "data" && m.addressed() && !c.wants(m)
		return !stopped
	}, func(key, value []byte) {
		if member := m.member(string(key)); member != nil {
			*member = value
		}
	})
	return err == nil && !stopped && c.wants(m), err
}

// explain says what arrived instead of a message.
func explain(data []byte, err error) error {
	if len(data) > 0 && data[0] == 0x80 {
		return errors.New("a Python pickle, as python-socketio before 5.14 publishes: upgrade that server; pickles are not read")
	}
	return err
}

// arrival is a message that has arrived, as far as it is understood.
type arrival struct {
	envelope
	judged   bool // by wants
	wanted   bool
	own      bool // this server sent it, or it is an answer for another one
	err      error
	ns       string
	rooms    []string
	everyone bool
}

// wants reports whether the message concerns this server: whether it is of
// another one, and for clients that are here.
func (c *cluster) wants(m *arrival) bool {
	if !m.judged {
		m.judged = true
		m.wanted = c.judge(m)
	}
	return m.wanted
}

func (c *cluster) judge(m *arrival) bool {
	mine := bytes.Equal(m.host, c.quoted)
	if string(m.method) == `"callback"` {
		m.own = !mine
		return mine
	}
	if mine {
		m.own = true
		return false
	}
	if string(m.method) != `"emit"` {
		return true
	}
	var ok bool
	if m.ns, ok = text(m.namespace); !ok {
		return true // to be told off
	}
	if m.everyone = absent(m.room); m.everyone {
		return c.srv.occupied(m.ns, rooms.Everyone)
	}
	if m.rooms, m.err = names(m.room); m.err != nil {
		return true
	}
	// To Python an empty name is a room that nobody is in.
	m.rooms = slices.DeleteFunc(m.rooms, func(room string) bool { return room == "" })
	for _, room := range m.rooms {
		if c.srv.occupied(m.ns, room) {
			return true
		}
	}
	return false
}

// carryOut does what a message says. The error is what is wrong with it.
func (c *cluster) carryOut(m *arrival) error {
	switch string(m.method) {
	case `"emit"`:
		return c.emitHere(m)
	case `"callback"`:
		return c.answer(m)
	case `"disconnect"`, `"enter_room"`, `"leave_room"`, `"close_room"`:
	default:
		return fmt.Errorf("its method is %.40q", m.method)
	}
	ns, ok := text(m.namespace)
	if !ok {
		return errNoNamespace
	}
	room, hasRoom := name(m.room)
	if string(m.method) == `"close_room"` {
		if !hasRoom || room == "" {
			return fmt.Errorf("close_room: %w", errEmptyRoom)
		}
		c.srv.closeRoom(ns, room)
		return nil
	}
	sid, _ := name(m.sid)
	s := c.srv.findSocket(sid)
	if s == nil || s.name != ns {
		return nil
	}
	switch string(m.method) {
	case `"disconnect"`:
		s.Disconnect()
	case `"enter_room"`:
		if !hasRoom {
			return errors.New("enter_room without a room")
		}
		if err := s.Join(room); err != nil && !errors.Is(err, ErrClosed) {
			return err
		}
	case `"leave_room"`:
		if !hasRoom || room == "" {
			return fmt.Errorf("leave_room: %w", errEmptyRoom)
		}
		s.Leave(room)
	}
	return nil
}

var (
	errNoNamespace = errors.New("it has no namespace")
	errNoEvent     = errors.New("an emit without event or data")
)

// emitHere delivers an event to clients of this server.
func (c *cluster) emitHere(m *arrival) error {
	switch {
	case m.namespace == nil || m.ns == "":
		return errNoNamespace
	case m.err != nil:
		return fmt.Errorf("room: %w", m.err)
	case absent(m.event) || m.data == nil:
		return errNoEvent
	}
	p, err := readPayload(m.data, truthy(m.binary))
	if err != nil {
		return err
	}
	if string(p.args) == "null" && string(m.argc) != "1" {
		p.args = nil // what Python publishes for no argument
	}
	e := &emission{
		ns: m.ns, rooms: m.rooms, targeted: !m.everyone,
		volatile: truthy(m.volatile), noCompress: string(m.compress) == "false",
	}
	if e.skip, err = names(m.skip); err != nil {
		return fmt.Errorf("skip_sid: %w", err)
	}
	if e.except, err = names(m.except); err != nil {
		return fmt.Errorf("except: %w", err)
	}
	if slices.Contains(e.except, "") {
		return fmt.Errorf("except: %w", errEmptyRoom)
	}
	h := parser.Header{Type: parser.Event, Namespace: m.ns}
	target, err := c.asker(m)
	if err != nil {
		return err
	}
	if target != nil {
		h.ID, h.HasID = c.srv.ackIDs.Add(1), true
	}
	text, decoded, err := p.packet(c.codec, h, m.event)
	if err != nil {
		return err
	}
	var out packet
	if c.srv.opts.ownParser {
		args := append(Args{decoded.Event}, decodeAll(decoded.Args)...)
		if out, err = c.srv.encode(h, args, !e.noCompress); err != nil {
			return err
		}
	} else {
		out = newPacket(text, p.attachments, !e.noCompress)
	}
	hs, told := c.srv.emission(nil, e, out, decoded.Event, nil)
	if hs != nil {
		told.Elsewhere, told.args = true, decoded.Args
	}
	reached := uint64(0)
	c.srv.each(e, false, nil, func(s *Socket, via *place) error {
		sent, err := s.ask(out, e.volatile, h.ID, target, via) // those who cannot be reached are leaving
		if sent {
			reached++
			if hs != nil {
				hs.reached(s, told)
			}
		} else if target != nil && err != errLeftRoom && err != errAlreadyFailed {
			target.failed(s, err)
		}
		s.closeIfFull(err)
		return err
	})
	c.srv.stats.of(nil).out.Add(reached)
	if hs != nil {
		hs.emitted(told)
	}
	return nil
}

// newPacket makes a packet of encoded messages, copies of them. A parser may do
// without text.
func newPacket(text []byte, attachments [][]byte, compress bool) packet {
	size := len(text)
	for _, a := range attachments {
		size += len(a)
	}
	var frames *engineio.Frames
	if len(text) > 0 || len(attachments) == 0 {
		frames = engineio.TextFrames(text, attachments...)
	} else {
		frames = engineio.BinaryFrames(attachments[0], attachments[1:]...)
	}
	if !compress {
		frames.WithoutCompression()
	}
	return packet{frames, size}
}

// emit publishes an event that has been encoded as p for the clients here.
func (c *cluster) emit(e *emission, self *Socket, p packet, event string, data any, cb *ackCallback) error {
	var q *question
	id := uint64(0)
	if cb != nil {
		id = cb.id
		q = &question{ns: e.ns, target: cb, notices: cb.hears(), heard: make(map[string]struct{}), after: e.ackTimeout}
		if q.after == 0 {
			q.after = c.srv.opts.Cluster.AckTimeout
		}
		if cb.hears() && e.targeted && len(e.rooms) == 1 && isClientID(e.rooms[0]) && c.srv.findSocket(e.rooms[0]) == nil {
			q.only = c.srv.farSocket(e.ns, e.rooms[0])
		}
	}
	err := c.ask(e, self, p, event, data, id, q)
	if !errors.Is(err, ErrBrokerUnavailable) {
		return err
	}
	if q != nil && q.only != nil {
		cb.failed(q.only, err)
	}
	return nil // the clients here have it; BrokerStatus tells
}

// ask publishes an event, and registers who wants the answers, unless q is nil.
func (c *cluster) ask(e *emission, self *Socket, p packet, event string, data any, id uint64, q *question) error {
	o := outgoing{
		ns: e.ns, everyone: !e.targeted, skip: e.skip, except: e.except,
		volatile: e.volatile, noCompress: e.noCompress, ask: q != nil, id: id,
		notices: q != nil && q.notices,
	}
	for _, room := range e.rooms {
		if s := c.srv.findSocket(room); s == nil || s.name != e.ns { // a socket here is nowhere else
			o.rooms = append(o.rooms, room)
		}
	}
	if e.targeted && len(o.rooms) == 0 {
		return nil
	}
	if e.skipSelf && self != nil {
		o.skip = append(e.skip[:len(e.skip):len(e.skip)], self.sid)
	}
	if c.srv.opts.ownParser {
		var err error
		if o.event, o.args, o.attachments, err = encodeJSON(c.codec, event, data); err != nil {
			return fmt.Errorf("for other servers: %w", err)
		}
	} else {
		var text []byte
		text, o.attachments = p.frames.Message()
		o.event, o.args = splitPacket(text, e.ns)
	}
	if q != nil && !c.expect(id, q) {
		return ErrBrokerUnavailable
	}
	err := c.putEvent(&o)
	if err != nil && q != nil {
		c.forget(id)
	}
	return err
}

// closeRoom publishes that a room is to be closed.
func (c *cluster) closeRoom(ns, room string) { _ = c.putCloseRoom(ns, room) }

// elsewhere publishes what is to be done with a socket that is not here.
func (n *Namespace) elsewhere(method, sid, room string) error {
	switch {
	case n.err != nil:
		return n.err
	case n.srv.cluster == nil || n.name == anyName:
		return fmt.Errorf("%w: %q in %.100s", ErrUnknownSocket, short(sid), n.name)
	}
	if err := checkSocket(method, n.name, sid, room); err != nil {
		if err == errNothingToDo {
			return nil
		}
		return err
	}
	return n.srv.cluster.putSocket(method, n.name, sid, room)
}

// BrokerStatus tells how the server gets on with its broker; without one it is
// all zero. Health checks of servers that are useless without the others look
// at Connected.
func (srv *Server) BrokerStatus() broker.Status {
	if srv.cluster == nil {
		return broker.Status{}
	}
	return srv.cluster.out.Status()
}
