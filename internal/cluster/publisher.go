package cluster

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/outbox"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// HostLen is the length of an id that NewHost returns, in bytes.
const HostLen = 32

// NewHost returns an id for a server or an emitter.
func NewHost() string {
	id := uuid.New()
	return fmt.Sprintf("%x", id[:])
}

// Publisher publishes for the clients of servers on a broker. It is all that a
// process without clients needs. Its methods may be called from any goroutine. Only
// Close waits.
type Publisher struct {
	wire wire.Wire
	out  *outbox.Outbox
}

// NewPublisher returns a Publisher, and starts a goroutine that Close ends.
func NewPublisher(w wire.Wire, o outbox.Options) *Publisher { return &Publisher{w, outbox.New(o)} }

// Publish publishes an event. The error is ErrUnavailable.
func (p *Publisher) Publish(e *wire.Event) error { return p.put(p.wire.Event(e)) }

// Do publishes a command. The error is ErrUnavailable.
func (p *Publisher) Do(c wire.Command) error { return p.put(p.wire.Command(c)) }

func (p *Publisher) put(m wire.Message) error {
	if !p.out.Put(m.Channel, m.Data) {
		return ErrUnavailable
	}
	return nil
}

// publishReporting is Publish, and calls dropped if the event is not published after all.
func (p *Publisher) publishReporting(e *wire.Event, dropped func(error)) error {
	m := p.wire.Event(e)
	if !p.out.PutReporting(m.Channel, m.Data, dropped) {
		return ErrUnavailable
	}
	return nil
}

// PutTransient publishes a message between servers that is of no use later. The
// error is ErrUnavailable.
func (p *Publisher) PutTransient(channel string, data []byte) error {
	if !p.out.PutTransient(channel, data) {
		return ErrUnavailable
	}
	return nil
}

// Status returns the state of the connection with the broker.
func (p *Publisher) Status() broker.Status { return p.out.Status() }

// Outages returns how often the connection with the broker has been lost. It takes no lock.
func (p *Publisher) Outages() uint64 { return p.out.Link.Outages() }

// Dropped returns how many events and commands have not been published. It takes no lock.
func (p *Publisher) Dropped() uint64 { return p.out.Link.Dropped() }

// Close publishes what waits until the context ends; the error says how much is lost.
func (p *Publisher) Close(ctx context.Context) error { return p.out.Close(ctx) }
