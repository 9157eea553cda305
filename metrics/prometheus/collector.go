// Package prometheus exports the state and the traffic of a Socket.IO server as
// metrics for Prometheus.
//
//	registry.MustRegister(prometheus.New(srv, nil))
//
// It reads [socketio.Server.Stats] and [socketio.Server.BrokerStatus] at each scrape,
// which costs nothing between two scrapes. Hooks observe how long the handlers of each
// namespace and event take, and how they fail.
//
// Clients cannot create series: an event without a handler of its own has the label "*",
// and so has a namespace that only clients have named, see [socketio.Context.Pattern].
//
// If a process has several servers, give each a label:
//
//	client.WrapRegistererWith(client.Labels{"server": "public"}, registry).MustRegister(prometheus.New(srv, nil))
package prometheus

import (
	"strings"

	client "github.com/prometheus/client_golang/prometheus"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/observe"
)

// Options are the options of a [Collector]. Nil and the zero value mean every default.
type Options struct {
	// Buckets are the upper bounds of the histograms socketio_handler_duration_seconds
	// and socketio_ack_duration_seconds, in seconds and ascending. Each bucket is a
	// series for each event. Nil means 0.1 ms to 10 s in eleven steps.
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

// New returns a collector for a server, and adds hooks to the server. Register the collector with
// a registry. New panics if the buckets are not ascending.
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

// Close removes the hooks from the server. The collector still collects what they have observed, and
// the state of the server.
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
	observe.Read(c.srv, func(m *observe.Metric, label string, value int64) {
		kind := client.GaugeValue
		if m.Total {
			kind = client.CounterValue
		}
		ch <- client.MustNewConstMetric(descs[m], kind, float64(value), labels(m, label)...)
	})
	c.watched.collect(ch)
}

// prefix is the beginning of all names.
const prefix = "socketio_"

// descs describes all metrics that are read at a scrape.
var descs = describe()

func describe() map[*observe.Metric]*client.Desc {
	descs := make(map[*observe.Metric]*client.Desc)
	for _, m := range observe.Metrics {
		name := prefix + strings.ReplaceAll(m.Name, ".", "_")
		if m.Unit == "By" {
			name += "_bytes"
		}
		if m.Total {
			name += "_total"
		}
		descs[m] = client.NewDesc(name, m.Help, labels(m, m.Label), nil)
	}
	return descs
}

// labels returns the label as a list, which is empty for metrics without one.
func labels(m *observe.Metric, label string) []string {
	if m.Label == "" {
		return nil
	}
	return []string{label}
}
