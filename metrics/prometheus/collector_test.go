package prometheus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/metrics/prometheus"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// rig is a server, and a registry with its collector.
type rig struct {
	t        *testing.T
	srv      *socketio.Server
	registry *client.Registry
	*prometheus.Collector
}

func newRig(t *testing.T, opts *socketio.Options) *rig {
	if opts == nil {
		opts = &socketio.Options{}
	}
	opts.Logger = slog.New(slog.DiscardHandler)
	r := &rig{t: t, srv: socketio.NewServer(opts), registry: client.NewPedanticRegistry()}
	r.Collector = prometheus.New(r.srv, nil)
	r.registry.MustRegister(r.Collector)
	t.Cleanup(func() {
		assert.NoError(t, r.srv.Shutdown(context.Background()))
		r.Close()
	})
	return r
}

// scrape returns the samples that Prometheus gets, by name and labels.
func (r *rig) scrape() map[string]string {
	r.t.Helper()
	web := httptest.NewServer(promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{Registry: r.registry}))
	defer web.Close()
	answer, err := web.Client().Get(web.URL)
	require.NoError(r.t, err)
	defer answer.Body.Close()
	require.Equal(r.t, http.StatusOK, answer.StatusCode)
	text, err := io.ReadAll(answer.Body)
	require.NoError(r.t, err)
	samples := map[string]string{}
	for line := range strings.SplitSeq(string(text), "\n") {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			samples[line[:i]] = line[i+1:]
		}
	}
	return samples
}

// expect checks some of the samples. "" means that there is none.
func (r *rig) expect(want map[string]string) {
	r.t.Helper()
	got := r.scrape()
	for series, value := range want {
		assert.Equal(r.t, value, got[series], series)
	}
}

func TestNamesFollowTheConventions(t *testing.T) {
	r := newRig(t, nil)
	r.srv.On("say", func(*socketio.Context) error { return &socketio.Error{Message: "no"} })
	cl := socketiotest.Connect(t, r.srv, nil)
	cl.Call("say")
	problems, err := testutil.GatherAndLint(r.registry)
	require.NoError(t, err)
	assert.Empty(t, problems)
}

func TestScrapeOfConnectionsAndTraffic(t *testing.T) {
	r := newRig(t, nil)
	r.srv.On("join", func(c *socketio.Context) error { return c.Join("room") })
	r.srv.On("say", func(c *socketio.Context, what string) error { return c.Emit("said", what, socketio.Broadcast()) })
	r.srv.Namespace("/chat").On("connect", func(*socketio.Context) error { return &socketio.Error{Message: "no"} })

	web := socketiotest.Connect(t, r.srv, nil)
	socketiotest.Connect(t, r.srv, &socketiotest.Options{Transport: socketiotest.Polling}).Call("join")
	gone := socketiotest.Connect(t, r.srv, &socketiotest.Options{Transport: socketiotest.Upgrade})
	gone.Disconnect()
	_, err := web.TryJoin("/chat", nil)
	require.Error(t, err)
	web.Emit("say", "hi")
	web.Expect("said", "hi")
	_, err = socketiotest.TryConnect(t, r.srv, &socketiotest.Options{Header: http.Header{"Origin": {"http://elsewhere.test"}}})
	require.Error(t, err)

	r.expect(map[string]string{
		`socketio_connections{transport="polling"}`:                                     "1",
		`socketio_connections{transport="websocket"}`:                                   "1",
		`socketio_sockets{namespace="/"}`:                                               "2",
		`socketio_sockets{namespace="/chat"}`:                                           "0",
		`socketio_rooms`:                                                                "1",
		`socketio_connections_opened_total`:                                             "3",
		`socketio_connections_closed_total{reason="slow client"}`:                       "0",
		`socketio_upgrades_total{result="completed"}`:                                   "1",
		`socketio_upgrades_total{result="failed"}`:                                      "0",
		`socketio_requests_refused_total{cause="origin"}`:                               "1",
		`socketio_requests_refused_total{cause="unknown session"}`:                      "0",
		`socketio_limit_hits_total{limit="EventRate"}`:                                  "0",
		`socketio_events_received_total`:                                                "2",
		`socketio_events_sent_total`:                                                    "2",
		`socketio_connect_errors_total`:                                                 "1",
		`socketio_handler_errors_total`:                                                 "0",
		`socketio_panics_total`:                                                         "0",
		`socketio_handler_duration_seconds_count{event="say",namespace="/"}`:            "1",
		`socketio_handler_duration_seconds_count{event="connect",namespace="/"}`:        "3",
		`socketio_event_errors_total{event="connect",kind="refusal",namespace="/chat"}`: "1",
		`socketio_broker_connected`:                                                     "", // there is none
	})
	samples := r.scrape()
	for _, counted := range []string{"received_bytes", "sent_bytes", "packets_received", "packets_sent"} {
		assert.NotContains(t, []string{"", "0"}, samples["socketio_"+counted+"_total"], counted)
	}
}

