package socketio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio/internal/rooms"
)

const (
	// askAgain is how long an answer may take before it is asked for again:
	// brokers may lose messages.
	askAgain = 2 * time.Second
	// maxNames bounds the answers to one question.
	maxNames = 10_000_000
	// maxRecent bounds the orders that are remembered.
	maxRecent = 1000
)

var (
	errSilentServer   = errors.New("a server has not been heard of for a while")
	errShutsDown      = errors.New("this server shuts down")
	errTooManyServers = errors.New("there are more servers than can be asked")
	errTooManyNames   = errors.New("the answer is too big")
	errOtherVersion   = errors.New("a server does not understand the question: all are to run the same version")
)

// result is what one server answers.
type result struct {
	names []string
	count int
	found bool
	err   string
}

func (r *result) add(o *result) {
	r.names = append(r.names, o.names...)
	r.count += o.count
	r.found = r.found || o.found
}

// survey is a question that is being asked. servers.mu guards it.
type survey struct {
	servers *servers
	ask     *serversMessage
	waiting map[string]*arriving // by host
	settled map[string]bool      // hosts that need not be waited for any more
	sum     result
	missing []string
	err     error         // why the first is missing
	ended   bool          // there will be no more answers
	changed chan struct{} // has an element when something has
}

// arriving is an answer of which not all parts have come.
type arriving struct {
	next int
	result
}

func (q *survey) signal() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// expect adds a server to those that are waited for. It reports false if it is
// not a new one, or cannot be asked.
func (q *survey) expect(host string, version int) bool {
	if q.ended || q.settled[host] || q.waiting[host] != nil {
		return false
	}
	if version != serversVersion {
		q.fail(host, q.servers.nameOf(host), errOtherVersion)
		return false
	}
	q.waiting[host] = new(arriving)
	q.signal()
	return true
}

// dismiss ends the wait for a server that has nobody any more.
func (q *survey) dismiss(host string) {
	delete(q.waiting, host)
	q.signal()
}

// fail notes that a server does not answer.
func (q *survey) fail(host, name string, err error) {
	if q.ended || q.settled[host] {
		return
	}
	delete(q.waiting, host)
	q.settled[host] = true
	q.missing = append(q.missing, name)
	if q.err == nil {
		q.err = err
	}
	q.signal()
}

// end ends the wait: who has not answered is missing.
func (q *survey) end(err error) {
	if q.ended {
		return
	}
	for _, host := range slices.Sorted(maps.Keys(q.waiting)) {
		q.fail(host, q.servers.nameOf(host), err)
	}
	if q.err == nil {
		q.err = err
	}
	q.ended = true
	q.signal()
}

// take takes a part of an answer.
func (q *survey) take(m *serversMessage) {
	if q.ended || q.settled[m.Host] {
		return
	}
	a := q.waiting[m.Host]
	if a == nil { // it answers before it is known
		a = new(arriving)
		q.waiting[m.Host] = a
	}
	if m.Part == 0 { // the first, or asked for again
		*a = arriving{}
	}
	if m.Part != a.next {
		return // one was lost: it will be asked for again
	}
	if len(q.sum.names)+len(a.names)+len(m.Names) > maxNames {
		q.fail(m.Host, q.servers.nameOf(m.Host), errTooManyNames)
		return
	}
	a.next++
	a.names = append(a.names, m.Names...)
	if !m.Last {
		return
	}
	a.count, a.found = m.Count, m.Found
	q.sum.add(&a.result)
	if m.Error != "" {
		q.fail(m.Host, q.servers.nameOf(m.Host), fmt.Errorf("%s: %.500s", q.servers.nameOf(m.Host), m.Error))
		return
	}
	delete(q.waiting, m.Host)
	q.settled[m.Host] = true
	q.signal()
}

// nameOf returns the name of a server, with s.mu held.
func (s *servers) nameOf(host string) string {
	if o := s.known[host]; o != nil {
		return o.name
	}
	return host
}

