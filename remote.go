package socketio

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seed-d124fa34/socketio/internal/sessionid"
	"github.com/seed-d124fa34/socketio/parser"
)

// Clients on other servers: how they are asked for acknowledgements, and the
// Socket that stands for one that answered.

// farSocket returns a socket that stands for a client on another server, of
// which no more is known than its session id.
func (srv *Server) farSocket(ns, sid string) *Socket {
	s := &Socket{client: &client{srv: srv}, name: ns, sid: sid}
	s.state.Store(stateGone)
	return s
}

// remote reports whether the socket stands for a client on another server.
func (s *Socket) remote() bool { return s.client.conn == nil }

// here returns the socket, nil if it is on another server.
func (s *Socket) here() *Socket {
	if s == nil || s.remote() {
		return nil
	}
	return s
}

// noRequest is the request of a client that connected elsewhere.
func noRequest() *http.Request {
	return &http.Request{Method: http.MethodGet, URL: new(url.URL), Header: http.Header{}, Body: http.NoBody}
}

// context returns the connection's context.
func (cl *client) context() context.Context {
	if cl.conn == nil {
		return context.Background()
	}
	return cl.conn.Context()
}

// mayKnow reports whether the one target of an emission that has no recipient
// here may be a client of another server.
func (c *cluster) mayKnow(e *emission) bool {
	return c != nil && !e.local && len(e.rooms) == 1 && len(e.except) == 0
}

// question waits for answers from other servers: of one client (who), of these
// clients (far), or, for a callback, of nobody knows how many, until it expires.
type question struct {
	ns      string
	target  ackTarget
	who     *Socket
	far     map[string]*Socket // by session id
	notices bool               // the target wants to know who leaves

	// For a callback.
	only   *Socket             // the one client that is asked, if that is known
	after  time.Duration       // when it expires
	heard  map[string]struct{} // session ids of those who have answered or left; guarded by cluster.mu
	expiry *time.Timer
}

// isClientID reports whether a name is the session id of a client: one of this
// module's, or, as far as it can be seen, one of python-socketio's: 20
// characters in base64, the first 16 of them random.
func isClientID(name string) bool {
	const pythonLen, random = 20, 16
	if len(name) != pythonLen {
		return sessionid.Is(name)
	}
	if _, err := base64.RawURLEncoding.DecodeString(name); err != nil {
		return false
	}
	begin := name[:random]
	return strings.ToLower(begin) != begin && strings.ToUpper(begin) != begin
}

// from returns the socket that stands for the client that an answer comes from,
// nil if it was not asked. Servers of Flask-SocketIO name the room that was
// asked: if that is no client's own, the socket has no session id.
func (q *question) from(c *cluster, m *arrival) (s *Socket, sid string) {
	sid, named := name(m.from)
	if !named {
		sid, _ = name(m.sid)
	}
	switch {
	case q.who != nil:
		return q.who, sid
	case q.far != nil:
		return q.far[sid], sid
	case !named && !isClientID(sid):
		sid = ""
	}
	return c.srv.farSocket(q.ns, sid), sid
}

// first reports, with c.mu held, whether nothing has been heard of a client
// before: a broker may deliver a message twice. Answers that do not say whose
// they are cannot be told apart.
func (q *question) first(sid string) bool {
	if q.heard == nil || sid == "" {
		return true
	}
	_, before := q.heard[sid]
	q.heard[sid] = struct{}{}
	return !before
}

// expect registers a question. It reports false when the cluster is closed.
func (c *cluster) expect(id uint64, q *question) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked == nil {
		return false
	}
	if q.after > 0 {
		q.expiry = time.AfterFunc(q.after, func() { c.expire(id) })
	}
	c.asked[id] = q
	return true
}

// forget ends expect. It returns the question, nil if that has ended before.
func (c *cluster) forget(id uint64) *question {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.asked[id]
	if q != nil && q.expiry != nil {
		q.expiry.Stop()
	}
	delete(c.asked, id)
	return q
}

// expire ends a question whose time is over.
func (c *cluster) expire(id uint64) {
	c.srv.workers.Begin() // before forget, so that Shutdown waits for the callback
	defer c.srv.workers.End()
	if q := c.forget(id); q != nil {
		event, _ := q.target.asked()
		q.end(lateAck(event, q.after))
	}
}

// end tells those who are waited for that there will be no answer.
func (q *question) end(err error) {
	if q.expiry != nil {
		q.expiry.Stop()
	}
	if q.who != nil {
		q.target.failed(q.who, err)
	}
	for _, s := range q.far {
		q.target.failed(s, err)
	}
	if q.only != nil {
		if _, heard := q.heard[q.only.sid]; !heard {
			q.target.failed(q.only, err)
		}
	}
}

