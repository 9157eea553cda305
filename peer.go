package socketio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
)

// Requests of a session that another server has are handed over to it, see
// Options.Cluster.PeerURL. The session's id names its server by the name that it has on
// the broker (host), and each server says in its signs of life where it is: so
// nobody has to be asked, and no session id is published.

const (
	// strangerWait is how long a request waits for a server that has not been
	// heard of: it may have begun to serve clients just now.
	strangerWait = time.Second
	// maxStrangers bounds how many requests wait so.
	maxStrangers = 1000

	maxPeerURL = 2000 // bytes
	hostLen    = 32   // bytes of a newHost
)

// refuseAway says that nobody knows of a server, and nobody can be heard.
var refuseAway = &engineio.Refusal{Status: http.StatusServiceUnavailable, Code: 1,
	Message: "Session ID unknown",
	Detail:  "session ID unknown here, and it cannot be known which server has the session: the broker is away: connect again"}

var errPeerURL = errors.New(`it is no URL of a server: write scheme, host and port, such as "http://10.0.0.5:8080"`)

// endpointURL reads the URL of an endpoint, or of what comes before its path.
func endpointURL(s string) (*url.URL, error) {
	if len(s) > maxPeerURL {
		return nil, errPeerURL
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errPeerURL
	}
	return u, nil
}

// checkPeerURL checks the options about other servers.
func (s *settings) checkPeerURL() error {
	if s.Cluster.PeerURL == "" {
		if s.Cluster.PeerTransport != nil {
			return errors.New("field Options.Cluster.PeerTransport is set without PeerURL: set PeerURL to where the other servers reach this one")
		}
		return nil
	}
	u, err := endpointURL(s.Cluster.PeerURL)
	if err != nil {
		return fmt.Errorf("field Options.Cluster.PeerURL is %.200q: %w", s.Cluster.PeerURL, err)
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr.IsUnspecified() {
		return fmt.Errorf("field Options.Cluster.PeerURL is %q: nobody can be reached at %s: set the address that this server has for the others", s.Cluster.PeerURL, addr)
	}
	return nil
}

// findPeer is engineio.Options.PeerURL.
func (srv *Server) findPeer(ctx context.Context, host string) (*url.URL, error) {
	return srv.cluster.servers.peer(ctx, host)
}

// peerWait is what those wait for who look for a server. servers.mu guards it.
type peerWait struct {
	since   time.Time     // when the last subscription began, or the first attempt
	waiting int           // how many wait
	news    chan struct{} // closed when there is something new; nil if nobody waits
}

func (w *peerWait) signal() {
	if w.news != nil {
		close(w.news)
		w.news = nil
	}
}

// noteEndpoint notes where a server is, with s.mu held.
func (s *servers) noteEndpoint(o *otherServer, at string) {
	if o.endpoint == nil && at == "" || o.endpoint != nil && o.endpoint.String() == at {
		return
	}
	o.endpoint = nil
	if at != "" {
		o.endpoint, _ = endpointURL(at) // it has been checked
	}
	s.peerWait.signal()
}

// peer returns the endpoint of a server, nil if there is no such server. It
// waits for one that may be about to be heard of.
func (s *servers) peer(ctx context.Context, host string) (*url.URL, error) {
	if len(host) != hostLen {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	begin, w := time.Now(), &s.peerWait
	for {
		if o := s.known[host]; o != nil && o.endpoint != nil {
			return o.endpoint, nil
		}
		pause, err := s.strangerWait(begin)
		if pause <= 0 || w.waiting >= maxStrangers {
			return nil, err
		}
		if w.news == nil {
			w.news = make(chan struct{})
		}
		news := w.news
		w.waiting++
		s.mu.Unlock()
		timer := time.NewTimer(pause)
		select {
		case <-news:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		s.mu.Lock()
		w.waiting--
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// strangerWait returns how long a server may still turn up that was looked for
// first at begin, and what it means if it does not. s.mu is held.
func (s *servers) strangerWait(begin time.Time) (time.Duration, error) {
	switch {
	case s.closed:
		return 0, nil
	case !s.subscribed || s.since.IsZero():
		return time.Until(s.peerWait.since.Add(settle)), refuseAway
	}
	// The others answer hello, and those that begin say it.
	return max(time.Until(s.since.Add(settle)), time.Until(begin.Add(strangerWait))), nil
}
