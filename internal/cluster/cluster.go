package cluster

import (
	"context"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/outbox"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/parser"
)

// Options are what a Cluster needs. All but Keep are required.
type Options struct {
	Host   Host
	ID     string // of this server, see NewHost
	Wire   wire.Wire
	Broker broker.Broker
	Codec  parser.Parser // JSON, for acknowledgements
	Logger *slog.Logger

	ProbeChannel string // see outbox.Options.Channel
	Limit, Keep  int    // see outbox.Options

	// AckTimeout is how long the Cluster waits for answers to questions that name no timeout.
	AckTimeout time.Duration

	// Replay reads the messages in Captures: a Wire whose server id no server has, so that it also
	// reads this server's own messages. CaptureLimit bounds, in bytes, what Captures keep. Without
	// these two there can be no Captures.
	Replay       wire.Wire
	CaptureLimit int

	// Sequence, if set, counts every message of a broker.History.
	Sequence Sequence
	// Journal is the Wire of Record; nil without.
	Journal wire.Wire
}

// Sequence counts what a server receives. The goroutine that receives calls the methods.
type Sequence interface {
	// Begin is called before a message is carried out, and End afterwards. A Gap is not counted.
	Begin(at broker.Position)
	End()
	// Ready says where the subscription is when it begins.
	Ready(at broker.Position)
}

// Cluster is a server's place among others. Start starts a goroutine that receives,
// and New that of an outbox; Close ends both. The goroutine that receives calls the
// Host and Members, and no code of the application but a Parser and a Logger.
type Cluster struct {
	*Publisher
	opts           Options
	Members        Members // set by Start
	membersChannel string
	cancel         context.CancelFunc
	done           chan struct{} // closed when listen has ended
	catchUp        catchUp

	// turn is held while a message is carried out. It is the first of all locks.
	turn      sync.Mutex
	recording recording

	mu        sync.Mutex
	asks      map[uint64]*ask // by id; nil when closed
	questions questions
}

var _ Adapter = (*Cluster)(nil)

// New returns a Cluster that publishes. It receives after Start.
func New(o Options) *Cluster {
	return &Cluster{
		Publisher: NewPublisher(o.Wire, outbox.Options{
			Broker: o.Broker, Channel: o.ProbeChannel, Limit: o.Limit, Keep: o.Keep, Logger: o.Logger,
		}),
		opts: o, done: make(chan struct{}), asks: make(map[uint64]*ask),
		questions: questions{all: make(map[questionKey]*Question)},
	}
}

// Start begins to receive. What comes on the channel of the members goes to them.
func (c *Cluster) Start(m Members, channel string) {
	ctx, cancel := context.WithCancel(context.Background())
	c.Members, c.membersChannel, c.cancel = m, channel, cancel
	go c.listen(ctx)
}

// Emit publishes an event, see Adapter.
func (c *Cluster) Emit(e *wire.Event, a *Ask) error {
	if a == nil {
		return c.Publish(e)
	}
	return c.emitAsking(e, a)
}

// Record publishes an event that no server delivers, see Adapter.
func (c *Cluster) Record(e *wire.Event) error { return c.put(c.opts.Journal.Event(e)) }

// Ask asks all other servers, see Adapter.
func (c *Cluster) Ask(ctx context.Context, q fleet.Question) ([]fleet.Reply, error) {
	return c.Members.Ask(ctx, q)
}

// Servers returns the names of the servers, see Adapter.
func (c *Cluster) Servers() []string { return c.Members.Names() }

// Endpoint returns where a server is reached, see Adapter.
func (c *Cluster) Endpoint(ctx context.Context, host string) (*url.URL, error) {
	return c.Members.Endpoint(ctx, host)
}

// Lost says that answers of a server cannot be expected any more, or that the server has
// lost messages. gone is set if the server waits for no answers either. Any goroutine calls it.
func (c *Cluster) Lost(host string, err error, gone bool) {
	c.lostAnswers(host, err)
	c.questions.forget(host, gone)
}

// Pending returns how many Asks wait for answers, and to how many questions of other
// servers clients of this one owe answers. Tests of several packages use it to see that
// nothing is left over.
func (c *Cluster) Pending() (asks, questions int) {
	c.mu.Lock()
	asks = len(c.asks)
	c.mu.Unlock()
	c.questions.mu.Lock()
	defer c.questions.mu.Unlock()
	return asks, len(c.questions.all)
}

// goodbyeTime is how long Close tries to publish what waits after its context has ended: the others
// report a server that leaves without a goodbye as missing for minutes.
const goodbyeTime = time.Second

// Close ends the cluster, see Adapter. Messages that arrive from now on are not carried out.
func (c *Cluster) Close(ctx context.Context) error {
	c.Members.Close()
	c.cancel()
	<-c.done // it ends with its context
	c.closeAsks()
	c.questions.close()
	err := c.opts.Host.WaitIdle(ctx)
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), goodbyeTime)
		defer cancel()
	}
	if failed := c.Publisher.Close(ctx); failed != nil {
		err = failed
	}
	return err
}
