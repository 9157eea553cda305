package socketiotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/parser"
)

// offsetEvent is what the server sends behind an event that asks for an acknowledgement, if the
// client can come back.
const offsetEvent = "$offset"

// Reconnect comes back with a new connection, as the official client does when it has lost
// its connection ([Client.Drop], [Client.Abandon]), and returns the client that goes on. With
// [socketio.Options].Recovery it is in the same session, see [Client.Recovered], and gets the
// events that this client has not received; those that have arrived at this client, and were not
// returned by Next, stay there. It fails the test if the server refuses the client.
//
// The offset that such a server adds to events is not among their arguments; the null
// that it adds to some volatile events is.
func (c *Client) Reconnect() *Client {
	c.conn.tb.Helper()
	back, err := c.TryReconnect()
	if err != nil {
		c.conn.tb.Fatal(err)
	}
	return back
}

// TryReconnect is [Client.Reconnect] for a server that may refuse the client: the errors are
// those of [TryConnect].
func (c *Client) TryReconnect() (*Client, error) {
	c.conn.tb.Helper()
	return c.reconnect(c.conn.handler, c.conn.opts)
}

func (c *Client) reconnect(h http.Handler, opts Options) (*Client, error) {
	c.conn.tb.Helper()
	if err := c.mustBeGone(); err != nil {
		return nil, err
	}
	k, err := dial(c.conn.tb, h, opts)
	if err != nil {
		return nil, err
	}
	return k.begin(c.namespace, c.auth, c)
}

// ReconnectOn is [Client.Reconnect] over the connection of another client: for one that was in
// several namespaces on one connection.
func (c *Client) ReconnectOn(other *Client) *Client {
	k := other.conn
	k.tb.Helper()
	err := c.mustBeGone()
	var back *Client
	if err == nil {
		back, err = k.join(c.namespace, c.auth, c)
	}
	if err != nil {
		k.tb.Fatal(err)
	}
	return back
}

// ReconnectTo is [Client.Reconnect] to another server, such as another one on the same broker, or the
// one that was started instead. It is for h what the handler given to [Connect] was.
func (c *Client) ReconnectTo(h http.Handler) *Client {
	k := c.conn
	k.tb.Helper()
	opts := k.opts
	if srv, ok := h.(*socketio.Server); ok {
		opts.Server = srv
	}
	back, err := c.reconnect(h, opts)
	if err != nil {
		k.tb.Fatal(err)
	}
	return back
}

// mustBeGone returns an error if the client is connected.
func (c *Client) mustBeGone() error {
	if c.Connected() {
		return fmt.Errorf("socketiotest: Reconnect: the client is connected to %s: call Drop or Abandon before", c.namespace)
	}
	return nil
}

// Recovered reports whether the client goes on with the session of the client that it comes back
// as: it has its session id and rooms, and gets what that one has missed. It is the official
// client's socket.recovered.
func (c *Client) Recovered() bool {
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	return c.recovered
}

// Abandon loses the connection without the server noticing: it stays open, but the client
// answers nothing any more and ignores what arrives. The server notices by its ping timeout, or
// when the client comes back.
func (c *Client) Abandon() {
	k := c.conn
	k.engine.Hush()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.silent = true
	for _, c := range k.clients {
		if c.active() {
			c.end(connectionLost, lost(c.Transport()))
		}
	}
	k.broadcast()
}

// connectArgs returns the payload of the client's CONNECT packet, as the session of the client before.
func (c *Client) connectArgs(before *Client) (args []any, err error) {
	var was recoveryAuth
	if before != nil {
		was = before.recoveryAuth()
	}
	if was == (recoveryAuth{}) {
		if c.auth != nil {
			args = []any{c.auth}
		}
		return args, nil
	}
	c.pid, c.offset = was.pid, was.offset
	payload := map[string]any{"pid": was.pid}
	if was.offset != "" {
		payload["offset"] = was.offset
	}
	if c.auth != nil {
		auth, err := object(c.auth)
		if err != nil {
			return nil, err
		}
		maps.Copy(payload, auth)
	}
	return []any{payload}, nil
}

// object returns what encodes to a JSON object as a map.
func object(v any) (m map[string]any, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // as it was
	return m, decoder.Decode(&m)
}

// recoveryAuth is what a client sends with CONNECT to go on with its session.
type recoveryAuth struct{ pid, offset string }

func (c *Client) recoveryAuth() recoveryAuth {
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	if c.pid == "" {
		return recoveryAuth{}
	}
	return recoveryAuth{c.pid, c.offset}
}

// withoutOffset returns the arguments of an event as the server's application gave them, and
// notes the offset. conn.mu is held.
func (c *Client) withoutOffset(p parser.Packet) parser.Args {
	if c.pid == "" || p.HasID || p.Args.Len() == 0 {
		return p.Args
	}
	last := p.Args.Len() - 1
	var value any
	if p.Args.Bind(last, &value) != nil {
		return p.Args
	}
	offset, ok := value.(string)
	if !ok {
		return p.Args
	}
	c.offset = offset
	return firstArgs{p.Args, last}
}

// firstArgs are some arguments, without those behind.
type firstArgs struct {
	parser.Args
	n int
}

func (a firstArgs) Len() int { return a.n }
