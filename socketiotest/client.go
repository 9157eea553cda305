package socketiotest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/parser"
)

// Client is a client in one namespace. A server that violates the protocol loses
// the connection and fails the test.
type Client struct {
	conn      *conn
	namespace string
	auth      any
	rejoins   bool          // the connection has been in the namespace before
	gone      chan struct{} // closed with the state that ends it

	// guarded by conn.mu
	state     state
	sid       string
	pid       string // the private session id; empty if the server has no recovery
	offset    string // of the last event
	recovered bool
	refusal   *ConnectError
	reason    string
	received  []Event
	acks      map[uint64]func(Args) // what to call
}

// ID returns the session id in this namespace, the sid of the server's handlers.
func (c *Client) ID() string {
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	return c.sid
}

// Transport returns the transport in use: WebSocket or Polling.
func (c *Client) Transport() Transport { return Transport(c.conn.engine.Transport()) }

// Emit sends an event. It does not wait for anything. Arguments are what JSON
// encodes, with binary data as []byte at any depth. If the last one is a
// func(Args), the event asks for an acknowledgement, with which the function is
// called once, on the goroutine that reads the connection: it must neither wait
// for a client nor disconnect one. [Client.Call] waits for the answer instead.
//
// Emit fails the test if the client is not connected or an argument cannot be
// encoded.
func (c *Client) Emit(event string, args ...any) {
	c.conn.tb.Helper()
	var callback func(Args)
	if n := len(args); n > 0 {
		if f, ok := args[n-1].(func(Args)); ok {
			callback, args = f, args[:n-1]
		}
	}
	c.emit("Emit", event, args, callback)
}

// Send sends an event named "message".
func (c *Client) Send(data any) {
	c.conn.tb.Helper()
	c.emit("Send", "message", []any{data}, nil)
}

// Call sends an event that asks for an acknowledgement, waits for it and
// returns its arguments. What the handler sent to this client before it
// returned has arrived by then. Call fails the test if there is no answer in
// time, or the client is disconnected. If it knows the server (Options.Server), it
// does not wait long for the answer to an event that has no handler, or whose
// handler failed, and says so. An acknowledgement that the handler defers
// (Context.DeferAck) is waited for.
func (c *Client) Call(event string, args ...any) Args {
	k := c.conn
	k.tb.Helper()
	var why error // the handler failed
	defer c.watchHandler(event, func(err error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		why = err
		k.broadcast()
	})()
	var answer Args
	answered := false
	c.emit("Call", event, args, func(a Args) {
		k.mu.Lock()
		defer k.mu.Unlock()
		answer, answered = a, true
		k.broadcast()
	})
	k.await(k.opts.Timeout, func() bool { return answered || why != nil || !c.active() })
	k.await(min(k.opts.Timeout, failureTime), func() bool { return answered || why == nil || !c.active() }) // an error may be acknowledged
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case answered:
	case why != nil:
		k.tb.Fatalf("socketiotest: Call of event %q: no answer: the server failed to handle the event: %v%s", event, why, c.behind())
	default:
		k.tb.Fatalf("socketiotest: Call of event %q: no answer%s", event, c.situation())
	}
	return answer
}

// failureTime is how long the acknowledgement of a failure, by the server's error
// handler, may take to arrive.
const failureTime = time.Second

// watchHandler has failed called when the server has failed to handle an event of this
// client, by the goroutine of the handler, until stop is called.
func (c *Client) watchHandler(event string, failed func(error)) (stop func()) {
	srv := c.conn.opts.Server
	if srv == nil {
		return func() {}
	}
	id := c.conn.engine.Handshake().SID
	return srv.AddHooks(socketio.Hooks{Handler: func(ctx context.Context, h *socketio.Context) (context.Context, func(socketio.Args, error)) {
		if h.Event() != event || h.Connection().ID() != id || h.Namespace().Name() != c.namespace {
			return ctx, nil
		}
		return ctx, func(_ socketio.Args, err error) {
			if err != nil {
				failed(err)
			}
		}
	}})
}

// emit sends an event for the method that is called name.
func (c *Client) emit(name, event string, args []any, callback func(Args)) {
	k := c.conn
	k.tb.Helper()
	if parser.Reserved(event) {
		k.tb.Fatalf("socketiotest: %s: the event name %q is reserved by Socket.IO", name, event)
	}
	h := parser.Header{Type: parser.Event, Namespace: c.namespace}
	if callback != nil {
		k.mu.Lock()
		k.lastID++
		h.ID, h.HasID = k.lastID, true
		c.acks[h.ID] = callback
		k.mu.Unlock()
	}
	if err := c.send(h, append([]any{event}, args...)); err != nil {
		k.tb.Fatalf("socketiotest: %s of event %q: %v", name, event, err)
	}
}

