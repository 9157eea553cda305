package socketio

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/sessionid"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/parser"
)

// This file is about clients of other servers: the Socket that stands for one, how they
// are asked for acknowledgements, and how clients of this server are asked on behalf of
// other servers.

// remoteSocket returns a socket that stands for a client of another server. Only its
// session id is known.
func (srv *Server) remoteSocket(ns, sid string) *Socket {
	s := &Socket{server: srv, name: ns, sid: sid}
	s.state.Store(stateGone)
	return s
}

// remote reports whether the socket stands for a client of another server.
func (s *Socket) remote() bool { return s.at.Load() == nil }

// local returns the socket, nil if it stands for a client of another server.
func (s *Socket) local() *Socket {
	if s == nil || s.elsewhere() {
		return nil
	}
	return s
}

// elsewhere reports whether the client is reached through the broker.
func (s *Socket) elsewhere() bool { return s.remote() || s.movedAway() }

// noRequest returns the request of a client that is connected to another server: an
// empty one.
func noRequest() *http.Request {
	return &http.Request{Method: http.MethodGet, URL: new(url.URL), Header: http.Header{}, Body: http.NoBody}
}

// connectionContext returns the context of the connection.
func (s *Socket) connectionContext() context.Context {
	if cl := s.client(); cl != nil {
		return cl.conn.Context()
	}
	return context.Background()
}

// mayBeElsewhere reports whether the target of an emit may be a client of another
// server. The emit has no recipient on this one.
func (srv *Server) mayBeElsewhere(e *emitOptions) bool {
	return srv.cluster != nil && !e.local && len(e.rooms) == 1 && len(e.except) == 0
}

// looksLikePythonID reports whether a name may be a session id of python-socketio: 20
// characters of base64, the first 16 of them random. A room may have such a name, too,
// so nothing may be sent to the name because of this.
func looksLikePythonID(name string) bool {
	const length, random = 20, 16
	if len(name) != length {
		return false
	}
	if _, err := base64.RawURLEncoding.DecodeString(name); err != nil {
		return false
	}
	begin := name[:random]
	return strings.ToLower(begin) != begin && strings.ToUpper(begin) != begin
}

// askElsewhere returns the cluster.Ask for the clients of other servers that an event
// with OnAck is for.
func (srv *Server) askElsewhere(e *emitOptions, cb *ackCallback) *cluster.Ask {
	ask := &cluster.Ask{
		ID: cb.id, Namespace: e.ns, Asker: &remoteAsker{srv: srv, ns: e.ns, target: cb},
		Timeout: cmp.Or(e.ackTimeout, srv.opts.Cluster.AckTimeout), Failures: cb.takesError(),
	}
	if !e.targeted || len(e.rooms) != 1 || len(e.except) > 0 {
		return ask
	}
	switch name := e.rooms[0]; {
	case !sessionid.Is(name):
		ask.PerhapsOne = looksLikePythonID(name)
	case srv.findSocket(name) == nil && !slices.Contains(e.skip, name):
		ask.Clients = map[string]string{name: ""}
	}
	ask.Asker.(*remoteAsker).after = ask.Timeout
	return ask
}

// remoteAsker passes on the answers of clients of other servers.
type remoteAsker struct {
	srv     *Server
	ns      string
	target  ackTarget
	after   time.Duration      // how long the answers are waited for
	sockets map[string]*Socket // the sockets that the target waits for, by session id; nil if it knows none
}

// socket returns the socket that stands for the client that answered. Its session id is
// empty if sid may be the name of a room: an emit to the socket would reach everyone
// there.
func (a *remoteAsker) socket(sid string) *Socket {
	if a.sockets != nil {
		return a.sockets[sid]
	}
	if !sessionid.Is(sid) {
		sid = ""
	}
	return a.srv.remoteSocket(a.ns, sid)
}

func (a *remoteAsker) Answered(sid string, args parser.Args) {
	if s := a.socket(sid); s != nil {
		a.target.answered(s, args)
	}
}

func (a *remoteAsker) Failed(sid string, err error) {
	if s := a.socket(sid); s != nil {
		a.target.failed(s, a.explain(err))
	}
}

// explain translates an error of the cluster.
func (a *remoteAsker) explain(err error) error {
	if most, limit := errors.AsType[cluster.LimitError](err); limit {
		return &LimitError{limitPendingAcks, int(most)}
	}
	switch err {
	case cluster.ErrTimeout:
		event, _ := a.target.asked()
		return lateAck(event, a.after)
	case cluster.ErrLeft:
		return errLeftElsewhere
	case fleet.ErrLeft:
		return fmt.Errorf("%w: %w", errLeftElsewhere, err)
	case fleet.ErrUnavailable:
		return ErrBrokerUnavailable
	case fleet.ErrSilent, fleet.ErrInterrupted:
		return fmt.Errorf("socketio: the client is on another server: %w", err)
	}
	return err
}

// errLeftElsewhere: a client of another server left before it answered.
var errLeftElsewhere = fmt.Errorf("%w, on another server", ErrClosed)

// remoteClients are the clients of other servers that a Call asks. Either they are known
// by their session ids, or there is one name, which may be that of a room.
type remoteClients struct {
	sockets map[string]*Socket // stand for the clients, by session id or by the name
	hosts   map[string]string  // ids of their servers by session id, "" if not known; nil for a name
}

