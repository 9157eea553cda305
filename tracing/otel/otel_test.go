package otel_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
	"github.com/seed-d124fa34/socketio/tracing/otel"
)

// rig is a server whose spans and measurements stay in memory.
type rig struct {
	t      *testing.T
	srv    *socketio.Server
	spans  *tracetest.InMemoryExporter
	tracer trace.Tracer
	reader *sdkmetric.ManualReader
	remove func()
}

func newRig(t *testing.T, server *socketio.Options, opts otel.Options) *rig {
	if server == nil {
		server = &socketio.Options{}
	}
	server.Logger = slog.New(slog.DiscardHandler)
	r := &rig{t: t, srv: socketio.NewServer(server), spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.spans))
	r.tracer = provider.Tracer("test")
	opts.TracerProvider = provider
	opts.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))
	if opts.Propagator == nil {
		opts.Propagator = propagation.TraceContext{}
	}
	var err error
	r.remove, err = otel.Instrument(r.srv, &opts)
	require.NoError(t, err)
	t.Cleanup(r.stop)
	return r
}

// stop waits until all handlers have returned, so that their spans have ended.
func (r *rig) stop() { assert.NoError(r.t, r.srv.Shutdown(context.Background())) }

// span stops the server, and returns the span with a name, of which there must be exactly one.
func (r *rig) span(name string) tracetest.SpanStub {
	r.t.Helper()
	r.stop()
	var found []tracetest.SpanStub
	var names []string
	for _, s := range r.spans.GetSpans() {
		names = append(names, s.Name)
		if s.Name == name {
			found = append(found, s)
		}
	}
	require.Len(r.t, found, 1, "%q among %q", name, names)
	return found[0]
}

func attributes(all []attribute.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range all {
		m[string(a.Key)] = a.Value.String()
	}
	return m
}

const (
	remoteTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	remoteSpan  = "00f067aa0ba902b7"
)

var traceparent = http.Header{"Traceparent": {"00-" + remoteTrace + "-" + remoteSpan + "-01"}}

func TestEventsAreSpansOfTheHandshakesTrace(t *testing.T) {
	for _, transport := range []socketiotest.Transport{socketiotest.Polling, socketiotest.WebSocket, socketiotest.Upgrade} {
		t.Run(string(transport), func(t *testing.T) {
			r := newRig(t, nil, otel.Options{})
			r.srv.Namespace("/chat").On("say", func(c *socketio.Context) error {
				_, span := r.tracer.Start(c.Context(), "store")
				span.End()
				return nil
			})
			cl := socketiotest.Connect(t, r.srv, &socketiotest.Options{Transport: transport, Header: traceparent, Namespace: "/chat"})
			cl.Call("say")
			say, store := r.span("process /chat say"), r.span("store")
			assert.Equal(t, remoteTrace, say.SpanContext.TraceID().String())
			assert.Equal(t, remoteSpan, say.Parent.SpanID().String())
			assert.True(t, say.Parent.IsRemote())
			assert.Equal(t, say.SpanContext.SpanID(), store.Parent.SpanID(), "handlers go on from the event")
			assert.Equal(t, remoteTrace, store.SpanContext.TraceID().String())
			assert.Equal(t, trace.SpanKindConsumer, say.SpanKind)
			assert.Equal(t, codes.Unset, say.Status.Code)
			assert.Empty(t, say.Links)
			got := attributes(say.Attributes)
			assert.Equal(t, map[string]string{
				"messaging.system":           "socketio",
				"messaging.operation.type":   "process",
				"messaging.operation.name":   "process",
				"messaging.destination.name": "/chat",
				"socketio.event":             "say",
				"socketio.transport":         map[bool]string{true: "polling", false: "websocket"}[transport == socketiotest.Polling],
				"socketio.sid":               cl.ID()[:6] + "…",
			}, got)
			for _, name := range []string{"process /chat connect", "process /chat disconnect"} {
				assert.Equal(t, remoteSpan, r.span(name).Parent.SpanID().String(), name)
			}
		})
	}
}