func TestHandlersAreObserved(t *testing.T) {
	r := newRig(t, nil)
	r.srv.On("fail", func(*socketio.Context) error { return errors.New("no") })
	r.srv.On("panic", func(*socketio.Context) { panic("no") })
	r.srv.On("count", func(*socketio.Context, int) {})
	r.srv.On("ask", func(c *socketio.Context) error {
		return c.Emit("question", nil, socketio.OnAck(func(*socketio.Context) {}))
	})
	cl := socketiotest.Connect(t, r.srv, &socketiotest.Options{Answer: func(socketiotest.Event) []any { return []any{} }})
	cl.Emit("fail")
	cl.Emit("panic")
	cl.Emit("count", "one")
	cl.Emit("made up")
	cl.Call("ask")
	cl.Call("count", 1) // by then the answer to the question has come
	silent := socketiotest.Connect(t, r.srv, nil)
	silent.Call("ask")
	for _, c := range []*socketiotest.Client{cl, silent} {
		c.Disconnect()
		c.WaitDisconnect()
	}
	require.NoError(t, r.srv.Shutdown(t.Context())) // all handlers have returned

	r.expect(map[string]string{
		`socketio_event_errors_total{event="fail",kind="error",namespace="/"}`:          "1",
		`socketio_event_errors_total{event="panic",kind="panic",namespace="/"}`:         "1",
		`socketio_event_errors_total{event="count",kind="arguments",namespace="/"}`:     "1",
		`socketio_event_errors_total{event="*",kind="no handler",namespace="/"}`:        "1",
		`socketio_handler_duration_seconds_count{event="fail",namespace="/"}`:           "1",
		`socketio_handler_duration_seconds_count{event="disconnect",namespace="/"}`:     "2",
		`socketio_handler_duration_seconds_bucket{event="ask",namespace="/",le="+Inf"}`: "2",
		`socketio_ack_duration_seconds_count`:                                           "1",
		`socketio_acks_missing_total{reason="left"}`:                                    "1",
		`socketio_acks_missing_total{reason="timeout"}`:                                 "0",
	})
}

func TestDroppedEventsAreObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &socketio.Options{Limits: socketio.Limits{EventRate: 1, EventBurst: 3}})
		r.srv.On("count", func(*socketio.Context) {})
		cl := socketiotest.Connect(t, r.srv, nil)
		for range 4 {
			cl.Emit("count")
		}
		synctest.Wait()
		assert.NoError(t, testutil.GatherAndCompare(r.registry, strings.NewReader(`
# HELP socketio_event_errors_total Events whose handling ended with an error, by its kind: error, panic, arguments, no handler, limit, or refusal if the app tells the client.
# TYPE socketio_event_errors_total counter
socketio_event_errors_total{event="count",kind="limit",namespace="/"} 2
`), "socketio_event_errors_total"))
	})
}

// Names that clients make up create no series.
func TestClientsCreateNoSeries(t *testing.T) {
	r := newRig(t, &socketio.Options{Namespaces: []string{"*"}})
	r.srv.Namespace("*").On("*", func(*socketio.Context, string) {})
	play := func(from, to int) int {
		for i := range to - from {
			cl := socketiotest.Connect(t, r.srv, &socketiotest.Options{Namespace: fmt.Sprintf("/made-up-%d", from+i)})
			cl.Call(fmt.Sprintf("event %d", from+i))
		}
		n, err := testutil.GatherAndCount(r.registry)
		require.NoError(t, err)
		return n
	}
	before := play(0, 1)
	assert.Equal(t, before, play(1, 20))
	r.expect(map[string]string{
		`socketio_sockets{namespace="*"}`:                                        "20",
		`socketio_handler_duration_seconds_count{event="*",namespace="*"}`:       "20",
		`socketio_handler_duration_seconds_count{event="connect",namespace="*"}`: "20",
	})
}

func TestCloseEndsWhatHooksObserve(t *testing.T) {
	r := newRig(t, nil)
	r.srv.On("say", func(*socketio.Context) {})
	cl := socketiotest.Connect(t, r.srv, nil)
	cl.Call("say")
	r.Close()
	cl.Call("say")
	r.expect(map[string]string{
		`socketio_handler_duration_seconds_count{event="say",namespace="/"}`: "1",
		`socketio_events_received_total`:                                     "2",
	})
}

// Several servers can share a registry.
func TestServersAreToldApartByALabel(t *testing.T) {
	r := newRig(t, nil)
	r.registry = client.NewPedanticRegistry()
	other := prometheus.New(socketio.NewServer(nil), &prometheus.Options{Buckets: []float64{1}})
	client.WrapRegistererWith(client.Labels{"server": "a"}, r.registry).MustRegister(r.Collector)
	client.WrapRegistererWith(client.Labels{"server": "b"}, r.registry).MustRegister(other)
	socketiotest.Connect(t, r.srv, nil)
	r.expect(map[string]string{
		`socketio_connections{server="a",transport="websocket"}`: "1",
		`socketio_connections{server="b",transport="websocket"}`: "0",
	})
}