func (c *remoteClients) len() int {
	if c == nil {
		return 0
	}
	return len(c.sockets)
}

// remoteNamed returns the clients for the single name that an emit is for.
func (srv *Server) remoteNamed(e *emitOptions) *remoteClients {
	name := e.rooms[0]
	return &remoteClients{sockets: map[string]*Socket{name: srv.remoteSocket(e.ns, name)}}
}

// callElsewhere returns the cluster.Ask for the clients of other servers that a Call
// asks.
func (srv *Server) callElsewhere(ctx context.Context, ns string, id uint64, a *answers, clients *remoteClients) *cluster.Ask {
	ask := &cluster.Ask{
		ID: id, Namespace: ns, Clients: clients.hosts, Failures: true, CallerEnds: true,
		Asker: &remoteAsker{srv: srv, ns: ns, target: a, sockets: clients.sockets},
	}
	if clients.hosts == nil {
		for name := range clients.sockets {
			ask.Named = name
		}
	}
	if deadline, ok := ctx.Deadline(); ok {
		ask.Timeout = max(time.Until(deadline), time.Millisecond)
	}
	return ask
}

// remoteTarget collects the acknowledgements of one event for another server. It knows
// which clients owe one, and releases them when the other server waits no more.
type remoteTarget struct {
	inquiry  // empty, because the other server calls its own hooks
	question *cluster.Question
	id       uint64

	mu      sync.Mutex
	waiting map[*Socket]struct{}
	armed   bool
}

// ask asks one recipient of the event.
func (t *remoteTarget) ask(r recipient, p packet, volatile bool) (sent bool, err error) {
	t.mu.Lock()
	t.waiting[r.s] = struct{}{}
	t.mu.Unlock()
	sent, err = r.s.ask(p, volatile, t.id, t, r.via)
	switch {
	case sent:
	case err == errLeftRoom:
		t.settle(r.s)
	case err != errAlreadyFailed:
		t.failed(r.s, err)
	}
	return sent, err
}

// arm lets the other server, or its timeout, end the wait. It is called when all
// recipients have been asked.
func (t *remoteTarget) arm() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) > 0 {
		t.armed = true
		t.question.Wait(t.end)
	}
}

// end ends the wait for the clients that have not answered.
func (t *remoteTarget) end() {
	t.mu.Lock()
	late := t.waiting
	t.waiting = nil
	t.mu.Unlock()
	for s := range late {
		s.takeAck(t.id)
	}
}

// settle ends the wait for one client.
func (t *remoteTarget) settle(s *Socket) {
	t.mu.Lock()
	delete(t.waiting, s)
	done := t.armed && len(t.waiting) == 0
	t.mu.Unlock()
	if done {
		t.question.Done()
	}
}

func (t *remoteTarget) answered(s *Socket, args parser.Args) {
	t.settle(s)
	if err := t.question.Answered(s.sid, args); err != nil {
		s.srv().log.Warn("socketio: the acknowledgement for another server cannot be sent", "namespace", s.name, "sid", short(s.sid), "error", err)
	}
}

func (t *remoteTarget) failed(s *Socket, err error) {
	t.settle(s)
	most := 0
	if limit, ok := errors.AsType[*LimitError](err); ok {
		most = limit.Max
	}
	t.question.Failed(s.sid, most)
}

// remoteBoxes are the mailboxes for callbacks of OnAck for clients of other servers.
// Those of one client run one after another. They cannot be in the Socket, because each
// answer has a Socket of its own.
type remoteBoxes struct {
	mu    sync.Mutex
	boxes map[remoteKey]*remoteBox
}

// remoteKey identifies a client of another server. Clients without a session id that
// answer the same event count as one client.
type remoteKey struct {
	ns, sid string
	ack     uint64
}

type remoteBox struct {
	callbacks box
	pending   int // guarded by remoteBoxes.mu
}

func (c *Context) remoteKey() remoteKey {
	k := remoteKey{ns: c.name, sid: c.sid}
	if k.sid == "" {
		k.ack = c.details.ack.id
	}
	return k
}

// put queues the call of a callback.
func (b *remoteBoxes) put(c *Context) {
	k := c.remoteKey()
	b.mu.Lock()
	box := b.boxes[k]
	if box == nil {
		if b.boxes == nil {
			b.boxes = make(map[remoteKey]*remoteBox)
		}
		box = new(remoteBox)
		b.boxes[k] = box
	}
	box.pending++
	b.mu.Unlock()
	c.srv().queue(&box.callbacks, c)
}

// done ends a callback, and removes its mailbox if no other callback waits there.
func (b *remoteBoxes) done(c *Context) {
	k := c.remoteKey()
	b.mu.Lock()
	defer b.mu.Unlock()
	if box := b.boxes[k]; box != nil {
		if box.pending--; box.pending == 0 {
			delete(b.boxes, k)
		}
	}
}

// fillWire puts the payload of an event into its form for other servers.
func (srv *Server) fillWire(out *wire.Event, p packet, event string, data any) error {
	if srv.opts.ownParser {
		if err := encodeWire(out, srv.opts.queue, event, data); err != nil {
			return fmt.Errorf("for other servers: %w", err)
		}
		return nil
	}
	var text []byte
	text, out.Attachments = p.Message()
	out.Name, out.Args = parser.SplitEvent(text)
	return nil
}
