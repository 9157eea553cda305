package socketio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/census"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/rooms"
)

// Cluster asks all servers on the [Broker] about the clients of a namespace, and
// combines their answers. Without a broker it is about this server alone. All methods
// may be called from any goroutine.
//
// Either an answer is complete, or the error is a [*ClusterError]. The error names the
// servers that did not answer before the context ended; what the others answered is
// returned beside it. A count that lacks clients never comes without an error.
//
// Servers know each other because each publishes a heartbeat every five seconds. A
// server without a heartbeat for 15 seconds has crashed, or it is cut off from the broker
// with its clients; the others cannot tell which. They do not wait for its answers any
// more, but every answer names it as missing. This ends when its heartbeat comes again,
// when a server with the same [Options].Cluster.PeerURL replaces it, or after five
// minutes. A server that shuts down is not missing. In its first two seconds on the
// broker, a server waits until it knows the others.
//
// Only Go servers are asked, over a channel of their own: [Options].Cluster.Channel with
// "#servers" appended. The clients of Flask-SocketIO's servers are not counted.
//
// An answer is not a snapshot: a client may move from one server to another between
// their answers.
type Cluster struct {
	srv *Server
	ns  *namespace
}

// Cluster returns the namespace as it is on all servers.
func (n *namespace) Cluster() *Cluster { return &Cluster{n.srv, n} }

// Servers returns the names of the servers that are known now, this one first. A name
// consists of the machine, the process id, and the beginning of the server's id on the
// broker.
func (cl *Cluster) Servers() []string {
	switch {
	case cl.srv == nil: // of a nil *Socket
		return nil
	case cl.srv.cluster == nil:
		return []string{fleet.ServerName("")}
	}
	return cl.srv.cluster.Servers()
}

// ask answers a question for this server, asks the others, and combines the answers.
func (cl *Cluster) ask(ctx context.Context, q *census.Question) (fleet.Answer, error) {
	if cl.ns.err != nil {
		return fleet.Answer{}, cl.ns.err
	}
	if cl.ns.name == anyName {
		return fleet.Answer{}, errors.New("socketio: Cluster of the namespace *: ask the namespaces that clients are in")
	}
	if q.NeedsRoom() {
		return fleet.Answer{}, errEmptyRoom
	}
	if err := ctx.Err(); err != nil {
		return fleet.Answer{}, fmt.Errorf("socketio: %w", err)
	}
	q.Namespace = cl.ns.name
	all := census.Answer(q, clusterHost{cl.srv})
	var incomplete *ClusterError
	if all.Err != "" {
		incomplete = &ClusterError{cl.Servers()[:1], errors.New(all.Err)}
	}
	if cl.srv.cluster != nil && !(q.Do == census.Rooms && all.Found) {
		replies, failed := cl.srv.askServers(ctx, q)
		for _, r := range replies {
			all.Names = append(all.Names, r.Names...)
			all.Count += r.Count
			all.Found = all.Found || r.Found
		}
		incomplete = incomplete.join(failed)
	}
	if incomplete != nil {
		return all, incomplete
	}
	return all, nil
}

// askServers asks the other servers.
func (srv *Server) askServers(ctx context.Context, q *census.Question) ([]fleet.Reply, *ClusterError) {
	replies, err := srv.cluster.Ask(ctx, q.Fleet())
	if err == nil {
		return replies, nil
	}
	incomplete := &ClusterError{Err: err}
	var missing *fleet.Error
	if errors.As(err, &missing) {
		incomplete.Missing, incomplete.Err = missing.Missing, missing.Err
	}
	if incomplete.Err == fleet.ErrUnavailable {
		incomplete.Err = ErrBrokerUnavailable
	}
	return replies, incomplete
}

// Members returns the session ids in a room, in no particular order. The error is
// [ErrRoomName] for an empty name; SIDs is for everyone.
func (cl *Cluster) Members(ctx context.Context, room string, opts ...QueryOption) ([]string, error) {
	r, err := cl.ask(ctx, &census.Question{Do: census.Members, Room: room, Away: includesAway(opts)})
	return r.Names, err
}

// SIDs returns the session ids of everyone in the namespace, in no particular order.
func (cl *Cluster) SIDs(ctx context.Context, opts ...QueryOption) ([]string, error) {
	r, err := cl.ask(ctx, &census.Question{Do: census.Members, Everyone: true, Away: includesAway(opts)})
	return r.Names, err
}

// CountRoom returns how many sockets are in a room. It is cheaper than Members.
// The error is [ErrRoomName] for an empty name.
func (cl *Cluster) CountRoom(ctx context.Context, room string, opts ...QueryOption) (int, error) {
	r, err := cl.ask(ctx, &census.Question{Do: census.Count, Room: room, Away: includesAway(opts)})
	return r.Count, err
}

// Count returns how many sockets are in the namespace. It is cheaper than SIDs.
func (cl *Cluster) Count(ctx context.Context, opts ...QueryOption) (int, error) {
	r, err := cl.ask(ctx, &census.Question{Do: census.Count, Everyone: true, Away: includesAway(opts)})
	return r.Count, err
}

