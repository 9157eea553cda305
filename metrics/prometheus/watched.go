package prometheus

import (
	"context"
	"time"

	client "github.com/prometheus/client_golang/prometheus"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/observe"
)

// watched has the metrics that hooks observe.
type watched struct {
	durations *client.HistogramVec
	errors    *client.CounterVec
	acks      client.Histogram
	unacked   *client.CounterVec
}

func newWatched(buckets []float64) *watched {
	w := &watched{
		durations: client.NewHistogramVec(client.HistogramOpts{
			Name:    prefix + "handler_duration_seconds",
			Help:    `How long events were handled, middleware included; "*" are events without a handler of their own.`,
			Buckets: buckets,
		}, []string{"namespace", "event"}),
		errors: client.NewCounterVec(client.CounterOpts{
			Name: prefix + "event_errors_total",
			Help: "Events whose handling ended with an error, by its kind: error, panic, arguments, no handler, limit, or refusal if the app tells the client.",
		}, []string{"namespace", "event", "kind"}),
		acks: client.NewHistogram(client.HistogramOpts{
			Name:    prefix + "ack_duration_seconds",
			Help:    "How long clients took to acknowledge events.",
			Buckets: buckets,
		}),
		unacked: client.NewCounterVec(client.CounterOpts{
			Name: prefix + "acks_missing_total",
			Help: "Events that clients did not acknowledge, by why nobody waits any more: left, timeout, canceled.",
		}, []string{"reason"}),
	}
	for _, reason := range observe.UnansweredReasons {
		w.unacked.WithLabelValues(reason) // so that the series exists before it is first counted
	}
	return w
}

func (w *watched) hooks() socketio.Hooks {
	return socketio.Hooks{
		Handler: func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
			began := time.Now()
			return ctx, func(_ socketio.Args, err error) {
				ns, event := c.Pattern()
				w.durations.WithLabelValues(ns, event).Observe(time.Since(began).Seconds())
				if err != nil {
					w.errors.WithLabelValues(ns, event, observe.Kind(err)).Inc()
				}
			}
		},
		Acked: func(_ *socketio.Socket, _ string, after time.Duration) { w.acks.Observe(after.Seconds()) },
		Unacked: func(_ *socketio.Socket, _ string, err error) {
			w.unacked.WithLabelValues(observe.Unanswered(err)).Inc()
		},
	}
}

func (w *watched) describe(ch chan<- *client.Desc) {
	w.durations.Describe(ch)
	w.errors.Describe(ch)
	w.acks.Describe(ch)
	w.unacked.Describe(ch)
}

func (w *watched) collect(ch chan<- client.Metric) {
	w.durations.Collect(ch)
	w.errors.Collect(ch)
	w.acks.Collect(ch)
	w.unacked.Collect(ch)
}
