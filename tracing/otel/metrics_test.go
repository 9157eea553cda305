package otel_test

import (
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/socketiotest"
	"github.com/seed-d124fa34/socketio/tracing/otel"
)

// collect returns the present metrics, by name.
func (r *rig) collect() map[string]metricdata.Metrics {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(r.t, r.reader.Collect(r.t.Context(), &all))
	metrics := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			metrics[m.Name] = m
		}
	}
	return metrics
}

// sums returns the values of the sums by name and attribute, and which of them never shrink.
func (r *rig) sums() (values map[string]int64, totals map[string]bool) {
	values, totals = map[string]int64{}, map[string]bool{}
	for name, m := range r.collect() {
		sum, ok := m.Data.(metricdata.Sum[int64])
		if !ok {
			continue
		}
		totals[name] = sum.IsMonotonic
		for _, p := range sum.DataPoints {
			series := name
			for k, v := range attributes(p.Attributes.ToSlice()) {
				series += " " + k + "=" + v
			}
			values[series] = p.Value
		}
	}
	return values, totals
}

func TestServerIsObserved(t *testing.T) {
	r := newRig(t, &socketio.Options{Namespaces: []string{"*"}}, otel.Options{})
	r.srv.On("join", func(c *socketio.Context) error { return c.Join("room") })
	r.srv.On("say", func(c *socketio.Context, what string) error { return c.Emit("said", what, socketio.Broadcast()) })
	web := socketiotest.Connect(t, r.srv, nil)
	socketiotest.Connect(t, r.srv, &socketiotest.Options{Transport: socketiotest.Polling}).Call("join")
	socketiotest.Connect(t, r.srv, &socketiotest.Options{Namespace: "/made up"})
	socketiotest.Connect(t, r.srv, &socketiotest.Options{Transport: socketiotest.Upgrade}).Disconnect()
	web.Emit("say", "hi")
	web.Expect("said", "hi")
	_, err := socketiotest.TryConnect(t, r.srv, &socketiotest.Options{Header: http.Header{"Origin": {"http://elsewhere.test"}}})
	require.Error(t, err)

	want := map[string]int64{
		"socketio.connections socketio.transport=polling":   1,
		"socketio.connections socketio.transport=websocket": 2,
		"socketio.sockets messaging.destination.name=/":     2,
		"socketio.sockets messaging.destination.name=*":     1,
		"socketio.rooms":              1,
		"socketio.send_queue":         0,
		"socketio.connections.opened": 4,
		"socketio.connections.closed socketio.reason=slow client": 0,
		"socketio.upgrades socketio.result=completed":             1,
		"socketio.requests.refused socketio.cause=origin":         1,
		"socketio.limit_hits socketio.limit=EventRate":            0,
		"socketio.events.received":                                2,
		"socketio.events.sent":                                    2,
		"socketio.panics":                                         0,
	}
	var values map[string]int64
	var totals map[string]bool
	// The first client must have gone, and the one that polls must have fetched everything.
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		values, totals = r.sums()
		for series, want := range want {
			got, ok := values[series]
			assert.True(t, ok && got == want, "%s: %d, %t", series, got, ok)
		}
	}, 20*time.Second, 5*time.Millisecond)
	assert.Positive(t, values["socketio.received"])
	assert.Positive(t, values["socketio.sent"])
	assert.True(t, totals["socketio.events.sent"])
	assert.False(t, totals["socketio.connections"])
	assert.NotContains(t, values, "socketio.broker.connected") // there is none
	assert.NotContains(t, values, "socketio.sockets messaging.destination.name=/made up")
	assert.Equal(t, "By", r.collect()["socketio.sent"].Unit)

	r.remove()
	values, _ = r.sums()
	assert.Empty(t, values)
}

