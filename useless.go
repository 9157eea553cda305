package socketio

import (
	"context"
	"time"
)

// Packets that mean nothing cost the server as much as those that do, and no
// handler slows their client down: acknowledgements that nobody expects, packets for a
// namespace that the client has left, and requests for one that does not exist.
// Above Options.Limits.ControlRate, after uselessBurst seconds' worth at once, the server
// does not read from the client for uselessPause.
const (
	defaultControlRate = 1000
	uselessBurst       = 10
	uselessPause       = time.Second
)

// useless counts a packet that means nothing. It is called on the read side.
func (cl *client) useless() {
	interval := time.Second / time.Duration(cl.srv.opts.Limits.ControlRate)
	if cl.wasted.Take(time.Since(cl.srv.began), interval, interval*time.Duration(cl.srv.opts.Limits.ControlRate)*uselessBurst) {
		return
	}
	cl.slow = true
}

// unexpected counts an acknowledgement that nobody expects, also as an event.
func (cl *client) unexpected() {
	cl.useless()
	if cl.throttle() == flood {
		cl.fail(ReasonTransportError, cl.srv.errTooFast())
	}
}

// breather returns what the engine waits for after too many useless packets.
func (cl *client) breather() <-chan struct{} {
	cl.slow = false
	cl.srv.stats.hit(limitControlRate)
	const kind = "useless packets"
	if ctx := context.Background(); cl.srv.notices.Enabled(ctx, kind) {
		cl.srv.notices.Warn(ctx, kind, "socketio: a client is read from more slowly because it sends packets that mean nothing faster than "+
			"Options.Limits.ControlRate: acknowledgements that nobody expects, packets for namespaces it is not in", "rate", cl.srv.opts.Limits.ControlRate,
			"connection", short(cl.conn.ID()))
	}
	room := make(chan struct{})
	time.AfterFunc(uselessPause, func() { close(room) })
	return room
}