// The spans of a client that has come back to its session say so.
func TestRecoveredClients(t *testing.T) {
	r := newRig(t, &socketio.Options{Recovery: new(socketio.Recovery)}, otel.Options{})
	r.srv.On("before", func(*socketio.Context) {})
	r.srv.On("after", func(*socketio.Context) {})
	c := socketiotest.Connect(t, r.srv, nil)
	c.Call("before")
	c.Drop()
	c.Reconnect().Call("after")
	assert.NotContains(t, attributes(r.span("process / before").Attributes), "socketio.recovered")
	assert.Equal(t, "true", attributes(r.span("process / after").Attributes)["socketio.recovered"])
}

// A span that middleware of net/http has put into the context takes precedence over the headers.
func TestSpanInTheRequestsContextIsTheParent(t *testing.T) {
	r := newRig(t, nil, otel.Options{})
	r.srv.On("say", func(*socketio.Context) {})
	var handshake trace.SpanContext
	web := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx, span := r.tracer.Start(req.Context(), "GET /socket.io/")
		defer span.End()
		handshake = span.SpanContext()
		r.srv.ServeHTTP(w, req.WithContext(ctx))
	})
	socketiotest.Connect(t, web, &socketiotest.Options{Header: traceparent}).Call("say")
	say := r.span("process / say")
	assert.Equal(t, handshake.TraceID(), say.SpanContext.TraceID())
	assert.Equal(t, handshake.SpanID(), say.Parent.SpanID())
}

func TestNewTracesAreLinked(t *testing.T) {
	r := newRig(t, nil, otel.Options{NewTraces: true})
	r.srv.On("say", func(*socketio.Context) {})
	socketiotest.Connect(t, r.srv, &socketiotest.Options{Header: traceparent}).Call("say")
	say := r.span("process / say")
	assert.False(t, say.Parent.IsValid())
	assert.NotEqual(t, remoteTrace, say.SpanContext.TraceID().String())
	require.Len(t, say.Links, 1)
	assert.Equal(t, remoteSpan, say.Links[0].SpanContext.SpanID().String())
	assert.NotEqual(t, r.span("process / connect").SpanContext.TraceID(), say.SpanContext.TraceID())
}

// A handshake without a trace: each event begins one.
func TestWithoutATraceEventsBeginOne(t *testing.T) {
	for _, newTraces := range []bool{false, true} {
		r := newRig(t, nil, otel.Options{NewTraces: newTraces})
		r.srv.On("say", func(*socketio.Context) {})
		socketiotest.Connect(t, r.srv, nil).Call("say")
		say := r.span("process / say")
		assert.False(t, say.Parent.IsValid())
		assert.Empty(t, say.Links)
		assert.True(t, say.SpanContext.IsValid())
	}
}

func TestErrorsAreRecorded(t *testing.T) {
	r := newRig(t, nil, otel.Options{})
	r.srv.On("fail", func(*socketio.Context) error { return fmt.Errorf("saving: %w", errors.New("disk full")) })
	r.srv.On("panic", func(*socketio.Context) { panic("no") })
	r.srv.On("count", func(*socketio.Context, int) {})
	r.srv.On("refuse", func(*socketio.Context) error { return &socketio.Error{Message: "not you"} })
	cl := socketiotest.Connect(t, r.srv, nil)
	cl.Emit("fail")
	cl.Emit("panic")
	cl.Emit("count", "s3cret")
	cl.Emit("made up")
	cl.Call("refuse")
	for name, want := range map[string]struct {
		kind, message string
		status        codes.Code
	}{
		"process / fail":   {"error", "saving: disk full", codes.Error},
		"process / panic":  {"panic", "socketio: handler panicked: no", codes.Error},
		"process / count":  {"arguments", "socketio: argument 0 does not fit the handler", codes.Error},
		"process / *":      {"no handler", "socketio: no handler for the event", codes.Error},
		"process / refuse": {"refusal", "not you", codes.Unset},
	} {
		s := r.span(name)
		assert.Equal(t, want.kind, attributes(s.Attributes)["error.type"], name)
		assert.Equal(t, want.status, s.Status.Code, name)
		require.Len(t, s.Events, 1, name)
		event := attributes(s.Events[0].Attributes)
		assert.Contains(t, event["exception.message"], want.message, name)
		assert.Equal(t, want.kind == "panic", strings.Contains(event["exception.stacktrace"], "otel_test.go"), name)
	}
}

