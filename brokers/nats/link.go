package nats

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed-d124fa34/socketio/broker"
)

// link is one connection. It does not reconnect: otherwise the library would subscribe
// again, and the subscriber would not know that messages are missing.
type link struct {
	conn      *natsgo.Conn
	ctx       context.Context // ends when the connection is lost or no longer needed; its cause says why
	cancel    context.CancelCauseFunc
	confirmed map[string]bool     // subjects to which the user may publish
	stream    jetstream.JetStream // set when the stream of a History is known to exist
}

// maxConfirmed is how many subjects a link remembers as confirmed.
const maxConfirmed = 1000

var errLost = errors.New("the connection is lost")

// connect makes a connection, unless ctx ends first. The connection is used until life ends.
func (b *Broker) connect(ctx, life context.Context) (*link, error) {
	l := &link{confirmed: make(map[string]bool)}
	l.ctx, l.cancel = context.WithCancelCause(life)
	dialing := &dialer{ctx: ctx}
	options := append(b.options[:len(b.options):len(b.options)], func(o *natsgo.Options) error {
		o.AllowReconnect, o.RetryOnFailedConnect = false, false
		o.Timeout, o.FlusherTimeout = dialTimeout, writeTimeout
		o.PingInterval, o.MaxPingsOut = b.ping, pingsOut
		o.NoCallbacksAfterClientClose = true
		dialing.next = o.CustomDialer
		o.CustomDialer = dialing
		failed, closed := o.AsyncErrorCB, o.ClosedCB
		o.AsyncErrorCB = func(c *natsgo.Conn, s *natsgo.Subscription, err error) {
			l.cancel(err)
			if failed != nil {
				failed(c, s, err)
			}
		}
		o.ClosedCB = func(c *natsgo.Conn) {
			if err := c.LastError(); err != nil {
				l.cancel(err)
			}
			l.cancel(errLost)
			if closed != nil {
				closed(c)
			}
		}
		return nil
	})
	conn, err := natsgo.Connect(b.url, options...)
	dialing.done()
	if err != nil {
		l.cancel(err)
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	l.conn = conn
	return l, nil
}

// tooBig returns the error for a message that is bigger than NATS takes.
func (l *link) tooBig(data []byte) error {
	return fmt.Errorf("%w: %d bytes, and NATS takes %d (max_payload)", broker.ErrTooBig, len(data), l.conn.MaxPayload())
}

// close ends the connection and the goroutines that the library has for it.
func (l *link) close() {
	l.cancel(errLost)
	if l.stream != nil {
		l.stream.CleanupPublisher()
	}
	l.conn.Close()
}

// confirm waits until NATS has processed everything that was sent. The error may be the answer
// of NATS to any of it.
func (l *link) confirm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := l.conn.FlushWithContext(ctx); err != nil {
		return err
	}
	return l.conn.LastError()
}

// dialer dials for the library, which does not pass contexts: when ctx ends, the dialer
// closes the connections that it has made, until done is called.
type dialer struct {
	ctx  context.Context
	next natsgo.CustomDialer // the user's; nil for none

	mu    sync.Mutex
	stops []func() bool
}

// Dial implements natsgo.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	if err := d.ctx.Err(); err != nil {
		return nil, err
	}
	var conn net.Conn
	var err error
	if d.next != nil {
		conn, err = d.next.Dial(network, address)
	} else {
		own := net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
		conn, err = own.DialContext(d.ctx, network, address)
	}
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(d.ctx, func() { _ = conn.Close() })
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stops = append(d.stops, stop)
	return conn, nil
}

// done keeps the connections open when ctx ends.
func (d *dialer) done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, stop := range d.stops {
		stop()
	}
}
