// Package wire says what servers tell each other about their clients, and what a
// message format between them has to be able to ([Wire]). How the messages look is
// up to the formats: package flask has that of Flask-SocketIO.
//
// Arguments of events and acknowledgements are the JSON texts that clients get, so
// that they pass from server to server without being decoded.
package wire

import "time"

// Wire turns messages into bytes on channels and back. Its methods may be called
// from any goroutine, except Read.
type Wire interface {
	// Channels are those that a server subscribes to.
	Channels() []string

	// Event is an event for clients of other servers.
	Event(e *Event) Message
	// Command is something to be done with sockets of other servers.
	Command(c Command) Message
	// Question is an Ask of another server, with failures, that has not arrived as one.
	Question(host, namespace string, id uint64, timeout time.Duration) *Question
	// Answer is what a client here answered to a question.
	Answer(q *Question, a Answer) Message
	// Cancel says that nobody waits any more for the answers to an event that was
	// published with that Ask.
	Cancel(namespace string, id uint64) Message

	// Read reads a message and has the receiver carry it out. An error says why it
	// cannot be used: it is not one of this format, or the receiver's. own is set
	// if this server itself has published it, or if it is for another server
	// alone; it is not looked at then.
	//
	// One goroutine calls Read. What the receiver gets is a part of data, or is
	// used again: it is copied if it is kept.
	Read(channel string, data []byte, r Receiver) (own bool, err error)
}

// Message is what is to be published.
type Message struct {
	Channel string
	Data    []byte
}

// Receiver carries out what arrives. An error says what is wrong with the message.
type Receiver interface {
	// Interested reports whether an event is for anybody here. Only Namespace,
	// Everyone and Rooms are known yet.
	Interested(e *Event) bool
	// Event delivers an event. q is nil if no acknowledgements are asked for.
	Event(e *Event, q *Question) error
	// Command carries out a command.
	Command(c Command) error
	// Answer takes the answer of a client of another server.
	Answer(a *Answer) error
	// Cancel ends a question of another server.
	Cancel(host, id string)
}

// Event is an event for the clients of a namespace.
type Event struct {
	Namespace string
	Everyone  bool     // in the namespace
	Rooms     []string // who is in one of them, unless Everyone
	Skip      []string // but not these session ids
	Except    []string // nor who is in one of these rooms

	Volatile   bool // it may be dropped
	NoCompress bool

	// ID tells the event from all others, on every server: at most [MaxEventID] characters that
	// need no escaping in JSON. Empty: it is volatile, or the server that published it gives none: one of
	// Flask-SocketIO, or one whose clients cannot come back, on a broker with a history.
	ID []byte

	// At is where an event that arrives is in the broker's history, empty without a history.
	At string

	// Age is how long ago an event was published that arrives late, because its receiver
	// was cut off. It is not for clients that have come since.
	Age time.Duration

	Name []byte // JSON: a string or a number
	Payload

	Ask *Ask // what is published asks for acknowledgements; nil: it does not
}

// MaxEventID is the length of an Event's longest ID.
const MaxEventID = 40

// Payload is the arguments of an event or an acknowledgement.
type Payload struct {
	Args        []byte // JSON, with commas between them
	Attachments [][]byte
}

// Ask asks the clients that get an event for acknowledgements.
type Ask struct {
	ID uint64 // what the answers name
	// Timeout is how long they are waited for. Zero means until a Cancel.
	Timeout time.Duration
	// Failures are wanted: that a client left before it answered, or was not asked.
	Failures bool
	// Home is the server that has all the clients, whose session ids are the
	// event's rooms: it answers for those that it does not have any more. Empty:
	// who has them is not known.
	Home string
}

// Question is an Ask that has arrived.
type Question struct {
	Host, ID string // who asks, and what the answers name; see Receiver.Cancel
	// Timeout is as in Ask. It is negative if the asking server does not say.
	Timeout  time.Duration
	Failures bool
	Home     string
	Binary   bool // answers may have attachments
	Return   any  // belongs to the format
}

// Answer is what came of asking one client.
type Answer struct {
	ID        uint64 // of the Ask, in an answer that has arrived
	Namespace string
	// From is the session id of the client. It is empty if the answering server,
	// one of Flask-SocketIO, does not say.
	From string
	// Failed means that the client left before it answered, or was not asked;
	// in the latter case because it owes Limit answers already, if that is positive.
	Failed bool
	Limit  int
	Payload
}

// Command is something to be done with a socket, or with all sockets of a room.
type Command struct {
	Do        Action
	Namespace string
	SID       string // of the socket; not for CloseRoom
	Room      string // not for Disconnect
}

// Action is what a Command does.
type Action int

// The actions.
const (
	Join       Action = iota // the socket joins the room
	Leave                    // the socket leaves the room
	Disconnect               // the socket leaves the namespace
	CloseRoom                // everybody leaves the room
)
