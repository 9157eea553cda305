package socketio

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Cluster asks all servers on the [Broker] about the clients of a namespace,
// and answers for them together; without a broker it is about this server alone.
// All methods may be called from any goroutine.
//
// An answer is complete, or the error is a [*ClusterError], which names the
// servers that did not answer until the context ended; what the others said is
// returned beside it. How many clients there are is never told wrongly
// without an error. Servers know of each other because each gives a sign of
// life every five seconds: one that crashes is missing for up to 20 seconds, and
// then forgotten; one that shuts down is not missing. In the first two seconds
// on the broker a server waits until it knows the others.
//
// Only Go servers are asked. What they say to each other travels on a channel of
// its own, [Options].Cluster.Channel with "#servers" appended, of which Flask-SocketIO's
// servers hear nothing: their clients are not counted.
//
// Between the answers of two servers a client may move: an answer is not a
// snapshot.
type Cluster struct {
	srv *Server
	ns  *Namespace
}

// Cluster returns the namespace as it is on all servers.
func (n *Namespace) Cluster() *Cluster { return &Cluster{n.srv, n} }

// Cluster returns "/" as it is on all servers, see [Namespace.Cluster].
func (srv *Server) Cluster() *Cluster { return srv.root().Cluster() }

// ClusterError says that an answer is not complete.
type ClusterError struct {
	// Missing names the servers that did not answer, or could not do what
	// they were told, as [Cluster.Servers] does. It may be empty: while the
	// broker is away nobody knows who is missing.
	Missing []string
	Err     error // the context's error, [ErrBrokerUnavailable] or another
}

// Error names the servers and says why.
func (e *ClusterError) Error() string {
	if len(e.Missing) == 0 {
		return fmt.Sprintf("socketio: not all servers were asked: %v", e.Err)
	}
	return fmt.Sprintf("socketio: %d servers did not answer (%.1000s): %v", len(e.Missing), strings.Join(e.Missing, ", "), e.Err)
}

// Unwrap returns why.
func (e *ClusterError) Unwrap() error { return e.Err }

// Servers returns the names of the servers that are known now, this one first:
// machine, process id, and the beginning of the id it has on the broker.
func (cl *Cluster) Servers() []string {
	switch {
	case cl.srv == nil: // of a nil *Socket
		return nil
	case cl.srv.cluster == nil:
		return []string{serverName("")}
	}
	s := cl.srv.cluster.servers
	return append([]string{s.name}, s.names()...)
}

// ask answers a question for all servers.
func (cl *Cluster) ask(ctx context.Context, m *serversMessage, enough bool) (result, error) {
	if cl.ns.err != nil {
		return result{}, cl.ns.err
	}
	if cl.ns.name == anyName {
		return result{}, errors.New("socketio: Cluster of the namespace *: ask the namespaces that clients are in")
	}
	if err := ctx.Err(); err != nil {
		return result{}, fmt.Errorf("socketio: %w", err)
	}
	m.NS = cl.ns.name
	here := cl.srv.examine(m)
	if c := cl.srv.cluster; c != nil && !(enough && here.found) {
		all, err := c.servers.survey(ctx, m, here, enough)
		if err == nil && here.err != "" {
			err = &ClusterError{[]string{c.servers.name}, errors.New(here.err)}
		}
		return all, err
	}
	if here.err != "" {
		return here, &ClusterError{cl.Servers()[:1], errors.New(here.err)}
	}
	return here, nil
}

// Members returns the session ids in a room, in no particular order. The error
// is [ErrRoomName] for an empty name: for everyone see SIDs.
func (cl *Cluster) Members(ctx context.Context, room string) ([]string, error) {
	r, err := cl.askRoom(ctx, &serversMessage{Do: doMembers, Room: room})
	return r.names, err
}

// SIDs returns the session ids of everyone in the namespace, in no particular order.
func (cl *Cluster) SIDs(ctx context.Context) ([]string, error) {
	r, err := cl.ask(ctx, &serversMessage{Do: doMembers, Everyone: true}, false)
	return r.names, err
}

// CountRoom returns how many sockets are in a room. It is cheaper than Members.
// The error is [ErrRoomName] for an empty name.
func (cl *Cluster) CountRoom(ctx context.Context, room string) (int, error) {
	r, err := cl.askRoom(ctx, &serversMessage{Do: doCount, Room: room})
	return r.count, err
}

// Count returns how many sockets are in the namespace. It is cheaper than SIDs.
func (cl *Cluster) Count(ctx context.Context) (int, error) {
	r, err := cl.ask(ctx, &serversMessage{Do: doCount, Everyone: true}, false)
	return r.count, err
}

// Rooms returns the rooms of a socket, see [Socket.Rooms]. The error is
// [ErrUnknownSocket] if no server has it. It returns with the answer of the
// server that has: others may be missing.
func (cl *Cluster) Rooms(ctx context.Context, sid string) ([]string, error) {
	r, err := cl.ask(ctx, &serversMessage{Do: doRooms, SID: sid}, true)
	if err == nil && !r.found {
		err = fmt.Errorf("%w: %q in %.100s", ErrUnknownSocket, short(sid), cl.ns.name)
	}
	return r.names, err
}

// Connected reports whether a socket is in the namespace, on whatever server.
func (cl *Cluster) Connected(ctx context.Context, sid string) (bool, error) {
	r, err := cl.ask(ctx, &serversMessage{Do: doRooms, SID: sid}, true)
	return r.found, err
}

// DisconnectRoom makes everyone in a room leave the namespace, see
// [Socket.Disconnect]. It returns how many these were, not counting those on the
// servers that the error names, which may have left, too. The error is
// [ErrRoomName] for an empty name: everyone is DisconnectAll.
func (cl *Cluster) DisconnectRoom(ctx context.Context, room string) (int, error) {
	r, err := cl.askRoom(ctx, &serversMessage{Do: doDisconnect, Room: room})
	return r.count, err
}

// DisconnectAll makes everyone leave the namespace, on all servers, and returns
// how many these were, as DisconnectRoom does.
func (cl *Cluster) DisconnectAll(ctx context.Context) (int, error) {
	r, err := cl.ask(ctx, &serversMessage{Do: doDisconnect, Everyone: true}, false)
	return r.count, err
}

// MoveRoom makes everyone in the room from join the room to and leave from. It
// returns how many these were, not counting those on the servers that the error
// names. Who cannot join, because of [Options].Limits.MaxRooms, stays, and its server is
// named. The error is [ErrRoomName] if either name is empty, or one that cannot be
// joined: everyone joins a room with JoinAll.
func (cl *Cluster) MoveRoom(ctx context.Context, from, to string) (int, error) {
	if err := checkRoomName(to); err != nil {
		return 0, err
	}
	r, err := cl.askRoom(ctx, &serversMessage{Do: doMove, Room: from, Other: to})
	return r.count, err
}

// JoinAll makes everyone in the namespace, on all servers, join a room, and
// returns how many these were, as MoveRoom does.
func (cl *Cluster) JoinAll(ctx context.Context, room string) (int, error) {
	if err := checkRoomName(room); err != nil {
		return 0, err
	}
	r, err := cl.ask(ctx, &serversMessage{Do: doMove, Everyone: true, Other: room}, false)
	return r.count, err
}

// askRoom answers a question about a room for all servers.
func (cl *Cluster) askRoom(ctx context.Context, m *serversMessage) (result, error) {
	if m.Room == "" {
		return result{}, errEmptyRoom
	}
	return cl.ask(ctx, m, false)
}
