package socketio

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/internal/acks"
	"github.com/seed-d124fa34/socketio/internal/binding"
	"github.com/seed-d124fa34/socketio/internal/census"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/goargs"
	"github.com/seed-d124fa34/socketio/parser"
)

// Reply is one client's acknowledgement. It may be kept and used from any
// goroutine.
type Reply struct {
	SID  string // the session id of the client
	args parser.Args
}

// Args decodes the values as [Context.Args] does.
func (r Reply) Args() Args {
	if r.args == nil {
		return Args{}
	}
	return goargs.Decode(r.args)
}

// Bind decodes the values, in order, into the variables that vs point to.
// Variables without a value stay as they are; a nil pointer skips a value.
func (r Reply) Bind(vs ...any) error {
	for i, v := range vs {
		if v == nil || r.args == nil || i >= r.args.Len() {
			continue
		}
		if err := r.args.Bind(i, v); err != nil {
			return fmt.Errorf("socketio: value %d of the acknowledgement does not fit %s: %w", i, binding.Target(v), err)
		}
	}
	return nil
}

// Caller is what [Call] takes: a [Socket] or a [Context].
type Caller interface {
	Call(ctx context.Context, event string, data any, opts ...EmitOption) (Reply, error)
}

// Call is [Socket.Call] with the first value of the acknowledgement decoded into
// a T, which is zero if the client acknowledged without a value.
func Call[T any](ctx context.Context, c Caller, event string, data any, opts ...EmitOption) (T, error) {
	var v T
	reply, err := c.Call(ctx, event, data, opts...)
	if err == nil {
		err = reply.Bind(&v)
	}
	return v, err
}

var (
	errCallWithAck     = errors.New("socketio: Call with OnAck: Call returns the answer itself; use Emit with OnAck")
	errCallInConnect   = errors.New("socketio: Call to a client whose connect handler has not returned: it would wait for ever; use Emit with OnAck")
	errNobody          = fmt.Errorf("%w: Call has nobody to ask", ErrUnknownSocket)
	errVolatileDropped = errors.New("socketio: the volatile packet was dropped")
)

// callOne is Socket.Call.
func (srv *Server) callOne(ctx context.Context, from *Socket, event string, data any, opts []EmitOption) (Reply, error) {
	e, err := newEmitOptions(from, from.name, opts)
	if err != nil {
		return Reply{}, err
	}
	defer e.free()
	from = from.local()
	self, err := e.self(from)
	if err != nil {
		return Reply{}, err
	}
	asked := srv.recipients(e, from != nil, self)
	var elsewhere *remoteClients
	var unheard error
	if len(asked) == 0 && srv.mayBeElsewhere(e) {
		if elsewhere, unheard = srv.selectElsewhere(ctx, e, nil); elsewhere.len() == 0 {
			elsewhere = srv.remoteNamed(e) // it may be a client of Flask-SocketIO
		}
	}
	switch n := len(asked) + elsewhere.len(); {
	case n == 0:
		return Reply{}, errNobody
	case n > 1:
		return Reply{}, fmt.Errorf("socketio: Call on a socket asks one client, and the options select %d: use Namespace.Call", n)
	}
	replies, err := srv.call(ctx, from, e, event, data, asked, elsewhere)
	if err != nil {
		var missing *CallError
		if errors.As(err, &missing) {
			err = missing.Err
		}
		if unheard != nil {
			err = fmt.Errorf("%w (%w)", err, unheard)
		}
		return Reply{}, err
	}
	if len(replies) == 0 {
		return Reply{}, errNobody
	}
	return replies[0], nil
}

// callAll is Namespace.Call.
func (srv *Server) callAll(ctx context.Context, ns, event string, data any, opts []EmitOption) ([]Reply, error) {
	e, err := newEmitOptions(nil, ns, opts)
	if err != nil {
		return nil, err
	}
	defer e.free()
	asked := srv.recipients(e, false, nil)
	elsewhere, unheard := srv.selectElsewhere(ctx, e, asked)
	if len(asked)+elsewhere.len() == 0 && srv.mayBeElsewhere(e) {
		elsewhere = srv.remoteNamed(e)
	}
	replies, err := srv.call(ctx, nil, e, event, data, asked, elsewhere)
	if unheard != nil && ctx.Err() == nil {
		var missing *CallError
		switch {
		case errors.As(err, &missing):
			missing.Err = errors.Join(missing.Err, unheard)
		case err == nil:
			err = &CallError{Err: unheard}
		}
	}
	return replies, err
}

// recipients returns the sockets that each visits.
func (srv *Server) recipients(e *emitOptions, fromSocket bool, self *Socket) (all []recipient) {
	srv.each(e, fromSocket, self, func(s *Socket, via *place) error {
		all = append(all, recipient{s, via})
		return nil
	})
	return all
}

// selectTimeout is how long the other servers have to say which of their clients a Call
// reaches.
const selectTimeout = 5 * time.Second