// Rooms returns the rooms of a socket, see [Socket.Rooms]. The error is
// [ErrUnknownSocket] if no server has the socket. Rooms returns as soon as the server
// that has it answers, and is complete then, even if other servers are missing.
func (cl *Cluster) Rooms(ctx context.Context, sid string) ([]string, error) {
	r, err := cl.ask(ctx, &census.Question{Do: census.Rooms, SID: sid})
	if err == nil && !r.Found {
		err = fmt.Errorf("%w: %q in %.100s", ErrUnknownSocket, short(sid), cl.ns.name)
	}
	return r.Names, err
}

// Connected reports whether a socket is in the namespace, on any server.
func (cl *Cluster) Connected(ctx context.Context, sid string) (bool, error) {
	r, err := cl.ask(ctx, &census.Question{Do: census.Rooms, SID: sid})
	return r.Count > 0, err
}

// DisconnectRoom makes everyone in a room leave the namespace, see
// [Socket.Disconnect]. It returns their number. That does not include clients of the
// servers that the error names, although these may have left, too. The error is
// [ErrRoomName] for an empty name; DisconnectAll is for everyone.
func (cl *Cluster) DisconnectRoom(ctx context.Context, room string) (int, error) {
	r, err := cl.ask(ctx, &census.Question{Do: census.Disconnect, Room: room})
	return r.Count, err
}

// DisconnectAll makes everyone leave the namespace, on all servers, and returns their
// number as DisconnectRoom does.
func (cl *Cluster) DisconnectAll(ctx context.Context) (int, error) {
	r, err := cl.ask(ctx, &census.Question{Do: census.Disconnect, Everyone: true})
	return r.Count, err
}

// MoveRoom makes everyone in the room from join the room to and leave from. It
// returns their number, without those of the servers that the error names. A client that
// cannot join because of [Options].Limits.MaxRooms stays, and the error names its server.
// The error is [ErrRoomName] if a name is empty, or if to cannot be joined; JoinAll is
// for everyone.
func (cl *Cluster) MoveRoom(ctx context.Context, from, to string) (int, error) {
	if err := checkRoomName(to); err != nil {
		return 0, err
	}
	r, err := cl.ask(ctx, &census.Question{Do: census.Move, Room: from, NewRoom: to})
	return r.Count, err
}

// JoinAll makes everyone in the namespace, on all servers, join a room, and returns
// their number as MoveRoom does.
func (cl *Cluster) JoinAll(ctx context.Context, room string) (int, error) {
	if err := checkRoomName(room); err != nil {
		return 0, err
	}
	r, err := cl.ask(ctx, &census.Question{Do: census.Move, Everyone: true, NewRoom: room})
	return r.Count, err
}

// ClusterOptions makes a [Server] one of several that share their clients. The zero
// value is a server on its own.
type ClusterOptions struct {
	// Broker connects this server with others: events, rooms and disconnects reach
	// the clients of all. Flask-SocketIO's servers with the same message_queue are among
	// them. The clients of this server are served first, also while the broker is not
	// available; nothing waits for it. [Server.Shutdown] ends the use of the broker, and
	// does not close it. What is published while this server is cut off from the broker does
	// not reach its clients, unless the broker keeps a history (package broker). Nil means that this
	// server is on its own. Flask-SocketIO: message_queue.
	Broker Broker
	// Channel is the broker's channel that the servers of one application
	// share. Zero means "flask-socketio", as in Flask-SocketIO.
	Channel string
	// QueueLimit bounds what waits to be published, in bytes. Messages beyond it
	// are dropped and counted, see [Server.BrokerStatus]. One message is accepted
	// whatever its size. Zero means 8 MiB.
	QueueLimit int
	// ReplayLimit bounds what is kept while the broker is not available, in bytes:
	// the newest messages. They are published when it is back. A message that was being
	// published when the connection broke may then arrive twice. Zero means that nothing
	// is kept, as in Flask-SocketIO.
	ReplayLimit int
	// AckTimeout is how long [OnAck], without the option [AckTimeout], waits for
	// clients of other servers. It also bounds how long a client of this server owes an
	// answer to a Flask-SocketIO server, which does not say how long it waits. Zero means
	// 1 minute.
	AckTimeout time.Duration
	// PeerURL lets clients poll through a load balancer that sends each of their
	// requests to any of the servers. A server hands a request over to the server that
	// has its session; so it does with the WebSocket of an upgrade, for as long as that
	// lasts. Zero means that such requests are refused. Prefer sticky sessions, which need
	// no hand-over.
	//
	// PeerURL is the URL at which the other servers reach this one, not the load
	// balancer: "http://10.0.0.5:8080". It has a path only if a proxy strips one from
	// requests before this server gets them. Every server sets its own, and learns those
	// of the others through the Broker, which is required. Use a private network or
	// https: cookies and session ids are handed over as well.
	PeerURL string
	// PeerTransport sends the requests that are handed over. Set it if the servers'
	// certificates come from a private authority. It must speak HTTP/1.1 and must not
	// follow redirects. Nil means the system's authorities, and no proxy.
	PeerTransport http.RoundTripper
}

