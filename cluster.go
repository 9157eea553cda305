package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/sessionid"
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

// What the servers of a fleet ask each other about their sockets.

// fleetChannel is the channel on which the Go servers find and ask each other that share a channel
// for their clients.
func fleetChannel(channel string) string { return channel + "#servers" }

// newFleet returns the server's place among the Go servers on the broker.
func (srv *Server) newFleet(id string, c *cluster.Cluster) *fleet.Fleet {
	channel := fleetChannel(srv.opts.Cluster.Channel)
	o := fleet.Options{
		Host: id, Name: serverName(id), Answer: srv.answerContent,
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

// serverName names this process for people.
func serverName(host string) string {
	machine, _ := os.Hostname() // may be unknown
	name := fmt.Sprintf("%.100s/%d", machine, os.Getpid())
	if host != "" {
		name += "/" + host[:8]
	}
	return name
}

// fleetQuestion is what all servers are asked about the sockets of a namespace: the content of a
// fleet.Question.
type fleetQuestion struct {
	Do        string   `json:"do"`
	Namespace string   `json:"ns"`
	Everyone  bool     `json:"everyone,omitempty"` // instead of Room or Rooms
	Room      string   `json:"room,omitempty"`
	NewRoom   string   `json:"newRoom,omitempty"`
	SID       string   `json:"sid,omitempty"`
	Rooms     []string `json:"rooms,omitempty"`
	Skip      []string `json:"skip,omitempty"` // session ids
	Except    []string `json:"except,omitempty"`
}

// What a question asks. Those about a room are about Everyone, if that is set.
const (
	doMembers    = "members"    // Names: the session ids in Room
	doCount      = "count"      // Count: how many are in Room
	doDisconnect = "disconnect" // an order: everyone in Room leaves the namespace; Count: how many
	doMove       = "move"       // an order: everyone in Room leaves it and joins NewRoom; Count: how many
	doRooms      = "rooms"      // Found: the server has the socket SID; Names: its rooms
	doSelect     = "select"     // Names: the session ids that an event for Rooms, without Skip and Except, reaches; Found: there are any
)

func (q *fleetQuestion) aboutRoom() bool {
	return q.Do == doMembers || q.Do == doCount || q.Do == doDisconnect || q.Do == doMove
}

// aboutClient reports whether doSelect is about one client, whom one server has at most.
func (q *fleetQuestion) aboutClient() bool {
	return q.Do == doSelect && len(q.Rooms) == 1 && sessionid.Is(q.Rooms[0])
}

// question returns what the fleet carries.
func (q *fleetQuestion) question() fleet.Question {
	content, _ := json.Marshal(q) // strings have no errors
	return fleet.Question{Content: content, Order: q.Do == doDisconnect || q.Do == doMove, UntilFound: q.Do == doRooms || q.aboutClient()}
}

// answerContent answers a question of another server. Whoever asks waits for an answer, whatever
// happens.
func (srv *Server) answerContent(content []byte) (a fleet.Answer) {
	defer func() {
		if v := recover(); v != nil { // of a hook
			a = fleet.Answer{Err: srv.recovered("answering another server", v).Error()}
		}
	}()
	var q fleetQuestion
	if err := json.Unmarshal(content, &q); err != nil {
		return fleet.Answer{Err: fmt.Sprintf("it does not understand the question: %.200v", err)}
	}
	return srv.answerQuestion(&q)
}

// answerQuestion answers a question for this server, and carries out an order.
func (srv *Server) answerQuestion(q *fleetQuestion) (a fleet.Answer) {
	room := q.Room
	switch {
	case q.Everyone:
		room = rooms.Everyone
	case room == "" && q.aboutRoom(): // never everyone by accident
		return fleet.Answer{Err: errEmptyRoom.Error()}
	}
	switch q.Do {
	case doMembers:
		a.Names = srv.sidsIn(q.Namespace, room)
	case doCount:
		a.Count = srv.countIn(q.Namespace, room)
	case doRooms:
		n := namespace{srv: srv, name: q.Namespace}
		if s := n.Socket(q.SID); s != nil && s.present() {
			a.Found, a.Names = true, s.Rooms()
		}
	case doSelect:
		return srv.selectLocal(q)
	case doDisconnect:
		for s := range srv.socketsIn(q.Namespace, room) {
			s.Disconnect()
			a.Count++
		}
	case doMove:
		return srv.moveLocal(q, room)
	default:
		a.Err = fmt.Sprintf("it does not know the question %.40q", q.Do)
	}
	return a
}

// selectLocal returns the session ids of this server that an event reaches.
func (srv *Server) selectLocal(q *fleetQuestion) (a fleet.Answer) {
	if slices.Contains(q.Rooms, "") || slices.Contains(q.Except, "") {
		return fleet.Answer{Err: errEmptyRoom.Error()}
	}
	e := &emitOptions{ns: q.Namespace, targeted: !q.Everyone, rooms: q.Rooms, skip: q.Skip, except: q.Except}
	srv.each(e, false, nil, func(s *Socket, _ *place) error {
		a.Names, a.Found = append(a.Names, s.sid), true
		return nil
	})
	return a
}

// moveLocal makes those who are in a room of this server, or everyone, join another room.
func (srv *Server) moveLocal(q *fleetQuestion, room string) (a fleet.Answer) {
	for s := range srv.socketsIn(q.Namespace, room) {
		switch err := s.Join(q.NewRoom); {
		case err == nil:
			if room != q.NewRoom && room != rooms.Everyone {
				s.Leave(room)
			}
			a.Count++
		case !errors.Is(err, ErrClosed):
			a.Err = err.Error()
		}
	}
	return a
}
