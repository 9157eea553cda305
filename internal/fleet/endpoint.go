package fleet

import (
	"context"
	"errors"
	"net/url"
	"time"
)

const (
	lookupWait     = time.Second // how long Endpoint waits for a server that is not known
	maxLookups     = 1000        // how many calls of Endpoint may wait
	maxEndpointLen = 2000        // bytes
)

var errEndpoint = errors.New(`it is no URL of a server: write scheme, host and port, such as "http://10.0.0.5:8080"`)

// ParseEndpoint reads the URL of an endpoint. It is absolute, its scheme is http or https, and it
// has no user, query or fragment.
func ParseEndpoint(s string) (*url.URL, error) {
	if len(s) > maxEndpointLen {
		return nil, errEndpoint
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errEndpoint
	}
	return u, nil
}

// lookups are the calls of Endpoint that wait. Fleet.mu guards it.
type lookups struct {
	since   time.Time     // when the last subscription began, or the first attempt
	waiting int           // how many wait
	changed chan struct{} // closed when there is something new; nil if no call waits
}

func (l *lookups) signal() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// noteEndpoint notes where a server is. It has replaced a server that was at the same place: that
// one is forgotten when it is silent, or soon if it gives no sign of life any more. f.mu is held.
func (f *Fleet) noteEndpoint(host string, m *member, at string) {
	if m.endpoint == nil && at == "" || m.endpoint != nil && m.endpoint.String() == at {
		return
	}
	m.endpoint = nil
	if at != "" {
		m.endpoint, _ = ParseEndpoint(at) // readMessage has checked it
		for other, o := range f.members {
			switch {
			case other == host || o.endpoint == nil || o.endpoint.String() != m.endpoint.String():
			case o.silent:
				f.forget(other)
			default: // it was killed, and this one started at once; or both have the same URL by mistake
				o.replaced = true
			}
		}
	}
	f.lookups.signal()
}

// Endpoint returns the URL that a server has given as its endpoint, nil if there is no such server
// or it has none. It waits for a server that is not known yet: up to a second, or up to two
// after a subscription has begun. The error is ErrUnavailable if there is no subscription, or the
// context's error.
func (f *Fleet) Endpoint(ctx context.Context, host string) (*url.URL, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	begin, l := time.Now(), &f.lookups
	for {
		if m := f.members[host]; m != nil && m.endpoint != nil {
			return m.endpoint, nil
		}
		pause, err := f.lookupWait(begin)
		if pause <= 0 || l.waiting >= maxLookups {
			return nil, err
		}
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.waiting++
		f.mu.Unlock()
		timer := time.NewTimer(pause)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		f.mu.Lock()
		l.waiting--
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// lookupWait returns how long to wait for a server that was first looked for at begin, and the
// error if it does not turn up. f.mu is held.
func (f *Fleet) lookupWait(begin time.Time) (time.Duration, error) {
	switch {
	case f.closed:
		return 0, nil
	case !f.subscribed || f.helloSentAt.IsZero():
		return time.Until(f.lookups.since.Add(settle)), ErrUnavailable
	}
	// The others answer hello, and those that begin say it.
	return max(time.Until(f.helloSentAt.Add(settle)), time.Until(begin.Add(lookupWait))), nil
}