func (s *settings) checkCluster() error {
	c := &s.Cluster
	if c.AckTimeout < 0 {
		return fmt.Errorf("field Options.Cluster.AckTimeout is %v: set a positive duration, or leave it 0 for the default", c.AckTimeout)
	}
	if c.Broker == nil && (c.Channel != "" || c.QueueLimit+c.ReplayLimit > 0 || c.AckTimeout > 0 || c.PeerURL != "") {
		return errors.New("options for a broker are set, but Options.Cluster.Broker is nil: set it, or remove Channel, QueueLimit, ReplayLimit, AckTimeout and PeerURL")
	}
	return s.checkPeerURL()
}

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
		return fmt.Errorf("field Options.Cluster.PeerURL is %q: no server can be reached at %s: set the address at which the others reach this server", s.Cluster.PeerURL, addr)
	}
	return nil
}

// A request of a session that another server has is handed over to that server, see
// Options.Cluster.PeerURL. The session id contains the id of its server on the broker
// (host), and each server publishes its URL with its heartbeat. So no server need be
// asked, and no session id is published.

// refuseAway is the refusal while the server that has the session is not known, and the
// broker cannot be reached to learn of it.
var refuseAway = &engineio.Refusal{Status: http.StatusServiceUnavailable, Code: 1,
	Message: "Session ID unknown",
	Detail:  "session ID unknown here, and this server cannot find out which server has the session, because the broker is not available: connect again"}

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

// fleetChannel returns the channel on which Go servers find each other and ask each
// other. channel is the one that they share for their clients.
func fleetChannel(channel string) string { return channel + "#servers" }

// newFleet returns the server's place among the Go servers on the broker.
func (srv *Server) newFleet(id string, c *cluster.Cluster) *fleet.Fleet {
	channel := fleetChannel(srv.opts.Cluster.Channel)
	o := fleet.Options{
		Host: id, Name: fleet.ServerName(id), Answer: srv.answerServer,
		Publish: func(data []byte) error { return c.PutTransient(channel, data) },
		Lost: func(host string, err error) {
			c.Lost(host, err, err != fleet.ErrInterrupted)
		},
	}
	if opts := &srv.opts; opts.Cluster.PeerURL != "" {
		o.Endpoint = strings.TrimSuffix(opts.Cluster.PeerURL, "/") + opts.Path
	}
	return fleet.New(o)
}

// answerServer answers a question of another server.
func (srv *Server) answerServer(from string, content []byte, answer func(fleet.Answer)) {
	if srv.mover == nil || !srv.mover.Answer(from, content, answer) {
		answer(srv.answerContent(content))
	}
}

// answerContent returns the answer to a question of another server. There is one in every
// case, because the other server waits.
func (srv *Server) answerContent(content []byte) (a fleet.Answer) {
	defer func() {
		if v := recover(); v != nil { // of a hook
			a = fleet.Answer{Err: srv.recovered("answering another server", v).Error()}
		}
	}()
	return census.AnswerContent(content, clusterHost{srv})
}

var _ census.Sockets = clusterHost{}

// Members returns the session ids in a room.
func (h clusterHost) Members(ns, room string, away bool) []string {
	return h.srv.sidsIn(ns, room, away)
}

// Count returns how many sockets are in a room.
func (h clusterHost) Count(ns, room string, away bool) int { return h.srv.countIn(ns, room, away) }

// Rooms returns the rooms of a socket.
func (h clusterHost) Rooms(ns, sid string) (names []string, found, connected bool) {
	n := namespace{srv: h.srv, name: ns}
	s := n.Socket(sid)
	if !s.Connected() && !s.Away() {
		return nil, false, false
	}
	return s.Rooms(), true, s.Connected()
}

// Select returns the session ids that an event reaches.
func (h clusterHost) Select(q *census.Question) (sids []string) {
	e := &emitOptions{ns: q.Namespace, targeted: !q.Everyone, rooms: q.Rooms, skip: q.Skip, except: q.Except}
	h.srv.each(e, false, nil, func(s *Socket, _ *place) error {
		sids = append(sids, s.sid)
		return nil
	})
	return sids
}

// Disconnect makes everyone in a room leave the namespace.
func (h clusterHost) Disconnect(ns, room string) (n int) {
	for s := range h.srv.socketsIn(ns, room, true) {
		s.Disconnect()
		n++
	}
	return n
}

// Move makes everyone in a room join another one, and leave the first.
func (h clusterHost) Move(ns, from, to string) (n int, err error) {
	for s := range h.srv.socketsIn(ns, from, true) {
		switch failed := s.Join(to); {
		case failed == nil:
			if from != to && from != rooms.Everyone {
				s.Leave(from)
			}
			n++
		case !errors.Is(failed, ErrClosed):
			err = failed
		}
	}
	return n, err
}