// selectElsewhere asks the other servers which of their clients an emit reaches.
// recipients are those on this server. The error is about servers that did not answer.
func (srv *Server) selectElsewhere(ctx context.Context, e *emitOptions, recipients []recipient) (*remoteClients, error) {
	if srv.cluster == nil || e.local || e.ack != nil || e.targeted && len(e.rooms) == 0 ||
		len(e.rooms) == 1 && len(recipients) == 1 && recipients[0].s.sid == e.rooms[0] {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, selectTimeout)
	defer cancel()
	q := &census.Question{Do: census.Select, Namespace: e.ns, Everyone: !e.targeted, Rooms: e.rooms, Skip: e.skip, Except: e.except}
	replies, incomplete := srv.askServers(ctx, q)
	clients := &remoteClients{sockets: make(map[string]*Socket), hosts: make(map[string]string)}
	for _, r := range replies {
		for _, sid := range r.Names {
			clients.sockets[sid], clients.hosts[sid] = srv.remoteSocket(e.ns, sid), r.Host
		}
	}
	if incomplete != nil {
		return clients, incomplete
	}
	return clients, nil
}

// mayBeElsewhere reports whether the target of an emit may be a client of another
// server. The emit has no recipient on this one.
func (srv *Server) mayBeElsewhere(e *emitOptions) bool {
	return srv.cluster != nil && !e.local && len(e.rooms) == 1 && len(e.except) == 0
}

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
func (srv *Server) callElsewhere(ns string, a *answers, clients *remoteClients) *cluster.Ask {
	ask := &cluster.Ask{
		ID: a.id, Namespace: ns, Clients: clients.hosts, Timeout: a.limit, Failures: true, CallerEnds: true,
		Asker: &remoteAsker{srv: srv, ns: ns, target: a, sockets: clients.sockets},
	}
	if clients.hosts == nil {
		for name := range clients.sockets {
			ask.Named = name
		}
	}
	return ask
}

// call asks the sockets, and clients of other servers, and waits for them.
func (srv *Server) call(ctx context.Context, from *Socket, e *emitOptions, event string, data any, asked []recipient, elsewhere *remoteClients) ([]Reply, error) {
	if e.ack != nil {
		return nil, errCallWithAck
	}
	h := parser.Header{Type: parser.Event, Namespace: e.ns, ID: srv.ackIDs.Add(1), HasID: true}
	p, err := srv.encodeEvent(srv.audience(e), h, event, data, !e.noCompress)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("socketio: call %q: %w", event, err)
	}
	if len(asked)+elsewhere.len() == 0 {
		return nil, nil
	}
	a := &answers{inquiry: srv.inquiry(event), id: h.ID, done: make(chan struct{})}
	if deadline, ok := ctx.Deadline(); ok {
		a.until, a.limit = deadline, max(time.Until(deadline), time.Millisecond)
	}
	for _, r := range asked {
		a.waiting.Add(r.s)
	}
	if elsewhere != nil {
		for _, s := range elsewhere.sockets {
			a.waiting.Add(s)
		}
	}
	a.waiting.Arm(func() acks.Stopper { return a })
	f := srv.newFanout(from, e, p, event, data)
	f.begin(h, false) // it has been published before it is sent
	defer f.release()
	if elsewhere.len() > 0 {
		defer srv.cluster.Cancel(h.ID)
		if err := srv.publish(e, nil, p, event, data, srv.callElsewhere(e.ns, a, elsewhere)); err != nil {
			for _, s := range elsewhere.sockets {
				a.failed(s, err)
			}
		}
	}
	for _, r := range asked {
		switch _, err := f.send(r, a); {
		case err == errLeftRoom: // the event is not for it any more
			a.waiting.Remove(r.s)
		case err != nil:
			a.failed(r.s, err)
		}
	}
	if f.step != nil {
		self, _ := e.self(from)
		f.record(e.recorded(e.direct(from), self), event, data)
	}
	f.end()
	a.wait(ctx)
	return a.result()
}

// answers collects the acknowledgements of one call.
type answers struct {
	inquiry
	id      uint64 // of the acknowledgements
	waiting acks.Waiting[*Socket]
	done    chan struct{} // closed when no answer is waited for

	mu      sync.Mutex
	replies []Reply
	missing []string
	err     error // why the first of missing did not answer
}

// Stop ends the wait, for acks.Waiting.
func (a *answers) Stop() bool {
	close(a.done)
	return true
}

func (a *answers) ask(r recipient, p packet, volatile bool) (sent bool, err error) {
	if r.s.state.Load() == stateConnecting {
		return false, errCallInConnect
	}
	sent, err = r.s.ask(p, volatile, a.id, a, r.via)
	if !sent && err == nil {
		err = errVolatileDropped
	}
	return sent, err
}

func (a *answers) answered(s *Socket, args parser.Args) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting.Remove(s) {
		a.replies = append(a.replies, Reply{s.sid, args})
	}
}

func (a *answers) failed(s *Socket, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting.Remove(s) {
		a.missing = append(a.missing, s.sid)
		if a.err == nil {
			a.err = err
		}
	}
}

// wait waits for all answers, or until the context ends.
func (a *answers) wait(ctx context.Context) {
	select {
	case <-a.done:
	case <-ctx.Done():
		for s := range a.waiting.All() {
			err := fmt.Errorf("socketio: call %q: %w", a.event, ctx.Err())
			if s.takeAck(a.id) != nil {
				s.ackFailed(a, err)
			} else {
				a.failed(s, err) // its answer is arriving, or it is on another server
			}
		}
	}
}

func (a *answers) result() ([]Reply, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.missing) == 0 {
		return a.replies, nil
	}
	return a.replies, &CallError{a.missing, a.err}
}
