package eiotest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Mode is the way a Client connects.
type Mode string

// The modes of a Client.
const (
	Polling   Mode = "polling"   // long-polling only
	WebSocket Mode = "websocket" // WebSocket from the start
	Upgrade   Mode = "upgrade"   // long-polling, upgraded to WebSocket before Dial returns
)

// Options are the options of a Client. Nil means every default.
type Options struct {
	Mode       Mode       // Polling if empty; one of OldModes speaks revision 3
	Transport  *Transport // to share; nil means one of its own, with default buffers, closed with the client
	URL        string     // scheme and host; "http://server.test" if empty
	Path       string     // "/engine.io/" if empty
	Query      url.Values // added to every request
	Header     http.Header
	Cookies    []*http.Cookie
	NoAutoPong bool                   // leave pings unanswered; with revision 3, send none
	WebSocket  *websocket.DialOptions // compression and the like; the client and the headers are set by Dial
}

// Message is one message from the server.
type Message struct {
	Data   []byte
	Binary bool
}

// Client is an Engine.IO client. Its methods may be called from any goroutine.
//
// It owns these goroutines, which end when the connection does and which Wait waits for: the sender (what is queued, one
// request at a time), the poller (one GET at a time; gone after an upgrade) and the reader of the WebSocket.
type Client struct {
	opts Options
	raw  Raw
	own  *Transport // nil if shared
	hs   Handshake
	old  *old // nil: revision 4

	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	done   chan struct{} // closed with the connection
	loops  sync.WaitGroup

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced when any of the following changes
	out       []packet      // to send
	sending   bool          // a batch of them is on its way
	polling   bool          // the poller runs
	upgrading bool          // sender and poller pause
	closing   bool          // Close was called
	ws        *websocket.Conn
	in        []Message
	closed    *CloseError
	heartbeat *time.Timer
	hushed    bool // Hush was called
	messages  int  // how many have arrived
	ponged    int  // how many had arrived when the last ping was answered
}

// Dial connects to h, which may be nil if opts has a Transport. ctx bounds the handshake (and the upgrade) only.
// The caller ends the client with Close or Abort. A refusal is a *RefusedError.
func Dial(ctx context.Context, h http.Handler, opts *Options) (*Client, error) {
	c := &Client{done: make(chan struct{}), changed: make(chan struct{})}
	if opts != nil {
		c.opts = *opts
	}
	t := c.opts.Transport
	if t == nil {
		c.own = NewTransport(h, nil)
		t = c.own
	}
	header := c.opts.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if len(c.opts.Cookies) > 0 {
		r := http.Request{Header: header}
		for _, k := range c.opts.Cookies {
			r.AddCookie(k)
		}
	}
	c.opts.Mode, c.old = revision3(c.opts.Mode)
	c.raw = Raw{Transport: t, URL: c.opts.URL, Path: c.opts.Path, Query: c.opts.Query, Header: header}
	if c.old != nil {
		c.raw.Query = c.old.query(c.opts.Query)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())

	var err error
	switch c.opts.Mode {
	case "", Polling:
		err = c.openPolling(ctx)
	case WebSocket:
		err = c.openWebSocket(ctx)
	case Upgrade:
		if err = c.openPolling(ctx); err == nil {
			err = c.Upgrade(ctx)
		}
	default:
		err = fmt.Errorf("eiotest: unknown mode %q", c.opts.Mode)
	}
	if err != nil {
		c.Abort()
		return nil, err
	}
	return c, nil
}

// Connect is Dial for tests: the test fails if it does, and ends the client.
func Connect(tb testing.TB, h http.Handler, opts *Options) *Client {
	tb.Helper()
	c, err := Dial(tb.Context(), h, opts)
	if err != nil {
		tb.Fatalf("eiotest: connecting: %v", err)
	}
	tb.Cleanup(c.Abort)
	return c
}

// start starts the sender and the clock that misses the server's pings.
func (c *Client) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.old != nil {
		c.schedulePing()
	} else {
		c.heartbeat = time.AfterFunc(c.hs.patience(), func() { c.end(&CloseError{Kind: CloseTimeout}) })
	}
	c.loops.Go(c.send)
}

// patience is how long a client waits for a ping.
func (hs *Handshake) patience() time.Duration {
	return time.Duration(hs.PingInterval+hs.PingTimeout) * time.Millisecond
}

// Handshake returns the content of the open packet.
func (c *Client) Handshake() Handshake { return c.hs }

// Raw returns a Raw for single requests on this session, besides those of the client.
func (c *Client) Raw() *Raw {
	r := c.raw
	return &r
}

// Transport names the transport in use: "polling" or "websocket".
func (c *Client) Transport() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ws != nil {
		return "websocket"
	}
	return "polling"
}

// Send queues a text message. It does not block.
func (c *Client) Send(text string) error {
	return c.queue(packet{packetMessage, []byte(text), false})
}

// SendBinary queues a binary message. It does not block and keeps no reference to data.
func (c *Client) SendBinary(data []byte) error {
	return c.queue(packet{packetMessage, append([]byte{}, data...), true})
}

