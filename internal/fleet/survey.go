package fleet

import (
	"fmt"
	"maps"
	"slices"
)

// survey is a question that waits for answers. Fleet.mu guards it, except for changed.
type survey struct {
	id       uint64
	question Question
	servers  map[string]*respondent
	bytes    int  // of the names that have arrived
	once     bool // it is not asked again
	found    bool // a server has answered so
	ended    bool // no server is waited for any more
	err      error
	changed  chan struct{} // has an element when something has changed
}

// respondent is a server that is asked.
type respondent struct {
	name  string
	state state
	err   error // why it has failed or is silent

	answer   Answer
	complete bool // all parts of the answer have arrived
	attempt  uint64
	next     int  // the part that is expected
	progress bool // a part has arrived since the last tick of Fleet.Ask
}

type state uint8

const (
	waiting  state = iota
	silent         // it is not waited for, but an answer is welcome
	answered       // final, as failed
	failed
)

func (s *survey) signal() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// waits reports whether somebody is waited for.
func (s *survey) waits() bool {
	for _, r := range s.servers {
		if r.state == waiting {
			return true
		}
	}
	return false
}

// expect notes that a server is there, or is silent. It reports whether its answer is waited for.
func (s *survey) expect(host string, m *member) bool {
	if s.ended || !s.asks(host) {
		return false
	}
	r := s.servers[host]
	if r == nil {
		r = new(respondent)
		s.servers[host] = r
	}
	r.name = m.name
	switch {
	case r.final():
		return false
	case m.version != version:
		r.fail(errOtherVersion)
	case m.silent:
		r.state, r.err = silent, ErrSilent
	default:
		r.state, r.err = waiting, nil
	}
	s.signal()
	return r.state == waiting
}

// asks reports whether a server is asked.
func (s *survey) asks(host string) bool { return s.question.To == "" || s.question.To == host }

// repeatable reports whether a server that has lost what was sent to it may be asked again. If not, it
// has failed.
func (s *survey) repeatable(host string) bool {
	if s.once {
		s.servers[host].fail(ErrInterrupted)
		s.signal()
	}
	return !s.once
}

// final reports whether nothing more comes from the server.
func (r *respondent) final() bool { return r.state == answered || r.state == failed }

func (r *respondent) fail(err error) { r.state, r.err = failed, err }

// stopAwaiting ends the wait for a server that has no clients any more.
func (s *survey) stopAwaiting(host string) {
	r := s.servers[host]
	switch {
	case r == nil || s.ended || r.final():
		return
	case s.question.To == host:
		r.fail(ErrLeft)
	default:
		delete(s.servers, host)
	}
	s.signal()
}

// end ends the wait: those who have not answered are missing.
func (s *survey) end(err error) {
	if s.ended {
		return
	}
	s.ended = true
	if s.err == nil {
		s.err = err
	}
	s.signal()
}

// ask returns the question for some servers, or for all.
func (s *survey) ask(to []string) *message {
	if to == nil && s.question.To != "" {
		to = []string{s.question.To}
	}
	return &message{Kind: kindAsk, ID: s.id, Question: s.question.Content, Order: s.question.Order, Urgent: s.question.Urgent, Once: s.once, To: to}
}

// askAgain returns the question for one server, which is to go on where its answer stopped.
func (s *survey) askAgain(host string) *message {
	m := s.ask([]string{host})
	m.Part, m.Attempt = s.servers[host].next, s.servers[host].attempt
	return m
}

// askStalled returns the question for those whose answers made no progress.
func (s *survey) askStalled() (asks []*message) {
	var begin []string
	for _, host := range slices.Sorted(maps.Keys(s.servers)) {
		switch r := s.servers[host]; {
		case r.state != waiting:
		case r.progress:
			r.progress = false
		case r.next > 0:
			asks = append(asks, s.askAgain(host))
		case s.once: // an answer may take its time
		default:
			begin = append(begin, host)
		}
	}
	if len(begin) > 0 {
		asks = append(asks, s.ask(begin))
	}
	return asks
}

// take takes a part of an answer. It returns the request for the next part; after the last part of
// several this tells the other server that it need not keep the rest.
func (s *survey) take(m *message) (next *message) {
	if s.ended || !s.asks(m.Host) {
		return nil
	}
	r := s.servers[m.Host]
	if r == nil { // there are too many servers, or it is slow to say that it is there
		r = &respondent{name: m.Name}
		s.servers[m.Host] = r
	}
	switch {
	case r.final():
		return nil
	case r.attempt != m.Attempt && m.Part == 0: // the first part, or the server begins again
		s.bytes -= size(r.answer.Names)
		r.attempt, r.next, r.answer = m.Attempt, 0, Answer{}
	}
	if r.attempt != m.Attempt || r.next != m.Part {
		return nil // the part has arrived already, or one before it was lost and will be requested again
	}
	if s.bytes += size(m.Names); s.bytes > maxBytes {
		r.fail(errTooLong)
		r.answer.Names = nil
		s.signal()
		return nil
	}
	r.answer.Names = append(r.answer.Names, m.Names...)
	r.next++
	r.progress = true
	if m.Last {
		r.complete = true
		r.answer.Count, r.answer.Found, r.answer.Err = m.Count, m.Found, m.Error
		s.found = s.found || m.Found
		r.state, r.err = answered, nil
		if m.Error != "" {
			r.fail(fmt.Errorf("%s: %.500s", r.name, m.Error))
		}
		s.signal()
	}
	if r.complete && r.next == 1 {
		return nil
	}
	return &message{Kind: kindNext, ID: s.id, To: []string{m.Host}, Part: r.next, Attempt: r.attempt}
}

// result ends the survey and returns what has come.
func (s *survey) result() (replies []Reply, err error) {
	s.ended = true
	var missing []string
	err = s.err
	for _, host := range slices.Sorted(maps.Keys(s.servers)) {
		r := s.servers[host]
		if r.complete {
			replies = append(replies, Reply{host, r.answer})
		}
		if r.state == answered {
			continue
		}
		missing = append(missing, r.name)
		if err == nil || s.err == nil && r.err == ErrInterrupted { // such a server may be asked again
			err = r.err
		}
	}
	if err == nil || s.found && s.question.UntilFound {
		return replies, nil
	}
	return replies, &Error{missing, err}
}
