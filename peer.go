package socketio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/fleet"
)

// Requests of a session that another server has are handed over to it, see
// Options.Cluster.PeerURL. The session's id names its server by the name that it has on
// the broker (host), and each server says in its signs of life where it is: so
// nobody has to be asked, and no session id is published.

// refuseAway says that nobody knows of a server, and nobody can be heard.
var refuseAway = &engineio.Refusal{Status: http.StatusServiceUnavailable, Code: 1,
	Message: "Session ID unknown",
	Detail:  "session ID unknown here, and it cannot be known which server has the session: the broker is away: connect again"}

// checkPeerURL checks the options about other servers.
func (s *settings) checkPeerURL() error {
	if s.Cluster.PeerURL == "" {
		if s.Cluster.PeerTransport != nil {
			return errors.New("field Options.Cluster.PeerTransport is set without PeerURL: set PeerURL to where the other servers reach this one")
		}
		return nil
	}
	u, err := fleet.ParseEndpoint(s.Cluster.PeerURL)
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
	if len(host) != cluster.HostLen {
		return nil, nil
	}
	u, err := srv.cluster.Endpoint(ctx, host)
	if errors.Is(err, fleet.ErrUnavailable) {
		err = refuseAway
	}
	return u, err
}
