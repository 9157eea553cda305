package socketio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-d124fa34/socketio/internal/fleet"
)

// Cluster asks all servers on the [Broker] about the clients of a namespace,
// and answers for them together; without a broker it is about this server alone.
// All methods may be called from any goroutine.
//
// An answer is complete, or the error is a [*ClusterError], which names the
// servers that did not answer until the context ended; what the others said is
// returned beside it. How many clients there are is never told wrongly
// without an error.
//
// Servers know of each other because each gives a sign of life every five
// seconds. A server that gives none for 15 seconds has crashed, or it is cut off
// from the broker with its clients; which of the two nobody knows. Nobody waits for
// its answers any more, but every answer names it as missing until it is heard of
// again, until a server with the same [Options].Cluster.PeerURL replaces it, or for five
// minutes; then it is forgotten. A server that shuts down is not missing. In the
// first two seconds on the broker a server waits until it knows the others.
//
// Only Go servers are asked. What they say to each other travels on a channel of
// its own, [Options].Cluster.Channel with "#servers" appended, of which Flask-SocketIO's
// servers hear nothing: their clients are not counted.
//
// Between the answers of two servers a client may move: an answer is not a
// snapshot.
type Cluster struct {
	srv *Server
	ns  *namespace
}

// Cluster returns the namespace as it is on all servers.
func (n *namespace) Cluster() *Cluster { return &Cluster{n.srv, n} }

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
	return cl.srv.cluster.Servers()
}

// ask answers a question for all servers together.
func (cl *Cluster) ask(ctx context.Context, q *fleetQuestion) (fleet.Answer, error) {
	if cl.ns.err != nil {
		return fleet.Answer{}, cl.ns.err
	}
	if cl.ns.name == anyName {
		return fleet.Answer{}, errors.New("socketio: Cluster of the namespace *: ask the namespaces that clients are in")
	}
	if q.aboutRoom() && !q.Everyone && q.Room == "" {
		return fleet.Answer{}, errEmptyRoom
	}
	if err := ctx.Err(); err != nil {
		return fleet.Answer{}, fmt.Errorf("socketio: %w", err)
	}
	q.Namespace = cl.ns.name
	all := cl.srv.answerQuestion(q)
	var incomplete *ClusterError
	if all.Err != "" {
		incomplete = &ClusterError{cl.Servers()[:1], errors.New(all.Err)}
	}
	if cl.srv.cluster != nil && !(q.Do == doRooms && all.Found) {
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

// join returns what both errors say; either may be nil.
func (e *ClusterError) join(other *ClusterError) *ClusterError {
	switch {
	case e == nil:
		return other
	case other == nil:
		return e
	}
	return &ClusterError{slices.Concat(e.Missing, other.Missing), errors.Join(e.Err, other.Err)}
}

// askServers asks the other servers.
func (srv *Server) askServers(ctx context.Context, q *fleetQuestion) ([]fleet.Reply, *ClusterError) {
	replies, err := srv.cluster.Ask(ctx, q.question())
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

// Members returns the session ids in a room, in no particular order. The error
// is [ErrRoomName] for an empty name: for everyone see SIDs.
func (cl *Cluster) Members(ctx context.Context, room string) ([]string, error) {
	r, err := cl.ask(ctx, &fleetQuestion{Do: doMembers, Room: room})
	return r.Names, err
}

// SIDs returns the session ids of everyone in the namespace, in no particular order.
func (cl *Cluster) SIDs(ctx context.Context) ([]string, error) {
	r, err := cl.ask(ctx, &fleetQuestion{Do: doMembers, Everyone: true})
	return r.Names, err
}

// CountRoom returns how many sockets are in a room. It is cheaper than Members.
// The error is [ErrRoomName] for an empty name.
func (cl *Cluster) CountRoom(ctx context.Context, room string) (int, error) {
	r, err := cl.ask(ctx, &fleetQuestion{Do: doCount, Room: room})
	return r.Count, err
}

// Count returns how many sockets are in the namespace. It is cheaper than SIDs.
func (cl *Cluster) Count(ctx context.Context) (int, error) {
	r, err := cl.ask(ctx, &fleetQuestion{Do: doCount, Everyone: true})
	return r.Count, err
}

// Rooms returns the rooms of a socket, see [Socket.Rooms]. The error is
// [ErrUnknownSocket] if no server has it. It returns with the answer of the
// server that has: others may be missing.
func (cl *Cluster) Rooms(ctx context.Context, sid string) ([]string, error) {
	r, err := cl.ask(ctx, &fleetQuestion{Do: doRooms, SID: sid})
	if err == nil && !r.Found {
		err = fmt.Errorf("%w: %q in %.100s", ErrUnknownSocket, short(sid), cl.ns.name)
	}
	return r.Names, err
}

// Connected reports whether a socket is in the namespace, on whatever server.
func (cl *Cluster) Connected(ctx context.Context, sid string) (bool, error) {
	r, err := cl.ask(ctx, &fleetQuestion{Do: doRooms, SID: sid})
	return r.Found, err
}

// DisconnectRoom makes everyone in a room leave the namespace, see
// [Socket.Disconnect]. It returns how many these were, not counting those on the
// servers that the error names, which may have left, too. The error is
// [ErrRoomName] for an empty name: everyone is DisconnectAll.
func (cl *Cluster) DisconnectRoom(ctx context.Context, room string) (int, error) {
	r, err := cl.ask(ctx, &fleetQuestion{Do: doDisconnect, Room: room})
	return r.Count, err
}

// DisconnectAll makes everyone leave the namespace, on all servers, and returns
// how many these were, as DisconnectRoom does.
func (cl *Cluster) DisconnectAll(ctx context.Context) (int, error) {
	r, err := cl.ask(ctx, &fleetQuestion{Do: doDisconnect, Everyone: true})
	return r.Count, err
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
	r, err := cl.ask(ctx, &fleetQuestion{Do: doMove, Room: from, NewRoom: to})
	return r.Count, err
}

// JoinAll makes everyone in the namespace, on all servers, join a room, and
// returns how many these were, as MoveRoom does.
func (cl *Cluster) JoinAll(ctx context.Context, room string) (int, error) {
	if err := checkRoomName(room); err != nil {
		return 0, err
	}
	r, err := cl.ask(ctx, &fleetQuestion{Do: doMove, Everyone: true, NewRoom: room})
	return r.Count, err
}
