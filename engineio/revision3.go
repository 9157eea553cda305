package engineio

import (
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/seed-d124fa34/socketio/engineio/internal/bufpool"
	"github.com/seed-d124fa34/socketio/engineio/internal/httpbody"
	"github.com/seed-d124fa34/socketio/engineio/internal/instant"
	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
	"github.com/seed-d124fa34/socketio/engineio/internal/revision3"
	"github.com/seed-d124fa34/socketio/internal/sessionid"
	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

var (
	errNoPing     = errors.New("engineio: the client sent no PING: in revision 3 of the protocol only the client sends them")
	errNoPoll     = errors.New("engineio: the client sent no poll: over polling, a client that is there polls again when it has an answer")
	errClientPong = errors.New("engineio: the client sent a PONG: in revision 3 of the protocol only the server sends them")

	errPingData = &parseError{"a PING with more than 125 bytes of data"}

	pongPacket = outgoing.NewPacket("3")

	octetStream = []string{"application/octet-stream"}
	javaScript  = []string{"text/javascript; charset=UTF-8"}
)

// maxPingData bounds what comes in a PING and goes back in the PONG, in bytes, as in a
// PING of WebSocket. So control packets have the server queue little.
const maxPingData = wsframe.MaxControl

// old is revision 3: see Options.AllowEIO3.
type old struct {
	base64 bool // the client cannot read binary data in the answers to polls
	script bool // it polls with script elements, which read scripts only
}

// dialectOf returns how a client speaks whose handshake has the query q. Like the
// reference server it takes for revision 3 what does not ask for revision 4.
func (s *Server) dialectOf(q *protocol.Query) (dialectID, *Refusal) {
	switch {
	case q.Version == protocol.Version && q.JSONP:
		return 0, refuseScript
	case q.Version == protocol.Version:
		return revision4, nil
	case !s.opts.AllowEIO3:
		return 0, refuse(http.StatusBadRequest, CodeUnsupportedVersion, causeVersion,
			fmt.Sprintf("unsupported protocol version: EIO=%.10q; this server speaks EIO=%s: use a client of Socket.IO 3 or later, or set Options.AllowEIO3", q.Version, protocol.Version))
	case q.JSONP && !revision3.IsIndex(q.Index):
		return 0, refuseIndex
	case q.JSONP:
		return revision3Script, nil
	case q.Base64:
		return revision3Base64, nil
	}
	return revision3Binary, nil
}

var (
	refuseScript = badRequest("polling with script elements (JSONP, the query parameter j) is for clients of revision 3, which use it for all requests or for none")
	refuseIndex  = badRequest("the query parameter j must be a number: it names the callback of a client that polls with script elements")
)

// checkScript refuses a poll or POST of a session whose answer would be a script although
// the session has none, or the other way around.
func (c *Conn) checkScript(q *protocol.Query) *Refusal {
	switch {
	case q.JSONP != (c.dialectID == revision3Script):
		return refuseScript
	case q.JSONP && !revision3.IsIndex(q.Index):
		return refuseIndex
	}
	return nil
}

func (*old) revision() int { return 3 }

// newID returns a session id which other servers know as one when they see it: clients of
// revision 3 use it as the id of their socket, too.
func (*old) newID() string { return sessionid.New() }

func (*old) handshake(h *protocol.Handshake) { h.MaxPayload = 0 }

func (*old) form(base64 bool) outgoing.Form {
	if base64 {
		return outgoing.Base64
	}
	return outgoing.Typed
}

func (d *old) receive(c *Conn, p []byte, binary bool) (room <-chan struct{}, err error) {
	data, is, err := p, binary, error(nil)
	if binary {
		data, err = revision3.Binary(p)
	} else {
		data, is, err = revision3.Base64(p)
	}
	switch {
	case err != nil:
		return nil, &parseError{err.Error()}
	case is:
		return c.deliverMessage(data, true), nil
	case len(p) > 1+maxPingData && p[0] == protocol.Ping:
		return nil, errPingData
	case len(p) > 0 && p[0] == protocol.Ping:
		d.pinged(c, p[1:])
		return c.control(), nil
	case len(p) > 0 && p[0] == protocol.Pong:
		return nil, errClientPong
	}
	return c.receivePacket(p)
}

// beginPost allows for what a form takes more than the payload in it.
func (d *old) beginPost(_ http.Header, b *httpbody.Body) error {
	if d.script {
		b.Allow(revision3.MaxFormGrowth)
	}
	return nil
}

func (d *old) receivePost(c *Conn, poll *pollState, h http.Header, body []byte) (err error) {
	n := len(body)
	framed := isBinary(h)
	if d.script {
		if body, err = revision3.FormPayload(body); err != nil {
			return &parseError{err.Error()}
		}
		if len(body) > c.srv.opts.Limits.MaxPayload {
			return httpbody.ErrTooLarge
		}
		framed = false
	}
	if !framed && !utf8.Valid(body) {
		return errNotUTF8
	}
	poll.turn.Lock()
	defer poll.turn.Unlock()
	c.recvMu.Lock()
	defer c.recvMu.Unlock()
	for others := controls(0); ; {
		var packet []byte
		binary := false
		if framed {
			packet, binary, body, err = revision3.NextFramed(body)
		} else {
			packet, body, err = revision3.Next(body)
		}
		if err != nil {
			return &parseError{err.Error()}
		}
		c.flusher.traffic.received(1, n)
		n = 0 // counted
		if !binary {
			if err := others.add(packet); err != nil {
				return err
			}
		}
		var room <-chan struct{}
		if !framed && len(packet) == 0 {
			room = c.control() // some clients send one when they have nothing to say
		} else {
			if !framed {
				packet = revision3.Undouble(packet)
			}
			if room, err = d.receive(c, packet, binary); err != nil {
				return err
			}
		}
		if room != nil {
			c.recvMu.Unlock()
			c.awaitRoom(room)
			c.recvMu.Lock()
		}
		if len(body) == 0 {
			return nil
		}
	}
}

// maxPlainText is the size of the largest answer of plain text, in bytes, to a client that
// can read framed packets. Clients of Socket.IO 1 in a browser have one function call make
// a string of it, which has as many arguments as there are bytes.
const maxPlainText = 32 << 10

func (d *old) payload(s *Server, units []*outgoing.Unit, last *outgoing.Unit, r *http.Request) (body []byte, contentType []string, buf *[]byte) {
	if last != nil {
		units = append(units[:len(units):len(units)], last)
	}
	form, size := outgoing.Base64, 0
	contentType = plainText
	for _, u := range units {
		size += u.Size()
		if !d.base64 && (size > maxPlainText || !u.PlainText()) {
			form, contentType = outgoing.Typed, octetStream
		}
	}
	if len(units) == 1 && !d.script {
		if body = units[0].OldPayload(form, s.opts.AppendASCII); body != nil {
			return body, contentType, nil
		}
	}
	buf = bufpool.Get()
	body = (*buf)[:0]
	for _, u := range units {
		body = u.AppendOldPayload(body, form, s.opts.AppendASCII)
	}
	*buf = body
	if d.script {
		script := bufpool.Get()
		body = revision3.AppendScript((*script)[:0], protocol.ParseQuery(r.URL.RawQuery).Index, body)
		*script = body
		bufpool.Put(buf)
		buf, contentType = script, javaScript
	}
	return body, contentType, buf
}

// beginLocked notes in pongSince when the last PING came, and has the timer fire before
// the client gives up that is not read from.
func (*old) beginLocked(c *Conn) {
	o := &c.srv.opts
	c.pongSince = instant.Now()
	c.setTimerLocked(min(c.pongSince.Add(o.PingInterval+o.PingTimeout/2), c.polledLocked().Add(o.PingInterval+o.PingTimeout)).Time())
}

// polledLocked returns when the client is known to have polled last: now, unless the last
// poll has been answered and the next one has not come.
func (c *Conn) polledLocked() instant.Instant {
	if p := c.poll; p != nil && c.ws == nil && !c.polling && !c.probing && !p.answering && !p.arrives.IsZero() {
		return instant.Of(p.arrives)
	}
	return instant.Now()
}

// heartbeatLocked ends a connection whose client has sent no PING, or no poll, for
// PingInterval and PingTimeout. What cannot be read because of the server does not count
// against the client, nor does a POST that is on its way: the PING may wait behind it, and
// the poll, if the client has one network connection only. A client that is not read from
// gets a PONG before it would give up.
func (*old) heartbeatLocked(c *Conn) error {
	o, now := &c.srv.opts, instant.Now()
	end, lastPoll := c.pongSince.Add(o.PingInterval+o.PingTimeout), c.polledLocked().Add(o.PingInterval+o.PingTimeout)
	mayBeLate := c.poll != nil && c.poll.posting || c.pongMayBeLateLocked()
	next := now.Add(o.PingTimeout / pongChecks)
	switch {
	case now >= lastPoll && !mayBeLate:
		return errNoPoll
	case c.pause != nil && c.pause.waiting > 0:
		c.pushPongLocked(pongPacket)
		next = now.Add(o.PingInterval + o.PingTimeout/2)
	case now < end && now < lastPoll:
		next = min(end, lastPoll)
	case !mayBeLate:
		return errNoPing
	}
	c.setTimerLocked(next.Time())
	return nil
}

// takeHeartbeat answers a PING. It never expects one: all count towards Options.Limits.ControlRate,
// since each has the server send something.
func (d *old) takeHeartbeat(c *Conn, kind byte) (heartbeat, expected, confirms bool) {
	if kind != protocol.Ping {
		return false, false, false
	}
	d.pinged(c, nil)
	return true, false, false
}

// pinged answers a PING, with the data that came in it.
func (d *old) pinged(c *Conn, data []byte) {
	pong := pongPacket
	if len(data) > 0 {
		pong = outgoing.NewPacket(string(protocol.Pong) + string(data))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		d.beginLocked(c)
		c.pushPongLocked(pong)
	}
}

func (c *Conn) pushPongLocked(pong *outgoing.Unit) {
	if c.queue.Fits(pong, c.srv.opts.Limits.SendQueueLimit) {
		c.pushLocked(pong)
	}
}

// Revision returns the revision of the Engine.IO protocol that the client speaks: 4, or 3
// with Options.AllowEIO3.
func (c *Conn) Revision() int { return c.dialect().revision() }
