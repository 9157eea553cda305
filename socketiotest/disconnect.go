package socketiotest

import (
	"github.com/seed-d124fa34/socketio/parser"
)

// Disconnect leaves the namespace, and closes the connection if it was the last
// one: a client that says goodbye. What was sent before is delivered. The
// server's disconnect handler may still be running when it returns.
func (c *Client) Disconnect() {
	k := c.conn
	k.mu.Lock()
	if !c.active() {
		k.mu.Unlock()
		return
	}
	c.endSilently(left, reasonClient) // from now on nothing is received
	defer close(c.gone)               // whoever waits for it may drop the connection
	k.broadcast()
	last := !k.inUse()
	k.mu.Unlock()
	_ = k.send(parser.Header{Type: parser.Disconnect, Namespace: c.namespace}, nil) // a closed connection needs none
	if last {
		k.engine.Close()
		k.loops.Wait()
	}
}

// Drop cuts the connection, with all its namespaces, as a crash of the client
// does: without a goodbye. The server notices at once, but while polling only
// if a request is waiting there, which is certain when everything is idle
// ([testing/synctest.Wait]); else it notices by its ping timeout. See
// [Options].IgnorePings for a connection that stays open and silent.
func (c *Client) Drop() { c.conn.drop() }

// Connected reports whether the client is in its namespace, as far as it knows
// at this moment.
func (c *Client) Connected() bool {
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	return c.state == joined
}

// Disconnected returns a channel that is closed when the client is not in its
// namespace any more.
func (c *Client) Disconnected() <-chan struct{} { return c.gone }

// WaitDisconnect waits until the client is disconnected and returns
// [Client.DisconnectReason]. It fails the test if that does not happen in time.
func (c *Client) WaitDisconnect() (reason string) {
	k := c.conn
	k.tb.Helper()
	if !k.await(k.opts.Timeout, func() bool { return !c.active() }) {
		k.tb.Fatalf("socketiotest: WaitDisconnect: still connected after %v", k.opts.Timeout)
	}
	return c.DisconnectReason()
}

// DisconnectReason says why the client was disconnected, in the words of the
// official client:
//
//	io server disconnect   the server disconnected it
//	io client disconnect   it called Disconnect
//	ping timeout           the server stopped sending pings
//	transport close        the connection was closed or, on WebSocket, lost
//	transport error        a polling request failed, or the connection was lost while polling
//	parse error            the server sent something that is no packet, or not allowed
//
// It is empty while the client is connected.
func (c *Client) DisconnectReason() string {
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	return c.reason
}

// active reports whether the client is in its namespace or on the way. The
// mutex is held, as for all that follow.
func (c *Client) active() bool { return c.state == joining || c.state == joined }

// end ends an active client.
func (c *Client) end(s state, reason string) {
	c.endSilently(s, reason)
	close(c.gone)
}

// endSilently is end without closing gone: nobody who waits for the client wakes.
func (c *Client) endSilently(s state, reason string) {
	c.state, c.reason = s, reason
	clear(c.acks)
}

// why says why the client is not connected.
func (c *Client) why() string {
	if c.reason == "" { // the client does not know yet
		return c.conn.why()
	}
	return c.conn.detail(c.reason)
}
