// Package wire has the messages that servers exchange about their clients, and the
// interface of a message format ([Wire]), which decides how the messages look. Package
// flask has that of Flask-SocketIO.
//
// Arguments of events and acknowledgements are the JSON texts that clients get, so that
// servers pass them on without decoding them.
package wire

import "time"

// Wire turns messages into bytes on channels and back. Its methods may be called
// from any goroutine, except Read.
type Wire interface {
	// Channels returns the channels that a server subscribes to.
	Channels() []string

	// Event is an event for clients of other servers.
	Event(e *Event) Message
	// Command returns a command for sockets of other servers.
	Command(c Command) Message
	// Question is an Ask of another server, with failures, that has not arrived as one.
	Question(host, namespace string, id uint64, timeout time.Duration) *Question
	// Answer returns the answer of a client of this server to a question.
	Answer(q *Question, a Answer) Message
	// Cancel returns the end of the wait for answers to an event that was published
	// with that Ask.
	Cancel(namespace string, id uint64) Message

	// Read reads a message and passes it to the receiver. The error is that of the
	// receiver, or that the message is not one of this format. own is set if this
	// server itself has published the message, or if it is for another server
	// alone; the receiver does not get it then.
	//
	// One goroutine calls Read. The memory of what the receiver gets is used again
	// afterwards: the receiver copies what it keeps.
	Read(channel string, data []byte, r Receiver) (own bool, err error)
}

// Message is a message to publish.
type Message struct {
	Channel string
	Data    []byte
}

// Receiver carries out what arrives. An error says what is wrong with the message.
type Receiver interface {
	// Interested reports whether an event can reach a client of this server. Only
	// Namespace, Everyone and Rooms are set yet.
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
	Rooms     []string // the members of these rooms, unless Everyone is set
	Skip      []string // but not these session ids
	Except    []string // nor the members of these rooms

	Volatile   bool // it may be dropped
	NoCompress bool

	// ID identifies the event on every server: at most [MaxEventID] characters that need no
	// escaping in JSON. It is empty if the event is volatile, or if the server that published it
	// gives none: one of Flask-SocketIO, or one whose clients cannot come back, on a broker with
	// a history.
	ID []byte

	// At is where an event that arrives is in the broker's history, empty without a history.
	At string

	// Age is the age of an event that arrives late, because its receiver had lost the
	// broker. The event is not for clients that have come since it was published.
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
	// Failures asks for reports of clients that left before they answered, or were not asked.
	Failures bool
	// Home is the server that has all the clients, whose session ids are the event's
	// rooms. It answers for those that have left it. Empty: it is not known which
	// servers have the clients.
	Home string
}

// Question is an Ask that has arrived.
type Question struct {
	Host, ID string // the server that asks, and the id in the answers; see Receiver.Cancel
	// Timeout is as in Ask. It is negative if the asking server does not say.
	Timeout  time.Duration
	Failures bool
	Home     string
	Binary   bool // answers may have attachments
	Return   any  // belongs to the format
}

// Answer is the answer of one client, or why there is none.
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
	CloseRoom                // all members leave the room
)
