// Package prometheus makes a Socket.IO server's state and traffic metrics for
// Prometheus.
//
//	collector := prometheus.New(srv, nil)
//	registry.MustRegister(collector)
//
// What [socketio.Server.Stats] and [socketio.Server.BrokerStatus] tell is read
// at each scrape and costs nothing in between. How long handlers take, and how
// they fail, is observed by hooks, for each namespace and event.
//
// Clients cannot create series: events without a handler of their own are
// counted as "*", and so are the namespaces that only clients have named, see
// [socketio.Context.Pattern].
//
// Several servers of one process are told apart by a label:
//
//	client.WrapRegistererWith(client.Labels{"server": "public"}, registry).MustRegister(prometheus.New(srv, nil))
package prometheus

import (
	client "github.com/prometheus/client_golang/prometheus"

	"github.com/seed-d124fa34/socketio"
)

// Options are the options of a [Collector]. Nil and the zero value mean every
// default.
type Options struct {
	// Buckets are the upper bounds, in seconds and ascending, of the histograms
	// socketio_handler_duration_seconds and socketio_ack_duration_seconds. Each
	// is a series for each event. Nil means 0.1 ms to 10 s in eleven steps.
	Buckets []float64
}

var defaultBuckets = []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5, 10}

// Collector is a prometheus.Collector of one server. All methods are safe for
// concurrent use.
type Collector struct {
	srv     *socketio.Server
	remove  func()
	watched *watched
}

var _ client.Collector = (*Collector)(nil)

// New returns the collector of a server and adds its hooks to it. It panics if
// the buckets are not ascending.
func New(srv *socketio.Server, opts *Options) *Collector {
	if opts == nil {
		opts = &Options{}
	}
	buckets := opts.Buckets
	if buckets == nil {
		buckets = defaultBuckets
	}
	c := &Collector{srv: srv, watched: newWatched(buckets)}
	c.remove = srv.AddHooks(c.watched.hooks())
	return c
}

// Close removes the hooks from the server. What they have observed, and what
// the server tells itself, is collected all the same.
func (c *Collector) Close() { c.remove() }

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *client.Desc) {
	for _, d := range descs {
		ch <- d
	}
	c.watched.describe(ch)
}

// Collect implements prometheus.Collector. It takes as long as
// [socketio.Server.Stats].
func (c *Collector) Collect(ch chan<- client.Metric) {
	collectStats(ch, c.srv)
	collectBroker(ch, c.srv.BrokerStatus())
	c.watched.collect(ch)
}