// SendPacket queues a packet in the form of a polling payload, such as "3" for a pong.
func (c *Client) SendPacket(s string) error {
	p, err := parsePacket(s)
	if err != nil {
		return fmt.Errorf("eiotest: %w", err)
	}
	return c.queue(p)
}

func (c *Client) queue(p packet) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil {
		return c.closed
	}
	if c.closing {
		return ErrClosed
	}
	c.out = append(c.out, p)
	c.broadcast()
	return nil
}

// Drain waits until everything queued was sent; over long-polling, until the server has answered.
func (c *Client) Drain(ctx context.Context) error {
	return c.await(ctx, func() bool { return len(c.out) == 0 && !c.sending })
}

// Receive returns the next message. Messages that came before the end of the connection are returned after it; then
// the error is the *CloseError.
func (c *Client) Receive(ctx context.Context) (Message, error) {
	var m Message
	err := c.await(ctx, func() bool {
		if len(c.in) == 0 {
			return false
		}
		m, c.in = c.in[0], c.in[1:]
		return true
	})
	return m, err
}

// await waits until cond, which is called with the mutex held, is true, or the connection or ctx has ended.
func (c *Client) await(ctx context.Context, cond func() bool) error {
	for {
		c.mu.Lock()
		ok, closed, changed := cond(), c.closed, c.changed
		c.mu.Unlock()
		switch {
		case ok:
			return nil
		case closed != nil:
			return closed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// broadcast wakes what awaits. The mutex is held.
func (c *Client) broadcast() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Closed is closed when the connection has ended.
func (c *Client) Closed() <-chan struct{} { return c.done }

// Err says how the connection ended, or nil.
func (c *Client) Err() *CloseError {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Wait waits for the end of the connection and of the client's goroutines.
func (c *Client) Wait() {
	<-c.done
	c.loops.Wait()
}

// Close sends what is queued and leaves as a client should: with a close packet over long-polling, with the close
// handshake of WebSocket. It waits for an upgrade under way and for the client's goroutines. After 10 seconds it
// aborts.
func (c *Client) Close() {
	ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
	defer cancel()
	_ = c.await(ctx, func() bool { return !c.upgrading })

	c.mu.Lock()
	c.closing = true
	ws := c.ws
	if ws == nil && c.closed == nil {
		c.out = append(c.out, packet{kind: packetClose})
		c.broadcast()
	}
	c.mu.Unlock()

	if c.Drain(ctx) == nil && ws != nil {
		_ = ws.Close(websocket.StatusNoStatusRcvd, "")
	}
	c.Abort()
}

// Abort drops the connection, as a client that crashes does, and waits for the client's goroutines.
func (c *Client) Abort() {
	c.end(&CloseError{Kind: CloseLocal})
	c.loops.Wait()
	if c.own != nil {
		c.own.Close()
	}
}

// end ends the connection; the first reason counts.
func (c *Client) end(why *CloseError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil {
		return
	}
	if c.closing {
		why.Kind = CloseLocal // the server's answer to it
	}
	c.closed = why
	if c.heartbeat != nil {
		c.heartbeat.Stop()
	}
	close(c.done)
	c.broadcast()
	c.cancel()
}

// violation ends the connection because the server has violated the protocol.
func (c *Client) violation(format string, args ...any) {
	c.end(&CloseError{Kind: CloseProtocol, Err: fmt.Errorf(format, args...)})
}

// handle processes a packet. It reports whether the connection goes on.
func (c *Client) handle(p packet) bool {
	switch p.kind {
	case packetMessage:
		c.mu.Lock()
		c.in = append(c.in, Message{p.data, p.binary})
		c.messages++
		c.broadcast()
		c.mu.Unlock()
	case packetPong:
		if c.old == nil {
			c.violation("unexpected packet: %v", p)
			return false
		}
		c.mu.Lock()
		c.schedulePing()
		c.mu.Unlock()
	case packetPing:
		if len(p.data) > 0 || c.old != nil {
			c.violation("ping with data: %v", p)
			return false
		}
		c.mu.Lock()
		if c.closed == nil {
			c.heartbeat.Reset(c.hs.patience())
			if !c.opts.NoAutoPong && !c.hushed && !c.closing {
				c.ponged = c.messages
				c.out = append(c.out, packet{kind: packetPong})
				c.broadcast()
			}
		}
		c.mu.Unlock()
	case packetNoop:
	case packetClose:
		c.end(&CloseError{Kind: ClosePacket})
		return false
	default:
		c.violation("unexpected packet: %v", p)
		return false
	}
	return true
}

// send is the sender.
func (c *Client) send() {
	for {
		var batch []packet
		var ws *websocket.Conn
		err := c.await(c.ctx, func() bool {
			if c.upgrading || len(c.out) == 0 {
				return false
			}
			ws = c.ws
			batch = c.take(ws != nil)
			c.sending = true
			return true
		})
		if err != nil {
			return
		}
		if ws != nil {
			c.writeWebSocket(ws, batch)
		} else {
			c.post(batch)
		}
		c.mu.Lock()
		c.sending = false
		c.broadcast()
		c.mu.Unlock()
	}
}