// Spans contain no secrets, no payloads, and no names that clients make up.
func TestSpansHoldNothingOfTheClients(t *testing.T) {
	r := newRig(t, &socketio.Options{Namespaces: []string{"*"}, Limits: socketio.Limits{EventRate: 1000}}, otel.Options{})
	r.srv.On("count", func(*socketio.Context, int) {})
	r.srv.On("limited", func(c *socketio.Context) error { return &socketio.LimitError{Limit: "EventRate"} })
	r.srv.Namespace("*").On("bye", func(*socketio.Context) {})
	r.srv.On("any", func(*socketio.Context, any) {})
	header := http.Header{"Authorization": {"Bearer s3cret"}, "Cookie": {"session=s3cret"}}
	var ids []string
	for _, ns := range []string{"/", "/s3cret"} {
		cl := socketiotest.Connect(t, r.srv, &socketiotest.Options{
			Namespace: ns, Header: header, Auth: map[string]string{"token": "s3cret"}, RemoteIP: "192.0.2.77",
		})
		cl.Emit("count", "s3cret")
		cl.Emit("count", map[string]string{"s3cret": "s3cret"})
		cl.Emit("any", "s3cret")
		cl.Emit("s3cret")
		cl.Emit("limited")
		cl.Call("bye") // by then all of them have been handled
		ids = append(ids, cl.ID())
	}
	r.stop()
	spans := r.spans.GetSpans()
	require.Len(t, spans, 2*8)
	for _, s := range spans {
		text := fmt.Sprint(s.Name, s.Status, attributes(s.Attributes))
		for _, e := range s.Events {
			text += fmt.Sprint(e.Name, attributes(e.Attributes))
		}
		for _, hidden := range append(ids, "s3cret", "192.0.2.77") {
			require.NotEmpty(t, hidden)
			assert.NotContains(t, text, hidden)
		}
	}
}

func TestCallbacksOfOnAckAreSpans(t *testing.T) {
	r := newRig(t, nil, otel.Options{})
	done := make(chan struct{})
	r.srv.On("ask", func(c *socketio.Context) error {
		return c.Emit("question", nil, socketio.OnAck(func(c *socketio.Context) {
			trace.SpanFromContext(c.Context()).AddEvent("answered")
			close(done)
		}))
	})
	cl := socketiotest.Connect(t, r.srv, &socketiotest.Options{Header: traceparent, Answer: func(socketiotest.Event) []any { return []any{} }})
	cl.Emit("ask")
	<-done
	ack := r.span("ack / question")
	assert.Equal(t, remoteSpan, ack.Parent.SpanID().String())
	require.Len(t, ack.Events, 1)
	assert.Equal(t, "answered", ack.Events[0].Name)
}

func TestDurationsAreMeasured(t *testing.T) {
	r := newRig(t, nil, otel.Options{})
	r.srv.On("say", func(c *socketio.Context, ok bool) error {
		if ok {
			return nil
		}
		return &socketio.Error{Message: "no"}
	})
	cl := socketiotest.Connect(t, r.srv, nil)
	cl.Call("say", true)
	cl.Call("say", true)
	cl.Call("say", false)
	r.stop()
	m, ok := r.collect()["messaging.process.duration"]
	require.True(t, ok)
	assert.Equal(t, "s", m.Unit)
	counts := map[string]uint64{}
	for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
		a := attributes(p.Attributes.ToSlice())
		assert.Equal(t, "socketio", a["messaging.system"])
		assert.Equal(t, "process", a["messaging.operation.name"])
		assert.Equal(t, "/", a["messaging.destination.name"])
		counts[a["socketio.event"]+" "+a["error.type"]] = p.Count
	}
	assert.Equal(t, map[string]uint64{"connect ": 1, "say ": 2, "say refusal": 1, "disconnect ": 1}, counts)
}

func TestRemoveEndsIt(t *testing.T) {
	r := newRig(t, nil, otel.Options{})
	r.srv.On("say", func(*socketio.Context) {})
	cl := socketiotest.Connect(t, r.srv, nil)
	cl.Call("say")
	r.remove()
	cl.Call("say")
	r.span("process / say")
}
