// Package census has the questions that the servers of a fleet ask each other about the
// sockets in a namespace, and answers them. It knows the sockets only through the
// interface Sockets; internal/fleet carries the questions.
package census

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/sessionid"
)

// The values of Question.Do. Members, Count, Disconnect and Move are about a room, or
// about everyone in the namespace if Everyone is set.
const (
	Members    = "members"    // Names: the session ids in Room
	Count      = "count"      // Count: how many sockets are in Room
	Disconnect = "disconnect" // an order: everyone in Room leaves the namespace; Count: how many
	Move       = "move"       // an order: everyone in Room leaves it and joins NewRoom; Count: how many
	Rooms      = "rooms"      // Found: the server has the socket SID; Names: its rooms; Count: 1 if it is connected
	Select     = "select"     // Names: the session ids that an event for Rooms, without Skip and Except, reaches; Found: there are any
)

// Question is a question to all servers: the content of a fleet.Question.
type Question struct {
	Do        string   `json:"do"`
	Namespace string   `json:"ns"`
	Everyone  bool     `json:"everyone,omitempty"` // instead of Room or Rooms
	Room      string   `json:"room,omitempty"`
	NewRoom   string   `json:"newRoom,omitempty"`
	SID       string   `json:"sid,omitempty"`
	Rooms     []string `json:"rooms,omitempty"`
	Skip      []string `json:"skip,omitempty"` // session ids
	Except    []string `json:"except,omitempty"`
	Away      bool     `json:"away,omitempty"` // Members, Count: include those who have lost their connection and may come back
}

// errEmptyRoom says that a question about a room does not name one. It is never taken
// for a question about everyone.
var errEmptyRoom = errors.New("the name of the room is empty")

// Sockets are the sockets of this server. room may be rooms.Everyone.
type Sockets interface {
	Members(ns, room string, away bool) (sids []string)
	Count(ns, room string, away bool) int
	// Rooms returns the rooms of a socket. found is false if it is not in the namespace,
	// and connected if its client is away.
	Rooms(ns, sid string) (names []string, found, connected bool)
	// Select returns the session ids that an event reaches.
	Select(q *Question) (sids []string)
	Disconnect(ns, room string) (n int)
	// Move makes everyone in a room join another one and leave the first, unless that
	// is rooms.Everyone. n is the number of those who did. err is why others did not.
	Move(ns, from, to string) (n int, err error)
}

// aboutRoom reports whether the question is about a room or everyone.
func (q *Question) aboutRoom() bool {
	return q.Do == Members || q.Do == Count || q.Do == Disconnect || q.Do == Move
}

// NeedsRoom reports whether the question is about a room and names none.
func (q *Question) NeedsRoom() bool { return q.aboutRoom() && !q.Everyone && q.Room == "" }

// aboutClient reports whether the question is Select for a single client, which at most
// one server has.
func (q *Question) aboutClient() bool {
	return q.Do == Select && len(q.Rooms) == 1 && sessionid.Is(q.Rooms[0])
}

// Fleet returns the question as the fleet carries it.
func (q *Question) Fleet() fleet.Question {
	content, _ := json.Marshal(q) // strings have no errors
	return fleet.Question{Content: content, Order: q.Do == Disconnect || q.Do == Move, UntilFound: q.Do == Rooms || q.aboutClient()}
}

// AnswerContent answers the question of another server.
func AnswerContent(content []byte, s Sockets) fleet.Answer {
	var q Question
	if err := json.Unmarshal(content, &q); err != nil {
		return fleet.Answer{Err: fmt.Sprintf("the server does not understand the question: %.200v", err)}
	}
	return Answer(&q, s)
}

// Answer answers a question for this server, or carries out an order.
func Answer(q *Question, s Sockets) (a fleet.Answer) {
	if q.NeedsRoom() || slices.Contains(q.Rooms, "") || slices.Contains(q.Except, "") {
		return fleet.Answer{Err: errEmptyRoom.Error()}
	}
	room := q.Room
	if q.Everyone {
		room = rooms.Everyone
	}
	switch q.Do {
	case Members:
		a.Names = s.Members(q.Namespace, room, q.Away)
	case Count:
		a.Count = s.Count(q.Namespace, room, q.Away)
	case Rooms:
		var connected bool
		if a.Names, a.Found, connected = s.Rooms(q.Namespace, q.SID); connected {
			a.Count = 1
		}
	case Select:
		a.Names = s.Select(q)
		a.Found = len(a.Names) > 0
	case Disconnect:
		a.Count = s.Disconnect(q.Namespace, room)
	case Move:
		var err error
		if a.Count, err = s.Move(q.Namespace, room, q.NewRoom); err != nil {
			a.Err = err.Error()
		}
	default:
		a.Err = fmt.Sprintf("the server does not know the question %.40q", q.Do)
	}
	return a
}

// MovesSockets reports whether an order, by its content, makes sockets join or leave rooms, or disconnect.
func MovesSockets(order []byte) bool {
	var q Question
	return json.Unmarshal(order, &q) == nil && (q.Do == Move || q.Do == Disconnect)
}
