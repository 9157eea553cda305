package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/parser"
)

// Adapter is what the core of a server asks of the other servers. Its methods may be
// called from any goroutine. They do not wait for the network, but for Ask, Endpoint
// and Close.
type Adapter interface {
	// Emit publishes an event for the clients of other servers. If ask is not nil,
	// they are to acknowledge it. The error is ErrUnavailable; then the Asker of ask
	// hears nothing.
	Emit(e *wire.Event, ask *Ask) error
	// Record publishes an event that no server is to deliver: it is for the history, in the order
	// of the others. The error is ErrUnavailable.
	Record(e *wire.Event) error
	// Cancel ends an Ask: its Asker hears nothing more, and the servers that have
	// the clients wait for no more answers.
	Cancel(id uint64)
	// Expect makes the Asker of ask hear the answers of clients who have been asked
	// otherwise, as after Emit. All of them are on the server host.
	Expect(ask *Ask, host string) error
	// Resume returns the question that another server has for a client that has come from
	// there, where it was asked: id is that of the Ask there.
	Resume(host, namespace string, id uint64, timeout time.Duration) *Question
	// NewCapture returns a Capture that has not begun.
	NewCapture() *Capture
	// Do publishes what is to be done with sockets of other servers. The error is
	// ErrUnavailable.
	Do(c wire.Command) error

	// Ask asks all other servers a question, and waits for their answers until the
	// context ends; the error names the servers that are missing.
	Ask(ctx context.Context, q fleet.Question) ([]fleet.Reply, error)
	// Servers returns the names of the servers, this one first.
	Servers() []string
	// Endpoint returns where a server is reached, nil if nowhere. It waits up to a
	// few seconds for one that may be about to be heard of.
	Endpoint(ctx context.Context, host string) (*url.URL, error)

	// Status is how the connection with the broker is.
	Status() broker.Status
	// Close ends the cluster. What waits to be published is published until the
	// context ends; the error says how much is lost.
	Close(ctx context.Context) error
}

// Host is the server that a Cluster belongs to. Its methods do not wait. Unless they
// say otherwise, the goroutine that receives calls them, and no lock is held.
type Host interface {
	// Interested reports whether an event can reach a client here. Only its
	// Namespace, Everyone and Rooms are known.
	Interested(e *wire.Event) bool
	// Deliver sends an event to the clients here that it is for. If q is not nil,
	// they are to acknowledge it. What the event refers to is only valid meanwhile.
	Deliver(e *wire.Event, q *Question) error
	// Apply does what a command says.
	Apply(c wire.Command) error

	// WaitIdle waits until the callbacks of answers have returned, or the context
	// ends. Close calls it.
	WaitIdle(ctx context.Context) error
	// Busy keeps Shutdown from returning until done is called. Any goroutine calls
	// it.
	Busy() (done func())
	// Panicked is told that a Parser or a Logger of the application panicked.
	Panicked(v any)
}

// Ask asks clients of other servers for acknowledgements of one event.
type Ask struct {
	ID        uint64 // that of the event's packet here
	Namespace string
	Asker     Asker

	// Who is asked. Clients are known by their session ids; the values are the ids
	// of their servers, empty where that is not known. Named is the one name that
	// the event is for; whoever answers first is taken for it. Without either it is
	// not known who is asked: anybody may answer, each client once.
	Clients map[string]string
	Named   string
	// PerhapsOne means, without Clients and Named, that the event may be for one
	// client of a server that does not say who answers: if nobody answers, Failed is
	// called once, without a session id.
	PerhapsOne bool

	// Timeout is how long answers are waited for. Zero means until Cancel.
	Timeout time.Duration
	// CallerEnds means that the caller ends the wait with Cancel when the Timeout is
	// over; it tells the other servers.
	CallerEnds bool
	Failures   bool // the Asker wants to hear of them
}

// Asker hears what comes of an Ask. Its methods do not wait. For each client of
// Clients, and for Named, one of them is called once, unless Cancel comes first;
// Failed only if there are Failures. Without Clients and Named, sid is empty if the
// server of the client did not say who answers.
type Asker interface {
	Answered(sid string, args parser.Args)
	// Failed says why there is no answer: ErrLeft, ErrTimeout, ErrUnavailable,
	// ErrClosed, a LimitError, or what Members says of the client's server.
	Failed(sid string, err error)
}

// Errors of an Adapter, and for Asker.Failed.
var (
	// ErrUnavailable: the broker is away, or too slow.
	ErrUnavailable = errors.New("socketio: the broker is unavailable: the message was dropped")
	// ErrClosed: this server shuts down.
	ErrClosed = fmt.Errorf("%w: this server shuts down", ErrUnavailable)
	// ErrLeft: the client left before it answered.
	ErrLeft = errors.New("the client has left")
	// ErrTimeout: the client did not answer in time.
	ErrTimeout = errors.New("the client did not answer in time")
)

// LimitError says that a client was not asked because it owes that many answers.
type LimitError int

func (e LimitError) Error() string { return fmt.Sprintf("the client owes %d acknowledgements", int(e)) }

// Members knows the other servers. A fleet.Fleet is one.
type Members interface {
	Ask(ctx context.Context, q fleet.Question) ([]fleet.Reply, error)
	Names() []string
	Endpoint(ctx context.Context, host string) (*url.URL, error)

	// Connected says that the subscription is in force, Disconnected that it is lost.
	// resumed means that it was in force before, and that no message of this server or
	// for it has been lost since. Connected may be called again without Disconnected if
	// messages were lost meanwhile.
	Connected(resumed bool)
	Disconnected()
	// Receive takes a message from the members' own channel.
	Receive(data []byte) error
	// ReceiveMissed takes one that was published while the subscription was lost, before
	// Connected is called.
	ReceiveMissed(data []byte) error
	// Reachable returns why answers of a server cannot be expected, nil if they can.
	Reachable(host string) error
	// Close says goodbye.
	Close()
}