// survey asks all other servers, and adds their answers to the one from here. If
// enough is set, a server that has found it is enough.
func (s *servers) survey(ctx context.Context, ask *serversMessage, here result, enough bool) (result, error) {
	q := &survey{
		servers: s, ask: ask, sum: here,
		waiting: make(map[string]*arriving), settled: make(map[string]bool), changed: make(chan struct{}, 1),
	}
	s.mu.Lock()
	s.lastID++
	id := s.lastID
	ask.Is, ask.ID = "ask", id
	for host, o := range s.known {
		q.expect(host, o.version)
	}
	switch {
	case s.closed:
		q.end(errShutsDown)
	case !s.subscribed:
		q.end(ErrBrokerUnavailable)
	case s.full:
		q.err = errTooManyServers
	}
	s.surveys[id] = q
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.surveys, id)
	}()
	if ctx.Err() == nil && s.put(ask) != nil {
		s.endSurvey(q, ErrBrokerUnavailable)
	}
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		done, wait := s.progress(q, enough)
		if done {
			break
		}
		var settled <-chan time.Time
		if wait > 0 {
			settled = time.After(wait)
		}
		select {
		case <-q.changed:
		case <-settled:
		case <-again.C:
			if s.askLate(q) != nil {
				s.endSurvey(q, ErrBrokerUnavailable)
			}
		case <-ctx.Done():
			s.endSurvey(q, ctx.Err())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q.ended = true
	if q.err != nil && !(enough && q.sum.found) {
		return q.sum, &ClusterError{Missing: q.missing, Err: q.err}
	}
	return q.sum, nil
}

// progress reports whether all is known, or how long others may still turn up.
func (s *servers) progress(q *survey, enough bool) (done bool, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case q.ended || enough && q.sum.found:
		return true, 0
	case len(q.waiting) > 0 || s.since.IsZero():
		return false, 0
	}
	wait = time.Until(s.since.Add(settle))
	return wait <= 0, wait
}

func (s *servers) endSurvey(q *survey, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.end(err)
}

// askLate asks those again who have not answered.
func (s *servers) askLate(q *survey) error {
	s.mu.Lock()
	ask := *q.ask
	ask.To = slices.Sorted(maps.Keys(q.waiting))
	s.mu.Unlock()
	if len(ask.To) == 0 {
		return nil
	}
	return s.put(&ask)
}

// carriedOut is an order that has been carried out, lest it be counted wrongly
// when it is given again.
type carriedOut struct {
	host string
	id   uint64
	result
}

// reply answers another server's question.
func (s *servers) reply(m *serversMessage) {
	var r result
	known := false
	if m.changes() {
		for _, o := range s.recent {
			if o.host == m.Host && o.id == m.ID {
				r, known = o.result, true
			}
		}
	}
	if !known {
		r = s.c.srv.examine(m)
	}
	if m.changes() && !known {
		if len(s.recent) == maxRecent {
			s.recent = slices.Delete(s.recent, 0, maxRecent/2)
		}
		s.recent = append(s.recent, carriedOut{m.Host, m.ID, r})
	}
	answer := &serversMessage{Is: "answer", ID: m.ID, To: []string{m.Host}, Names: r.names, Count: r.count, Found: r.found, Error: r.err}
	for _, part := range answer.parts() {
		if s.put(part) != nil {
			return // it will be asked for again
		}
	}
}

// examine answers a question for this server, and carries out an order.
func (srv *Server) examine(m *serversMessage) (r result) {
	n := &Namespace{srv: srv, name: m.NS}
	room := m.Room
	switch {
	case m.Everyone:
		room = rooms.Everyone
	case room == "" && m.roomNeeded(): // never everyone by accident
		r.err = errEmptyRoom.Error()
		return r
	}
	switch m.Do {
	case doMembers:
		r.names = srv.sidsIn(m.NS, room)
	case doCount:
		r.count = srv.countIn(m.NS, room)
	case doRooms:
		if s := n.Socket(m.SID); s != nil && s.present() {
			r.found, r.names = true, s.Rooms()
		}
	case doSelect:
		if slices.Contains(m.Rooms, "") || slices.Contains(m.Except, "") {
			r.err = errEmptyRoom.Error()
			return r
		}
		e := &emission{ns: m.NS, targeted: !m.Everyone, rooms: m.Rooms, skip: m.Skip, except: m.Except}
		srv.each(e, false, nil, func(s *Socket, _ *place) error {
			r.names = append(r.names, s.sid)
			return nil
		})
	case doDisconnect:
		for s := range srv.socketsIn(m.NS, room) {
			s.Disconnect()
			r.count++
		}
	case doMove:
		for s := range srv.socketsIn(m.NS, room) {
			switch err := s.Join(m.Other); {
			case err == nil:
				if room != m.Other && room != rooms.Everyone {
					s.Leave(room)
				}
				r.count++
			case !errors.Is(err, ErrClosed):
				r.err = err.Error()
			}
		}
	default:
		r.err = fmt.Sprintf("it does not know the question %.40q", m.Do)
	}
	return r
}
