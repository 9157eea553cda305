package fleet

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"time"
)

// member is another server.
type member struct {
	name     string
	version  int
	lastSeen time.Time
	silent   bool
	due      time.Time // when it must have given a sign of life, because of an urgent question; zero: it need not
	endpoint *url.URL  // nil if it has none
	replaced bool      // another server has its endpoint, and it has given no sign of life since
}

// noteAlive notes that a server has given a sign of life, which every message is, or leaves. It returns
// why answers of the server to earlier questions may be lost, nil if they are not, and the questions
// that must be published again because the server has not received them.
func (f *Fleet) noteAlive(m *message) (asks []*message, lost error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.members[m.Host]
	switch {
	case m.Kind == kindBye:
		f.forget(m.Host)
		for _, s := range f.surveys {
			s.stopAwaiting(m.Host)
		}
		f.replies.dropOf(m.Host)
		return nil, ErrLeft
	case known == nil && len(f.members) >= maxMembers:
		f.full = true
		return nil, nil
	case known == nil:
		known = new(member)
		f.members[m.Host] = known
	case m.Kind == kindHello:
		lost = ErrInterrupted
	}
	known.name, known.version, known.lastSeen, known.silent, known.due, known.replaced = m.Name, m.Version, time.Now(), false, time.Time{}, false
	if m.Kind == kindHello || m.Kind == kindAlive {
		f.noteEndpoint(m.Host, known, m.Endpoint)
	}
	for _, s := range f.surveys {
		if s.expect(m.Host, known) && m.Kind == kindHello && s.repeatable(m.Host) {
			asks = append(asks, s.askAgain(m.Host))
		}
	}
	return asks, lost
}

// expectHeartbeats notes that the servers that are asked an urgent question must give a sign of life.
// f.mu is held.
func (f *Fleet) expectHeartbeats(s *survey) {
	for host, m := range f.members {
		if s.asks(host) && m.due.IsZero() {
			m.due = time.Now().Add(urgentSilent)
		}
	}
	s.signal()
}

// noticeOverdue notes which servers have not given a sign of life in time. It returns after which time
// the next of the others must have given one, 0 if none has to. f.mu is held.
func (f *Fleet) noticeOverdue(s *survey) (next time.Duration) {
	for host, r := range s.servers {
		m := f.members[host]
		if r.state != waiting || m == nil || m.due.IsZero() {
			continue
		}
		left := time.Until(m.due)
		switch {
		case left <= 0:
			r.state, r.err = silent, ErrSilent
		case next == 0 || left < next:
			next = left
		}
	}
	return next
}

// noticeSilence marks the servers that gave no sign of life for a while, and returns their ids. It
// forgets those that have been silent for long, and those that another server has replaced.
func (f *Fleet) noticeSilence() (silent []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.subscribed {
		return nil // nothing can be heard
	}
	for host, m := range f.members {
		switch quiet := time.Since(m.lastSeen); {
		case quiet > silentAfter+missingFor:
			f.forget(host)
		case quiet > replacedAfter && m.replaced:
			f.forget(host)
			silent = append(silent, host)
			for _, s := range f.surveys {
				s.stopAwaiting(host)
			}
		case quiet > silentAfter && !m.silent:
			m.silent = true
			silent = append(silent, host)
			for _, s := range f.surveys {
				s.expect(host, m)
			}
		}
	}
	return silent
}

// forget removes a server. f.mu is held.
func (f *Fleet) forget(host string) {
	if f.members[host] != nil {
		delete(f.members, host)
		f.full = false
	}
}

// Names returns the names of the servers that are known and not silent, this one first.
func (f *Fleet) Names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := []string{f.opts.Name}
	for _, host := range slices.Sorted(maps.Keys(f.members)) {
		if m := f.members[host]; !m.silent {
			names = append(names, m.name)
		}
	}
	return names
}

// Reachable returns nil if answers of a server can be expected now, or else ErrUnavailable,
// ErrClosed, ErrSilent or, if there is no such server, ErrLeft. A caller that waits for
// answers to questions outside the fleet registers for Options.Lost before it calls Reachable, so
// that it misses no loss.
func (f *Fleet) Reachable(host string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.members[host]
	switch {
	case f.closed:
		return ErrClosed
	case !f.subscribed:
		return ErrUnavailable
	case m == nil:
		return ErrLeft
	case m.silent:
		return ErrSilent
	}
	return nil
}

// ServerName returns a name of this process that people can read: the machine, the process id and, unless
// it is empty, the beginning of the id of the server.
func ServerName(host string) string {
	machine, _ := os.Hostname() // may be unknown
	name := fmt.Sprintf("%.100s/%d", machine, os.Getpid())
	if host != "" {
		name += "/" + host[:8]
	}
	return name
}
