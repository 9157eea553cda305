package socketio

import (
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
