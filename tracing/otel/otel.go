// Package otel traces the events of a Socket.IO server with OpenTelemetry, measures how
// long their handlers take, and exports [socketio.Server.Stats] and
// [socketio.Server.BrokerStatus] as metrics.
//
//	remove, err := otel.Instrument(srv, nil)
//
// Each event that a client sends is a span, including "connect" and "disconnect", and so is
// each callback of [socketio.OnAck]. Its parent is the span of the handshake request:
// the one that middleware around the server has put into the request's context, or else the
// one that the request's headers name. Handlers continue the trace with
// [socketio.Context.Context]:
//
//	srv.On("order", func(c *socketio.Context, order string) error {
//		return save(c.Context(), order) // its spans are children of the event's
//	})
//
// Spans and measurements have the attributes of OpenTelemetry's semantic conventions for
// messaging. They contain names that the server knows, and never names that clients make up,
// see [socketio.Context.Pattern]. They do not contain payloads, nor the client's address,
// headers or auth payload. Of a session id they contain the beginning, as logs do.
package otel

import (
	"context"
	"errors"
	"fmt"
	"time"

	global "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/observe"
)

// Options are the options of [Instrument]. Nil and the zero value mean every default.
type Options struct {
	// TracerProvider makes the spans. Nil means OpenTelemetry's global one.
	TracerProvider trace.TracerProvider
	// MeterProvider gets messaging.process.duration, in seconds, by namespace, event
	// and kind of error, and socketio.ack.duration, in seconds. Whenever it collects,
	// it reads the server's gauges and counters, such as socketio.connections. Servers
	// with the same provider are counted together. Nil means OpenTelemetry's global
	// one.
	MeterProvider metric.MeterProvider
	// Propagator reads the trace from the headers of a handshake whose context
	// has none. Nil means OpenTelemetry's global one, which reads nothing
	// unless the program has set it.
	Propagator propagation.TextMapPropagator
	// NewTraces makes each event a trace of its own, which is linked to the trace of the
	// handshake, instead of a part of that trace. Use it if clients stay for days,
	// because a sampler decides once for a whole trace.
	NewTraces bool
}

// scope names the instrumentation.
const scope = "github.com/seed-d124fa34/socketio/tracing/otel"

// The attributes that have no name in the semantic conventions.
const (
	eventKey     = attribute.Key("socketio.event")     // its name; "*" without a handler of its own
	transportKey = attribute.Key("socketio.transport") // "polling" or "websocket"
	reasonKey    = attribute.Key("socketio.reason")    // why an acknowledgement is missing
	sidKey       = attribute.Key("socketio.sid")       // the beginning of the session id, as in logs
	recoveredKey = attribute.Key("socketio.recovered") // true: the client has come back to its session
)

// Instrument adds hooks to a server and registers its metrics. remove undoes both. The error is
// that of the MeterProvider.
func Instrument(srv *socketio.Server, opts *Options) (remove func(), err error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.TracerProvider == nil {
		o.TracerProvider = global.GetTracerProvider()
	}
	if o.MeterProvider == nil {
		o.MeterProvider = global.GetMeterProvider()
	}
	in := &instrument{
		tracer:    o.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		headers:   o.Propagator,
		newTraces: o.NewTraces,
	}
	meter := o.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	var failed [4]error
	in.duration, failed[0] = messagingconv.NewProcessDuration(meter, buckets)
	in.acks, failed[1] = meter.Float64Histogram("socketio.ack.duration", metric.WithUnit("s"),
		metric.WithDescription("How long clients took to acknowledge events."), buckets)
	in.unacked, failed[2] = meter.Int64Counter("socketio.acks.missing", metric.WithUnit("{ack}"),
		metric.WithDescription("Events that clients did not acknowledge, by why nobody waits any more."))
	var registration metric.Registration
	registration, failed[3] = observeServer(meter, srv)
	if err := errors.Join(failed[:]...); err != nil {
		return nil, fmt.Errorf("socketio: tracing/otel: %w", err)
	}
	removeHooks := srv.AddHooks(socketio.Hooks{
		Handler: func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
			return in.begin(ctx, c, "process")
		},
		Callback: func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
			return in.begin(ctx, c, "ack")
		},
		Acked: func(_ *socketio.Socket, _ string, after time.Duration) {
			in.acks.Record(context.Background(), after.Seconds())
		},
		Unacked: func(_ *socketio.Socket, _ string, err error) {
			in.unacked.Add(context.Background(), 1, metric.WithAttributes(reasonKey.String(observe.Unanswered(err))))
		},
	})
	return func() {
		removeHooks()
		_ = registration.Unregister()
	}, nil
}

type instrument struct {
	tracer    trace.Tracer
	duration  messagingconv.ProcessDuration
	acks      metric.Float64Histogram
	unacked   metric.Int64Counter
	headers   propagation.TextMapPropagator // nil: the global one
	newTraces bool
}

// begin starts the span of an event, or of the callback of an acknowledgement.
func (in *instrument) begin(ctx context.Context, c *socketio.Context, operation string) (context.Context, func(socketio.Args, error)) {
	began := time.Now()
	ns, event := c.Pattern()
	measured := []attribute.KeyValue{semconv.MessagingDestinationName(ns), eventKey.String(event)}
	attrs := append(measured[:len(measured):len(measured)],
		semconv.MessagingSystemKey.String(system),
		semconv.MessagingOperationTypeProcess,
		semconv.MessagingOperationName(operation),
		transportKey.String(c.Transport()),
		sidKey.String(short(c.ID())))
	if c.Recovered() {
		attrs = append(attrs, recoveredKey.Bool(true))
	}
	start := []trace.SpanStartOption{
		trace.WithTimestamp(began),
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attrs...),
	}
	ctx = in.handshake(ctx, c)
	if in.newTraces {
		start = append(start, trace.WithNewRoot(), trace.WithLinks(trace.LinkFromContext(ctx)))
	}
	ctx, span := in.tracer.Start(ctx, operation+" "+ns+" "+event, start...)
	return ctx, func(_ socketio.Args, err error) {
		if err != nil {
			kind := record(span, err)
			measured = append(measured, semconv.ErrorTypeKey.String(kind))
		}
		span.End()
		in.duration.Record(ctx, time.Since(began).Seconds(), operation, system, measured...)
	}
}

const system = "socketio"

// buckets are those that the semantic conventions recommend, and smaller ones, because most handlers
// are fast.
var buckets = metric.WithExplicitBucketBoundaries(.0001, .0005, .001, .005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10)

// handshake returns a context with the span of the handshake request, if there is one.
func (in *instrument) handshake(ctx context.Context, c *socketio.Context) context.Context {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx // from middleware
	}
	headers := in.headers
	if headers == nil {
		headers = global.GetTextMapPropagator() // read now, because programs may set it after Instrument
	}
	return headers.Extract(ctx, propagation.HeaderCarrier(c.Request().Header))
}

// short returns the beginning of a session id: enough to find it in logs, too little to use it.
func short(sid string) string {
	if len(sid) <= 6 {
		return sid
	}
	return sid[:6] + "…"
}
