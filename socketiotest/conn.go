package socketiotest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/parser"
)

// conn is a connection, which the clients of its namespaces share.
//
// It owns one goroutine, read, which calls the callbacks of the test and ends
// with the connection; close waits for it.
type conn struct {
	tb      testing.TB
	handler http.Handler
	opts    Options
	http    *eiotest.Transport
	engine  *eiotest.Client
	loops   sync.WaitGroup

	sending sync.Mutex // keeps the messages of a packet together

	mu      sync.Mutex         // also guards the clients' state
	changed chan struct{}      // closed and replaced when any of the following changes, or a client's state
	clients map[string]*Client // by namespace; the latest of each
	lastID  uint64             // of an acknowledgement
	arrived int                // counts packets
	dropped string             // what the clients shall see as the reason, because of Drop
	fault   error              // of the server
	silent  bool               // Abandon was called: what arrives is ignored
	ended   bool
}

// state is where a client stands with its namespace.
type state int

const (
	joining state = iota // CONNECT is not answered
	joined
	refused
	left           // by Disconnect, or given up on
	kicked         // the server sent DISCONNECT
	connectionLost // the connection is gone
)

// join joins a namespace and waits for the answer. If before is not nil, it goes on with the session
// of that client.
func (k *conn) join(namespace string, auth any, before *Client) (*Client, error) {
	if namespace == "" {
		namespace = "/"
	}
	if k.opts.EIO3 && namespace == "/" {
		return k.joinMain(auth)
	}
	c := k.newClient(namespace)
	c.auth = auth
	send, err := c.connectPacket(before)
	if err != nil {
		return nil, fmt.Errorf("socketiotest: joining %s: Options.Auth: %w", namespace, err)
	}

	k.mu.Lock()
	old := k.clients[namespace]
	switch {
	case k.ended:
		defer k.mu.Unlock()
		return nil, fmt.Errorf("socketiotest: cannot join %s: the connection is closed: %s", namespace, k.why())
	case old != nil && old.active():
		k.mu.Unlock()
		return nil, fmt.Errorf("socketiotest: cannot join %s: this connection is in it; use Connect for another client", namespace)
	}
	c.rejoins = old != nil && old.state == left
	k.clients[namespace] = c
	k.mu.Unlock()
	return c, k.answered(c, send())
}

// connectPacket returns a function that sends the client's CONNECT packet.
func (c *Client) connectPacket(before *Client) (send func() error, err error) {
	k := c.conn
	if k.opts.EIO3 {
		query, err := oldQuery(c.auth)
		return func() error { return k.engine.Send("0" + c.namespace + query + ",") }, err
	}
	args, err := c.connectArgs(before)
	return func() error { return k.send(parser.Header{Type: parser.Connect, Namespace: c.namespace}, args) }, err
}

func (k *conn) newClient(namespace string) *Client {
	return &Client{conn: k, namespace: namespace, gone: make(chan struct{}), acks: map[uint64]func(Args){}}
}

// answered waits until the server has decided about a client. err says that nothing could be sent.
func (k *conn) answered(c *Client, err error) error {
	if err == nil && !k.await(k.opts.Timeout, func() bool { return c.state != joining }) {
		err = fmt.Errorf("the server did not answer within %v", k.opts.Timeout)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case c.state == refused:
		return c.refusal
	case c.sid != "":
		return nil
	case c.state == connectionLost, errors.Is(err, eiotest.ErrClosed):
		err = fmt.Errorf("the connection ended first: %s", c.why())
	}
	if c.state == joining {
		c.end(left, reasonClient)
	}
	return fmt.Errorf("socketiotest: joining %s: %w", c.namespace, err)
}

// send queues a packet.
func (k *conn) send(h parser.Header, args []any) error {
	text, attachments, err := k.opts.Parser.Encode(nil, h, args)
	if err != nil {
		return err
	}
	k.sending.Lock()
	defer k.sending.Unlock()
	if err := k.engine.Send(string(text)); err != nil {
		return err
	}
	for _, b := range attachments {
		if err := k.engine.SendBinary(b); err != nil {
			return err
		}
	}
	return nil
}

// read is the goroutine that reads the connection.
func (k *conn) read() {
	defer k.finish() // also when a callback ends this goroutine with FailNow
	decoder := k.newDecoder()
	for {
		m, err := k.engine.Receive(context.Background())
		if err != nil {
			return
		}
		p, complete, err := k.decode(decoder, m)
		if err == nil && complete {
			err = k.handle(p)
		}
		if err != nil {
			k.mu.Lock()
			k.fault = err
			k.mu.Unlock()
			return
		}
	}
}

func (k *conn) decode(decoder parser.Decoder, m eiotest.Message) (p parser.Packet, complete bool, err error) {
	if k.opts.EIO3 && !m.Binary && bytes.HasPrefix(m.Data, []byte("4")) {
		return oldError(m.Data[1:]), true, nil
	}
	return decoder.Decode(m.Data, m.Binary)
}

// why is reason with details. The mutex is held.
func (k *conn) why() string { return k.detail(k.reason()) }

func (k *conn) detail(reason string) string {
	if k.fault != nil {
		return fmt.Sprintf("%s: %v", reason, k.fault)
	}
	return reason
}

// newDecoder returns a decoder with limits that no test meets: what a server may
// send is not for its client to say.
func (k *conn) newDecoder() parser.Decoder {
	return k.opts.Parser.NewDecoder(parser.Limits{Attachments: 1 << 20, Depth: 10_000})
}

