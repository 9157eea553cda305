package cluster

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/parser"
)

// Question asks clients of this server, for another one, to acknowledge an event. Its methods may be called from any goroutine and do not wait.
type Question struct {
	c       *Cluster
	wire    *wire.Question
	timeout time.Duration // how long the other server still waits; zero: until it cancels

	// questions.mu guards the rest.
	end    func()
	expiry *time.Timer // nil if there is no timeout
	next   *Question   // of the same key: a question to many clients comes in several messages
}

func (c *Cluster) newQuestion(wq *wire.Question) *Question {
	q := &Question{c: c, wire: wq, timeout: wq.Timeout}
	if q.timeout < 0 { // a server of Flask-SocketIO does not say it
		q.timeout = c.opts.AckTimeout
	}
	return q
}

// Resume returns a question to a client that was asked on another server, see Adapter.
func (c *Cluster) Resume(host, namespace string, id uint64, timeout time.Duration) *Question {
	return c.newQuestion(c.wire.Question(host, namespace, id, timeout))
}

// Answered publishes the answer of a client. The error is that the answer cannot be
// sent to another server.
func (q *Question) Answered(sid string, args parser.Args) error {
	payload, err := q.encode(args)
	if err == nil {
		_ = q.c.put(q.c.wire.Answer(q.wire, wire.Answer{From: sid, Payload: payload})) // lost with the broker, as any message
	}
	return err
}

// Failed publishes that a client does not answer, if the other server asked for failures.
// The client has left or, if limit is positive, owes so many answers already.
func (q *Question) Failed(sid string, limit int) {
	if q.wire.Failures {
		_ = q.c.put(q.c.wire.Answer(q.wire, wire.Answer{From: sid, Failed: true, Limit: limit}))
	}
}

// encode returns an acknowledgement's arguments. Servers in Python get binary ones as
// base64 strings.
func (q *Question) encode(args parser.Args) (p wire.Payload, err error) {
	if q.wire.Binary {
		text, attachments, err := q.c.opts.Codec.Encode(nil, parser.Header{Type: parser.Ack, HasID: true}, parser.RawArgs(args))
		if err != nil {
			return p, err
		}
		return wire.Payload{Args: parser.SplitAck(text), Attachments: attachments}, nil
	}
	for i := range args.Len() {
		var raw json.RawMessage
		if err := args.Bind(i, &raw); err != nil {
			return p, err
		}
		if i > 0 {
			p.Args = append(p.Args, ',')
		}
		p.Args = append(p.Args, raw...)
	}
	return p, nil
}

// failMissing publishes that the clients that have left this server do not answer.
func (q *Question) failMissing(e *wire.Event) {
	for _, sid := range e.Rooms {
		if !q.c.opts.Host.Interested(&wire.Event{Namespace: e.Namespace, Rooms: []string{sid}}) {
			q.Failed(sid, 0)
		}
	}
}

// Wait says that clients have been asked and not all of them have answered. When the other
// server waits no more, end is called: at most once, by any goroutine, not after Done.
func (q *Question) Wait(end func()) { q.c.questions.add(q, end) }

// Done says that all clients have answered, or will not.
func (q *Question) Done() { q.c.questions.remove(q) }

// questionKey names a question: who asks, and what the answers name.
type questionKey struct{ host, id string }

func (q *Question) key() questionKey { return questionKey{q.wire.Host, q.wire.ID} }

// questions are those that clients of this server owe answers to. Its lock is the last.
type questions struct {
	mu  sync.Mutex
	all map[questionKey]*Question // nil when closed
}

func (qs *questions) add(q *Question, end func()) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	if qs.all == nil {
		return
	}
	q.end = end
	if q.timeout > 0 {
		q.expiry = time.AfterFunc(q.timeout, func() { qs.cancelThis(q) })
	}
	q.next = qs.all[q.key()]
	qs.all[q.key()] = q
}

// remove forgets a question. It returns nil if that has happened before.
func (qs *questions) remove(q *Question) *Question {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	k := q.key()
	switch before := qs.all[k]; {
	case before == q && q.next == nil:
		delete(qs.all, k)
	case before == q:
		qs.all[k] = q.next
	default:
		for before != nil && before.next != q {
			before = before.next
		}
		if before == nil {
			return nil
		}
		before.next = q.next
	}
	if q.expiry != nil {
		q.expiry.Stop()
	}
	return q
}

func (qs *questions) cancelThis(q *Question) {
	if qs.remove(q) != nil {
		q.end()
	}
}

// cancel ends a question.
func (qs *questions) cancel(k questionKey) {
	var ended []*Question
	qs.mu.Lock()
	for q := qs.all[k]; q != nil; q = q.next {
		ended = append(ended, q)
	}
	qs.mu.Unlock()
	for _, q := range ended {
		qs.cancelThis(q)
	}
}

// forget ends the questions of a server: all if the server is gone, or else those without
// a timeout, whose end the server would announce in a message that may be lost.
func (qs *questions) forget(host string, gone bool) {
	var ended []*Question
	qs.mu.Lock()
	for k, q := range qs.all {
		for ; q != nil && k.host == host; q = q.next {
			if gone || q.wire.Timeout == 0 {
				ended = append(ended, q)
			}
		}
	}
	qs.mu.Unlock()
	for _, q := range ended {
		qs.cancelThis(q)
	}
}

// close forgets all questions: the clients have gone.
func (qs *questions) close() {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	for _, q := range qs.all {
		for ; q != nil; q = q.next {
			if q.expiry != nil {
				q.expiry.Stop()
			}
		}
	}
	qs.all = nil
}
