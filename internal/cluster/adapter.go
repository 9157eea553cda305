package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/plural"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/parser"
)

// Adapter is what the core of a server calls to reach the other servers. Its methods may be
// called from any goroutine. Only Ask, Endpoint and Close wait for the network.
type Adapter interface {
	// Emit publishes an event for the clients of other servers. If ask is not nil,
	// they must acknowledge it. The error is ErrUnavailable; then the Asker of ask
	// is not called.
	Emit(e *wire.Event, ask *Ask) error
	// Record publishes an event that no server delivers. The broker's history has it in the order of
	// the other events. The error is ErrUnavailable.
	Record(e *wire.Event) error
	// Cancel ends an Ask: its Asker is not called any more, and the servers that have
	// the clients wait for no more answers.
	Cancel(id uint64)
	// Expect passes the answers of clients to the Asker of ask, as after Emit, although the
	// clients have been asked in another way. All of them are on the server host.
	Expect(ask *Ask, host string) error
	// Resume returns the question of another server to a client that was asked there and has
	// moved to this server since. id is that of the Ask on the other server.
	Resume(host, namespace string, id uint64, timeout time.Duration) *Question
	// NewCapture returns a Capture that has not begun.
	NewCapture() *Capture
	// Do publishes a command for sockets of other servers. The error is ErrUnavailable.
	Do(c wire.Command) error

	// Ask asks all other servers a question, and waits for their answers until the
	// context ends; the error names the servers that are missing.
	Ask(ctx context.Context, q fleet.Question) ([]fleet.Reply, error)
	// Servers returns the names of the servers, this one first.
	Servers() []string
	// Endpoint returns the URL at which a server can be reached, nil if there is none. It waits
	// up to two seconds for a server that is not known yet.
	Endpoint(ctx context.Context, host string) (*url.URL, error)

	// Status returns the state of the connection with the broker.
	Status() broker.Status
	// Outages returns how often the connection with the broker has been lost. It takes no lock.
	Outages() uint64
	// Dropped returns how many events and commands have not been published, and never will be. It takes no lock.
	Dropped() uint64
	// Close ends the cluster. What waits to be published is published until the
	// context ends; the error says how much is lost.
	Close(ctx context.Context) error
}

// Host is the server that a Cluster belongs to. Its methods do not wait. Unless they
// say otherwise, the goroutine that receives calls them, and no lock is held.
type Host interface {
	// Interested reports whether an event can reach a client of this server. Only its
	// Namespace, Everyone and Rooms are set.
	Interested(e *wire.Event) bool
	// Deliver sends an event to its recipients on this server. If q is not nil, they must
	// acknowledge it. The memory of the event is valid only until Deliver returns.
	Deliver(e *wire.Event, q *Question) error
	// Apply does what a command says.
	Apply(c wire.Command) error

	// WaitIdle waits until the callbacks of answers have returned, or the context
	// ends. Close calls it.
	WaitIdle(ctx context.Context) error
	// Busy keeps Shutdown from returning until done is called. Any goroutine calls
	// it.
	Busy() (done func())
	// Panicked reports that a Parser or a Logger of the application panicked.
	Panicked(v any)
}

// Ask asks clients of other servers for acknowledgements of one event.
type Ask struct {
	ID        uint64 // of the event's packet on this server
	Namespace string
	Asker     Asker

	// The clients that are asked. Clients has them by their session ids; the values are the
	// ids of their servers, empty if not known. Named is the one name that the event is for;
	// the first client that answers counts as the one with that name. Without either, the
	// clients are not known: any client may answer, each of them once.
	Clients map[string]string
	Named   string
	// PerhapsOne means, without Clients and Named, that the event may be for one
	// client of a server that does not say who answers: if no answer comes, Failed is
	// called once, without a session id.
	PerhapsOne bool

	// Timeout is how long answers are waited for. Zero means until Cancel.
	Timeout time.Duration
	// CallerEnds means that the caller ends the wait with Cancel when the Timeout is
	// over; it tells the other servers.
	CallerEnds bool
	Failures   bool // Asker.Failed is called, too
}

// Asker gets the results of an Ask. Its methods do not wait. For each client of
// Clients, and for Named, one of them is called once, unless Cancel comes first;
// Failed only if Ask.Failures is set. Without Clients and Named, sid is empty if the
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

func (e LimitError) Error() string { return "the client owes " + plural.Of(int(e), "acknowledgement") }

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
