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

// ClusterError says that an answer is not complete.
type ClusterError struct {
	// Missing names the servers that did not answer, or could not carry out the
	// request, as [Cluster.Servers] does. It may be empty: while the broker is not
	// available, this server does not know the others.
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

// Servers returns the names of the servers that are known now, this one first. A name
// consists of the machine, the process id, and the beginning of the server's id on the
// broker.
func (cl *Cluster) Servers() []string {
	switch {
	case cl.srv == nil: // of a nil *Socket
		return nil
	case cl.srv.cluster == nil:
		return []string{serverName("")}
	}
	return cl.srv.cluster.Servers()
}

// ask answers a question for this server, asks the others, and combines the answers.
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

// join returns an error that combines both; either may be nil.
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

// Members returns the session ids in a room, in no particular order. The error is
// [ErrRoomName] for an empty name; SIDs is for everyone.
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
// [ErrUnknownSocket] if no server has the socket. Rooms returns as soon as the server
// that has it answers, and is complete then, even if other servers are missing.
func (cl *Cluster) Rooms(ctx context.Context, sid string) ([]string, error) {
	r, err := cl.ask(ctx, &fleetQuestion{Do: doRooms, SID: sid})
	if err == nil && !r.Found {
		err = fmt.Errorf("%w: %q in %.100s", ErrUnknownSocket, short(sid), cl.ns.name)
	}
	return r.Names, err
}

// Connected reports whether a socket is in the namespace, on any server.
func (cl *Cluster) Connected(ctx context.Context, sid string) (bool, error) {
	r, err := cl.ask(ctx, &fleetQuestion{Do: doRooms, SID: sid})
	return r.Found, err
}

// DisconnectRoom makes everyone in a room leave the namespace, see
// [Socket.Disconnect]. It returns their number. That does not include clients of the
// servers that the error names, although these may have left, too. The error is
// [ErrRoomName] for an empty name; DisconnectAll is for everyone.
func (cl *Cluster) DisconnectRoom(ctx context.Context, room string) (int, error) {
	r, err := cl.ask(ctx, &fleetQuestion{Do: doDisconnect, Room: room})
	return r.Count, err
}

// DisconnectAll makes everyone leave the namespace, on all servers, and returns their
// number as DisconnectRoom does.
func (cl *Cluster) DisconnectAll(ctx context.Context) (int, error) {
	r, err := cl.ask(ctx, &fleetQuestion{Do: doDisconnect, Everyone: true})
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
	r, err := cl.ask(ctx, &fleetQuestion{Do: doMove, Room: from, NewRoom: to})
	return r.Count, err
}

// JoinAll makes everyone in the namespace, on all servers, join a room, and returns
// their number as MoveRoom does.
func (cl *Cluster) JoinAll(ctx context.Context, room string) (int, error) {
	if err := checkRoomName(room); err != nil {
		return 0, err
	}
	r, err := cl.ask(ctx, &fleetQuestion{Do: doMove, Everyone: true, NewRoom: room})
	return r.Count, err
}

// What the servers of a fleet ask each other about their sockets.

// fleetChannel returns the channel on which Go servers find each other and ask each
// other. channel is the one that they share for their clients.
func fleetChannel(channel string) string { return channel + "#servers" }

// newFleet returns the server's place among the Go servers on the broker.
func (srv *Server) newFleet(id string, c *cluster.Cluster) *fleet.Fleet {
	channel := fleetChannel(srv.opts.Cluster.Channel)
	o := fleet.Options{
		Host: id, Name: serverName(id), Answer: srv.answerServer,
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

// serverName returns a name of this process that people can read.
func serverName(host string) string {
	machine, _ := os.Hostname() // may be unknown
	name := fmt.Sprintf("%.100s/%d", machine, os.Getpid())
	if host != "" {
		name += "/" + host[:8]
	}
	return name
}

// fleetQuestion is a question to all servers about the sockets of a namespace: the
// content of a fleet.Question.
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

// The questions. Those about a room are about everyone in the namespace if Everyone is
// set.
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

// aboutClient reports whether the question is doSelect for a single client, which at
// most one server has.
func (q *fleetQuestion) aboutClient() bool {
	return q.Do == doSelect && len(q.Rooms) == 1 && sessionid.Is(q.Rooms[0])
}

// question returns the question as the fleet carries it.
func (q *fleetQuestion) question() fleet.Question {
	content, _ := json.Marshal(q) // strings have no errors
	return fleet.Question{Content: content, Order: q.Do == doDisconnect || q.Do == doMove, UntilFound: q.Do == doRooms || q.aboutClient()}
}

// answerServer answers a question of another server.
func (srv *Server) answerServer(_ string, content []byte, answer func(fleet.Answer)) {
	answer(srv.answerContent(content))
}

// answerContent returns the answer to a question of another server. There is one in every case,
// because the other server waits.
func (srv *Server) answerContent(content []byte) (a fleet.Answer) {
	defer func() {
		if v := recover(); v != nil { // of a hook
			a = fleet.Answer{Err: srv.recovered("answering another server", v).Error()}
		}
	}()
	var q fleetQuestion
	if err := json.Unmarshal(content, &q); err != nil {
		return fleet.Answer{Err: fmt.Sprintf("the server does not understand the question: %.200v", err)}
	}
	return srv.answerQuestion(&q)
}

// answerQuestion answers a question for this server, or carries out an order.
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
		a.Err = fmt.Sprintf("the server does not know the question %.40q", q.Do)
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

// moveLocal makes the sockets in a room of this server join another room. room may be
// rooms.Everyone.
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