// send sends a packet if the client is connected.
func (c *Client) send(h parser.Header, args []any) error {
	c.conn.mu.Lock()
	connected := c.state == joined
	c.conn.mu.Unlock()
	if connected {
		err := c.conn.send(h, args)
		if !errors.Is(err, eiotest.ErrClosed) {
			return err
		}
	}
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	return fmt.Errorf("the client is not connected: %s", c.why())
}

// Next waits for the next event and returns it. Events are returned in the
// order in which the server sent them, also after the client was disconnected.
// Next fails the test if there is none in time or the client is disconnected.
func (c *Client) Next() Event {
	c.conn.tb.Helper()
	return c.next("Next")
}

// Expect is [Client.Next] for an event that is known: it fails the test if the
// next one has another name or, if any are given, other arguments. They are
// compared as JSON values, binary data as bytes.
func (c *Client) Expect(event string, args ...any) Event {
	k := c.conn
	k.tb.Helper()
	want := Args{tb: k.tb}
	if len(args) > 0 {
		var err error
		if want, err = k.roundTrip(args); err != nil {
			k.tb.Fatalf("socketiotest: Expect of event %q: the arguments: %v", event, err)
		}
	}
	got := c.next(fmt.Sprintf("Expect of event %q", event))
	if got.Name != event || len(args) > 0 && !got.equal(want) {
		text := event
		if len(args) > 0 {
			text += want.String()
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.tb.Fatalf("socketiotest: the next event is\n\t%s\nwant\n\t%s%s", got, text, c.behind())
	}
	return got
}

// roundTrip returns arguments as a client receives them.
func (k *conn) roundTrip(args []any) (Args, error) {
	text, attachments, err := k.opts.Parser.Encode(nil, parser.Header{Type: parser.Event}, append([]any{"x"}, args...))
	if err != nil {
		return Args{}, err
	}
	decoder := k.newDecoder()
	p, complete, err := decoder.Decode(text, false)
	for i := 0; err == nil && !complete; i++ {
		p, complete, err = decoder.Decode(attachments[i], true)
	}
	return Args{k.tb, p.Args}, err
}

func (c *Client) next(name string) Event {
	k := c.conn
	k.tb.Helper()
	var ev Event
	ok := false
	k.await(k.opts.Timeout, func() bool {
		if len(c.received) > 0 {
			ev, ok = c.received[0], true
			c.received = c.received[1:]
		}
		return ok || !c.active()
	})
	if !ok {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.tb.Fatalf("socketiotest: %s: no event%s", name, c.situation())
	}
	return ev
}

// Received returns the events that have arrived and were not returned yet, nil
// if there are none. In a synctest bubble it first waits until everything is
// idle, so that nothing the server sends without time passing is missed.
// Outside of one it waits until nothing has come for 50 milliseconds, which may
// miss what a busy server sends later: prefer [Client.Next] there.
func (c *Client) Received() []Event {
	c.conn.settle()
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	events := c.received
	c.received = nil
	return events
}

// ExpectNothing fails the test if there is an event that [Client.Received]
// would return. To say that nothing comes for a while, sleep before, in a
// synctest bubble.
func (c *Client) ExpectNothing() {
	k := c.conn
	k.tb.Helper()
	k.settle()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(c.received) > 0 {
		k.tb.Fatalf("socketiotest: got %s, want nothing", list(c.received))
	}
}

// Join joins another namespace on the same connection; auth is what
// [Options].Auth is. It fails the test if that is refused.
func (c *Client) Join(namespace string, auth any) *Client {
	c.conn.tb.Helper()
	joined, err := c.TryJoin(namespace, auth)
	if err != nil {
		c.conn.tb.Fatal(err)
	}
	return joined
}

// TryJoin is [Client.Join] for a namespace that may refuse the client: then
// the error is a [*ConnectError], and the connection can still be used.
func (c *Client) TryJoin(namespace string, auth any) (*Client, error) {
	joined, err := c.conn.join(namespace, auth, nil)
	if err != nil {
		return nil, err
	}
	return joined, nil
}

// Upgrade moves the connection from long-polling to WebSocket. It fails the
// test if that does not work, after which the client goes on polling.
func (c *Client) Upgrade() {
	k := c.conn
	k.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), k.opts.Timeout)
	defer cancel()
	if err := k.engine.Upgrade(ctx); err != nil {
		k.tb.Fatalf("socketiotest: Upgrade: %v", err)
	}
}

// situation explains, at the end of a message, why a wait was in vain.
func (c *Client) situation() string {
	if c.active() {
		return fmt.Sprintf(" within %v%s", c.conn.opts.Timeout, c.behind())
	}
	return fmt.Sprintf(": the client was disconnected: %s%s", c.why(), c.behind())
}

// behind lists, at the end of a message, the events nobody has asked for yet.
func (c *Client) behind() string {
	if len(c.received) == 0 {
		return ""
	}
	return "; there is still " + list(c.received)
}

func list(events []Event) string {
	const most = 10
	var b strings.Builder
	for i, ev := range events {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(events)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(ev.String())
	}
	return b.String()
}
