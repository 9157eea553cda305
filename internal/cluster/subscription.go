package cluster

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/outbox"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// catchUp is how a Cluster gets what it missed in an outage, if its broker is a
// broker.History. Only the goroutine that receives uses it.
type catchUp struct {
	history broker.History  // nil: messages that are missed are lost
	at      broker.Position // of the last message that was carried out; empty before the first subscription
	coming  broker.Position // of the message that is being carried out
	missed  bool            // the messages that arrive now were published during an outage
	age     time.Duration   // of the message that is being carried out
	lost    bool            // messages may be missing since the subscription was in force
	dropped uint64          // how many messages this server had dropped when it was restored last
}

// listen keeps the subscription in force.
func (c *Cluster) listen(ctx context.Context) {
	defer close(c.done)
	channels := append(slices.Clone(c.wire.Channels()), c.membersChannel)
	c.catchUp.history, _ = c.opts.Broker.(broker.History)
	for failures := 0; ; {
		err := c.subscribe(ctx, channels, func() {
			failures = 0
			c.connected()
		})
		if ctx.Err() != nil {
			return
		}
		c.disconnected(err)
		if errors.Is(err, broker.ErrClosed) {
			return
		}
		failures++
		select {
		case <-time.After(outbox.Backoff(failures)):
		case <-ctx.Done():
			return
		}
	}
}

// subscribe receives until the subscription is lost or the context ends, and returns why.
// With a broker.History it first carries out what was published since it was lost.
func (c *Cluster) subscribe(ctx context.Context, channels []string, ready func()) error {
	r := &c.catchUp
	if r.history == nil {
		return c.opts.Broker.Subscribe(ctx, channels, ready, c.receive)
	}
	r.missed = true
	r.lost = r.lost || r.at == ""
	first, sequence := true, c.opts.Sequence
	return r.history.SubscribeAfter(ctx, r.at, channels, broker.Subscriber{
		Handle: func(m broker.Message) {
			if first {
				first = false
				c.out.Retry() // so that answers to what was missed can be published
			}
			r.age, r.coming = m.Age, m.Position
			if sequence == nil {
				c.receive(m.Channel, m.Data)
			} else {
				sequence.Begin(m.Position)
				c.receive(m.Channel, m.Data)
				sequence.End()
			}
			r.at, r.coming = m.Position, ""
		},
		Ready: func(at broker.Position) {
			if sequence != nil {
				sequence.Ready(at)
			}
			r.at, r.missed, r.age = at, false, 0
			ready()
		},
		Gap: c.gap,
	})
}

// connected says that the subscription is in force.
func (c *Cluster) connected() {
	r := &c.catchUp
	dropped := c.out.Status().Dropped
	resumed := r.history != nil && !r.lost && dropped == r.dropped
	r.lost, r.dropped = false, dropped
	c.out.Retry()
	c.Members.Connected(resumed)
	c.out.Link.Subscribed(nil) // last: a program that sees Connected in the status may ask the other servers
}

// disconnected says that the subscription is lost. Without a history answers may be lost with
// it, so the waits for them end.
func (c *Cluster) disconnected(err error) {
	c.Members.Disconnected()
	if c.catchUp.history == nil || errors.Is(err, broker.ErrClosed) {
		c.endCaptures()
		c.endKnown()
	}
	c.out.Link.Subscribed(err)
}

// endCaptures makes the Captures fail, because messages are lost.
func (c *Cluster) endCaptures() {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.recording.endAll()
}

// gap says that messages are lost although the broker has a history.
func (c *Cluster) gap(err error) {
	c.out.Link.Gap(err)
	c.endCaptures()
	c.endKnown()
	if c.catchUp.missed {
		c.catchUp.lost = true
	} else { // this server does not keep up
		c.Members.Connected(false)
	}
}

// receive carries out one message.
func (c *Cluster) receive(channel string, data []byte) {
	defer func() {
		if v := recover(); v != nil { // of a Parser or a Logger
			c.out.Link.CountIgnored()
			c.opts.Host.Panicked(v)
		}
	}()
	if outbox.IsProbe(data) {
		return
	}
	c.turn.Lock()
	defer c.turn.Unlock()
	// Orders that were missed are not carried out: they are asked again.
	if len(c.recording.captures) > 0 && (channel != c.membersChannel || !c.catchUp.missed && fleet.PerhapsOrder(data)) {
		c.recording.add(channel, data, c.catchUp.coming, c.opts.CaptureLimit)
	}
	if channel == c.membersChannel {
		take := c.Members.Receive
		if c.catchUp.missed {
			take = c.Members.ReceiveMissed
		}
		if err := take(data); err != nil {
			c.out.Link.Ignore(data, err)
		}
		return
	}
	own, err := c.wire.Read(channel, data, (*receiver)(c))
	if own {
		c.recording.markOwn()
		return
	}
	c.out.Link.Received(c.catchUp.missed)
	if err != nil {
		c.out.Link.Ignore(data, err)
	}
}

// receiver is the Cluster in the form of a wire.Receiver.
type receiver Cluster

func (r *receiver) Interested(e *wire.Event) bool { return r.opts.Host.Interested(e) }

func (r *receiver) Event(e *wire.Event, wq *wire.Question) error {
	c := (*Cluster)(r)
	e.At = string(c.catchUp.coming)
	if c.catchUp.missed {
		if e.Volatile {
			return nil
		}
		e.Age = c.catchUp.age
	}
	if wq == nil {
		return c.opts.Host.Deliver(e, nil)
	}
	q := c.newQuestion(wq)
	if q.timeout > 0 {
		if q.timeout -= e.Age; q.timeout <= 0 {
			return nil // the wait for the answer has ended
		}
	}
	err := c.opts.Host.Deliver(e, q)
	if wq.Home == c.opts.ID {
		q.failMissing(e)
	}
	return err
}

func (r *receiver) Command(cmd wire.Command) error { return r.opts.Host.Apply(cmd) }
func (r *receiver) Answer(a *wire.Answer) error    { return (*Cluster)(r).answer(a) }
func (r *receiver) Cancel(host, id string)         { (*Cluster)(r).questions.cancel(questionKey{host, id}) }