// answer takes an acknowledgement of a client on another server.
func (c *cluster) answer(m *arrival) error {
	id, err := strconv.ParseUint(string(m.id), 10, 64)
	if err != nil || m.args == nil {
		return errors.New("a callback without id or args")
	}
	c.mu.Lock()
	q := c.asked[id]
	c.mu.Unlock()
	if ns, _ := text(m.namespace); q == nil || ns != q.ns {
		return nil // too late, or a second answer
	}
	who, sid := q.from(c, m)
	if who == nil {
		return nil // it came into the room when others had been chosen
	}
	if truthy(m.left) {
		if q.notices && sid == who.sid && c.claim(id, q, sid) {
			err := errLeftElsewhere
			if most, bad := strconv.Atoi(string(m.limit)); bad == nil {
				err = &LimitError{limitPendingAcks, most}
			}
			q.target.failed(who, err)
		}
		return nil
	}
	p, err := readPayload(m.args, truthy(m.binary))
	if err != nil {
		return err
	}
	_, decoded, err := p.packet(c.codec, parser.Header{Type: parser.Ack, Namespace: "/", HasID: true}, nil)
	if err != nil {
		return err
	}
	if c.claim(id, q, sid) {
		q.target.answered(who, decoded.Args)
	}
	return nil
}

// claim reports whether the question is still open for what comes from a client,
// which is then the last that comes from it.
func (c *cluster) claim(id uint64, q *question, sid string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked[id] != q || !q.first(sid) {
		return false
	}
	if q.only != nil && sid == q.only.sid { // nobody else is waited for
		q.expiry.Stop()
		delete(c.asked, id)
	}
	return true
}

// asker returns who wants the acknowledgements of an event from another server,
// nil if nobody does.
func (c *cluster) asker(m *arrival) (ackTarget, error) {
	if absent(m.callback) {
		return nil, nil
	}
	var back [][]byte
	err := walkArray(m.callback, func(value []byte) bool {
		back = append(back, bytes.Clone(value))
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("callback: %w", err)
	}
	if len(back) != 3 {
		return nil, nil
	}
	return &remoteTarget{c: c, host: bytes.Clone(m.host), sid: back[0], ns: back[1], id: back[2], full: truthy(m.full), notices: truthy(m.notices)}, nil
}

// remoteTarget is another server that asked for acknowledgements. What names
// the question there is repeated as it came.
type remoteTarget struct {
	c                 *cluster
	host, sid, ns, id []byte
	full              bool // it takes binary answers
	notices           bool // it wants to know who leaves or was not asked
}

// errQuestionEnds: the answer would come to a server that is no more.
var errQuestionEnds = fmt.Errorf("%w: this server shuts down", ErrBrokerUnavailable)

// errLeftElsewhere: a client of another server left before it answered.
var errLeftElsewhere = fmt.Errorf("%w, on another server", ErrClosed)

func (t *remoteTarget) failed(s *Socket, err error) {
	if !t.notices || absent(t.host) {
		return
	}
	msg := append(t.head(s), `,"left":true`...)
	if limit, ok := errors.AsType[*LimitError](err); ok {
		msg = strconv.AppendInt(append(msg, `,"limit":`...), int64(limit.Max), 10)
	}
	_ = t.c.put(append(msg, `,"args":[]}`...))
}

// head begins a message to the server that asked.
func (t *remoteTarget) head(s *Socket) []byte {
	msg := make([]byte, 0, 256)
	msg = append(append(msg, `{"method":"callback","host_id":`...), t.host...)
	msg = append(append(msg, `,"sid":`...), t.sid...)
	msg = append(append(msg, `,"namespace":`...), t.ns...)
	msg = append(append(msg, `,"id":`...), t.id...)
	return appendText(append(msg, `,"from":`...), s.sid)
}

// asked returns nothing: the other server has its own hooks.
func (t *remoteTarget) asked() (string, time.Time) { return "", time.Time{} }

func (t *remoteTarget) answered(s *Socket, args parser.Args) {
	if absent(t.host) {
		return // nobody to tell
	}
	list, attachments, err := t.encode(args)
	if err != nil {
		s.srv().log.Warn("socketio: the acknowledgement for another server cannot be sent", "namespace", s.name, "sid", short(s.sid), "error", err)
		return
	}
	msg := t.head(s)
	if len(attachments) > 0 {
		msg = append(msg, `,"binary":true`...)
	}
	msg = appendPayload(append(msg, `,"args":`...), list, attachments)
	_ = t.c.put(append(msg, '}')) // lost with the broker, as any message
}

// encode returns an acknowledgement's arguments, separated by commas. Python
// cannot be sent binary ones: it gets the base64 strings.
func (t *remoteTarget) encode(args parser.Args) (list []byte, attachments [][]byte, err error) {
	if t.full {
		text, attachments, err := t.c.codec.Encode(nil, parser.Header{Type: parser.Ack, Namespace: "/", HasID: true}, rawAll(args))
		if err != nil {
			return nil, nil, err
		}
		return text[bytes.IndexByte(text, '[')+1 : len(text)-1], attachments, nil
	}
	for i := range args.Len() {
		var raw json.RawMessage
		if err := args.Bind(i, &raw); err != nil {
			return nil, nil, err
		}
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, raw...)
	}
	return list, nil, nil
}
