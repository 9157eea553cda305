package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/seed-d124fa34/socketio/internal/plural"
)

// Question is what is asked of other servers.
type Question struct {
	// Content is JSON, and otherwise opaque to the fleet.
	Content json.RawMessage
	// Order is set if the question changes something. Each server carries it out once.
	Order bool
	// UntilFound is set if Ask returns as soon as one server has answered with Found.
	UntilFound bool
	// Urgent is set if Ask does not wait for a server that has gone without a goodbye. Servers give
	// signs of life every half second until they have answered such a question. A server that gives
	// none for two seconds after the question has come back from the broker counts as silent.
	Urgent bool
	// To is the one server that is asked. Empty: all. If it is this server itself, no server
	// answers, and Ask returns when Passed has returned. If the broker has one order for all, all
	// messages that this server published before have come back from the broker by then.
	To string
	// Passed, if set, is called when this server receives its own question. If the broker has one
	// order for all, the other servers receive later messages after the question, too. The
	// goroutine of Receive calls it, once at most, and no lock is held. Such a question is not
	// asked again if it is lost: it fails with ErrInterrupted or with its context.
	Passed func()
}

// Answer is what a server answers. The question decides what the fields mean.
type Answer struct {
	Names []string
	Count int
	Found bool
	// Err says what went wrong. The rest of the answer is valid nevertheless.
	Err string
}

// Reply is the answer of one server.
type Reply struct {
	Host string
	Answer
}

// Error says that not all servers have answered.
type Error struct {
	// Missing are the names of those that did not, or that answered with Answer.Err. It may be
	// empty: while the broker is away, the servers that are missing are not known.
	Missing []string
	Err     error // why: one of this package's errors, the context's error, or Answer.Err
}

// Error names the servers and says why.
func (e *Error) Error() string {
	return fmt.Sprintf("%s did not answer (%.1000s): %v", plural.Of(len(e.Missing), "server"), strings.Join(e.Missing, ", "), e.Err)
}

// Unwrap returns why.
func (e *Error) Unwrap() error { return e.Err }

// Ask asks all other servers, and waits until each has answered, is known not to, or the context
// ends. It returns the answers that have come, in the order of the servers' ids. The error is nil
// or an *Error, unless the question is not JSON.
//
// It takes up to two seconds after a subscription has begun, because until then there may be
// servers that are not known yet.
func (f *Fleet) Ask(ctx context.Context, q Question) ([]Reply, error) {
	if !json.Valid(q.Content) {
		return nil, fmt.Errorf("the question is not JSON: %.100q", q.Content)
	}
	s := f.begin(q)
	defer f.finish(s)
	if ctx.Err() == nil && !f.hasEnded(s) { // an order whose answer cannot arrive must not be carried out
		if err := f.publish(s.ask(nil)); err != nil {
			f.end(s, ErrUnavailable)
		}
	}
	retry := time.NewTicker(askAgain)
	defer retry.Stop()
	for {
		done, wait := f.progress(s)
		if done {
			return f.result(s)
		}
		var settled <-chan time.Time
		if wait > 0 {
			settled = time.After(wait)
		}
		select {
		case <-s.changed:
		case <-settled:
		case <-retry.C:
			if f.askStalled(s) != nil {
				f.end(s, ErrUnavailable)
			}
		case <-ctx.Done():
			f.end(s, ctx.Err())
		}
	}
}

// begin registers a question.
func (f *Fleet) begin(q Question) *survey {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lastID++
	s := &survey{id: f.lastID, question: q, once: q.Passed != nil, servers: make(map[string]*respondent), changed: make(chan struct{}, 1)}
	switch q.To {
	case "":
	case f.opts.Host:
		s.servers[q.To] = &respondent{name: f.opts.Name} // until the question has passed
	default:
		s.servers[q.To] = &respondent{name: q.To, state: silent, err: ErrLeft} // until it is heard of
	}
	for host, m := range f.members {
		s.expect(host, m)
	}
	switch {
	case f.closed:
		s.end(ErrClosed)
	case !f.subscribed:
		s.end(ErrUnavailable)
	case f.full && q.To == "":
		s.err = errTooManyServers
	}
	f.surveys[s.id] = s
	return s
}

func (f *Fleet) hasEnded(s *survey) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.ended
}

func (f *Fleet) finish(s *survey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.surveys, s.id)
}

func (f *Fleet) end(s *survey, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.end(err)
}

func (f *Fleet) result(s *survey) ([]Reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.result()
}

// progress reports whether the survey is complete. If it is not, progress returns after which time to call
// it again, because servers may turn up or fall silent until then; 0: that changes nothing.
func (f *Fleet) progress(s *survey) (done bool, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.question.Urgent {
		wait = f.noticeOverdue(s)
	}
	switch {
	case s.ended || s.found && s.question.UntilFound || s.question.To != "" && s.servers[s.question.To].final():
		return true, 0
	case s.waits() || f.helloSentAt.IsZero():
		return false, wait
	}
	wait = time.Until(f.helloSentAt.Add(settle))
	return wait <= 0, wait
}

// askStalled asks those again whose answers made no progress since it was called last.
func (f *Fleet) askStalled(s *survey) error {
	f.mu.Lock()
	asks := s.askStalled()
	f.mu.Unlock()
	for _, ask := range asks {
		if err := f.publish(ask); err != nil {
			return err
		}
	}
	return nil
}

// passed takes a message of this server itself.
func (f *Fleet) passed(m *message) {
	if m.Kind != kindAsk {
		return
	}
	f.mu.Lock()
	var call func()
	if s := f.surveys[m.ID]; s != nil {
		call, s.question.Passed = s.question.Passed, nil
		if s.question.Urgent {
			f.expectHeartbeats(s)
		}
	}
	f.mu.Unlock()
	if call == nil {
		return
	}
	call()
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.surveys[m.ID]; s != nil && s.question.To == f.opts.Host {
		s.servers[f.opts.Host].state = answered
		s.signal()
	}
}

// take takes a part of an answer, and requests the next one.
func (f *Fleet) take(m *message) {
	f.mu.Lock()
	var next *message
	if s := f.surveys[m.ID]; s != nil {
		next = s.take(m)
	}
	f.mu.Unlock()
	if next != nil {
		_ = f.publish(next) // otherwise it is requested again in a while
	}
}