func TestBrokerIsObserved(t *testing.T) {
	memory := new(brokertest.Memory)
	r := newRig(t, &socketio.Options{Cluster: socketio.ClusterOptions{Broker: memory.Connect()}}, otel.Options{})
	eventually := func(series string, want int64) {
		t.Helper()
		assert.Eventually(t, func() bool {
			values, _ := r.sums()
			return values[series] == want
		}, 20*time.Second, 5*time.Millisecond, "%s %d", series, want)
	}
	eventually("socketio.broker.connected", 1)
	require.NoError(t, r.srv.Emit("news", nil))
	eventually("socketio.broker.messages.published", 1)
	memory.Stop()
	eventually("socketio.broker.connected", 0)
	values, _ := r.sums()
	assert.EqualValues(t, 1, values["socketio.broker.outages"])
}

// Several servers can share a provider.
func TestServersOfAProviderAreCountedTogether(t *testing.T) {
	r := newRig(t, nil, otel.Options{})
	r.reader = sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))
	other := socketio.NewServer(nil)
	defer other.Shutdown(t.Context())
	for _, srv := range []*socketio.Server{r.srv, other} {
		remove, err := otel.Instrument(srv, &otel.Options{MeterProvider: provider})
		require.NoError(t, err)
		defer remove()
		socketiotest.Connect(t, srv, nil)
	}
	values, _ := r.sums()
	assert.EqualValues(t, 2, values["socketio.connections socketio.transport=websocket"])
}

func TestAcknowledgementsAreMeasured(t *testing.T) {
	r := newRig(t, nil, otel.Options{})
	r.srv.On("ask", func(c *socketio.Context) error {
		return c.Emit("question", nil, socketio.OnAck(func(*socketio.Context) {}))
	})
	cl := socketiotest.Connect(t, r.srv, &socketiotest.Options{Answer: func(socketiotest.Event) []any { return []any{} }})
	cl.Call("ask")
	cl.Call("ask") // by then the answer to the first question has come
	m := r.collect()["socketio.ack.duration"]
	assert.Equal(t, "s", m.Unit)
	h, ok := m.Data.(metricdata.Histogram[float64])
	require.True(t, ok)
	require.Len(t, h.DataPoints, 1)
	assert.Positive(t, h.DataPoints[0].Count)
}

// The list in the document is exactly what is measured, with the attributes of gauges and counters.
func TestDocumentNamesWhatIsMeasured(t *testing.T) {
	text, err := os.ReadFile("../../docs/observability.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(text), "\n## OpenTelemetry\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	r := newRig(t, &socketio.Options{
		Recovery: new(socketio.Recovery), Cluster: socketio.ClusterOptions{Broker: new(brokertest.Memory).Connect()},
	}, otel.Options{})
	r.srv.On("ask", func(c *socketio.Context) error {
		return c.Emit("question", nil, socketio.OnAck(func(*socketio.Context) {}))
	})
	cl := socketiotest.Connect(t, r.srv, &socketiotest.Options{Answer: func(socketiotest.Event) []any { return []any{} }})
	cl.Call("ask")
	cl.Call("ask")
	left := make(chan struct{})
	r.srv.On("disconnect", func(*socketio.Context) { close(left) })
	silent := socketiotest.Connect(t, r.srv, nil)
	silent.Call("ask")
	silent.Disconnect()
	<-left
	named := map[string]string{} // the cell with the attributes, by instrument
	for row := range strings.Lines(section) {
		if cells := strings.Split(row, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`(.+?)`").FindAllStringSubmatch(cells[1], -1) {
				named[m[1]] = strings.ReplaceAll(cells[2], "namespace", "`messaging.destination.name`")
			}
		}
	}
	measured := r.collect()
	assert.ElementsMatch(t, slices.Collect(maps.Keys(measured)), slices.Collect(maps.Keys(named)))
	for name, m := range measured {
		for _, key := range attributeKeys(m) {
			assert.Contains(t, named[name], "`"+key+"`", name)
		}
	}
}

// attributeKeys returns the names of the attributes that a gauge or a counter has.
func attributeKeys(m metricdata.Metrics) (keys []string) {
	sum, _ := m.Data.(metricdata.Sum[int64])
	for _, p := range sum.DataPoints {
		for _, a := range p.Attributes.ToSlice() {
			keys = append(keys, string(a.Key))
		}
	}
	return keys
}