// handle processes a packet. An error is a violation of the protocol.
func (k *conn) handle(p parser.Packet) error {
	then, err := k.take(p)
	if then != nil {
		then()
	}
	return err
}

// take is handle but for what must be done without the mutex, which it returns.
func (k *conn) take(p parser.Packet) (then func(), err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.broadcast()
	k.arrived++
	if k.silent {
		return nil, nil
	}
	c := k.clients[p.Namespace]
	if c == nil {
		return nil, fmt.Errorf("%v for namespace %s, which the client has not joined", p.Type, p.Namespace)
	}
	answer := p.Type == parser.Connect || p.Type == parser.ConnectError
	switch {
	case c.state == left || c.state == joining && c.rejoins && !answer:
		return nil, nil // sent before the server knew
	case c.state == joining && answer, c.state == joined && !answer:
	default:
		return nil, fmt.Errorf("%v for namespace %s, %v", p.Type, p.Namespace, c.state)
	}
	switch p.Type {
	case parser.Connect:
		if err := c.connected(p); err != nil {
			return nil, err
		}
	case parser.ConnectError:
		if c.refusal, err = k.connectError(p); err == nil {
			c.state = refused
		}
	case parser.Disconnect:
		c.end(kicked, reasonServer)
		if !k.inUse() {
			return k.engine.Close, nil // as the official client does
		}
	case parser.Event:
		return k.takeEvent(c, p), nil
	case parser.Ack:
		callback, ok := c.acks[p.ID]
		if !ok {
			return nil, fmt.Errorf("ACK %d of namespace %s answers nothing", p.ID, p.Namespace)
		}
		delete(c.acks, p.ID)
		return func() { callback(Args{k.tb, p.Args}) }, nil
	}
	return nil, err
}

// connected notes that the server has let the client in. conn.mu is held.
func (c *Client) connected(p parser.Packet) error {
	if c.conn.opts.EIO3 {
		c.sid, c.state = c.conn.oldSID(c.namespace), joined
		return nil
	}
	var body struct {
		SID string `json:"sid"`
		PID string `json:"pid"`
	}
	if err := p.Args.Bind(0, &body); err != nil {
		return fmt.Errorf("CONNECT of namespace %s: %w", p.Namespace, err)
	}
	if body.SID == "" {
		return fmt.Errorf("CONNECT of namespace %s without a sid", p.Namespace)
	}
	c.recovered = body.PID != "" && body.PID == c.pid
	c.sid, c.pid, c.state = body.SID, body.PID, joined
	return nil
}

// takeEvent notes an event, with k.mu held. then, unless it is nil, answers it.
func (k *conn) takeEvent(c *Client, p parser.Packet) (then func()) {
	ev := Event{Name: p.Event, Namespace: p.Namespace, Args: Args{k.tb, c.withoutOffset(p)}}
	if p.Event == offsetEvent && c.pid != "" {
		return nil
	}
	if p.HasID {
		ev.ack = &ack{client: c, id: p.ID}
	}
	c.received = append(c.received, ev)
	answer := k.opts.Answer
	if answer == nil || !p.HasID {
		return nil
	}
	return func() {
		if args := answer(ev); args != nil {
			ev.Ack(args...)
		}
	}
}

func (s state) String() string {
	switch s {
	case joining:
		return "which the server has not let the client into yet"
	case joined:
		return "which the client is in already"
	case refused:
		return "which has refused the client"
	}
	return "which the server has removed the client from"
}

// finish ends the clients when the connection has ended or shall end.
func (k *conn) finish() {
	k.engine.Abort()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
	if why := k.engine.Err(); why.Kind == eiotest.CloseProtocol {
		k.fault = why.Err
	}
	for _, c := range k.clients {
		if c.active() {
			c.end(connectionLost, k.reason())
		}
	}
	k.broadcast()
}

// reason says why the connection has ended, or is ending. The mutex is held.
func (k *conn) reason() string {
	why := k.engine.Err()
	switch {
	case k.dropped != "":
		return k.dropped
	case why != nil && why.Kind != eiotest.CloseLocal:
		return reasonOf(why, Transport(k.engine.Transport()))
	case k.fault != nil:
		return reasonParse
	}
	return reasonClient
}

// close closes the connection as a client does that leaves, and waits for the
// end of everything.
func (k *conn) close() {
	k.engine.Close()
	k.loops.Wait()
	k.closeHTTP()
}

func (k *conn) closeHTTP() {
	k.http.Close()
	if s := k.http.Log(); s != "" {
		k.tb.Logf("socketiotest: the HTTP server logged:\n%s", s)
	}
}

// drop cuts the connection.
func (k *conn) drop() {
	k.mu.Lock()
	k.dropped = lost(Transport(k.engine.Transport()))
	k.mu.Unlock()
	k.engine.Abort()
	k.loops.Wait()
}

// await waits until cond, which is called with the mutex held, is true. It
// returns false if that takes longer than d.
func (k *conn) await(d time.Duration, cond func() bool) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for late := false; ; {
		k.mu.Lock()
		ok, changed := cond(), k.changed
		k.mu.Unlock()
		if ok || late {
			return ok
		}
		select {
		case <-changed:
		case <-timer.C:
			late = true
		}
	}
}

// broadcast wakes what awaits. The mutex is held.
func (k *conn) broadcast() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// inUse reports whether any client is in a namespace or on the way. The mutex
// is held.
func (k *conn) inUse() bool {
	for _, c := range k.clients {
		if c.active() {
			return true
		}
	}
	return false
}

func (k *conn) over() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ended
}

func (k *conn) serverFault() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fault
}
