package otel

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/observe"
)

// errNoHandler replaces an ErrNoHandler, whose text contains the name that the client has made up.
var errNoHandler = errors.New("socketio: no handler for the event")

// record records an error on the span, and returns its kind. It does not quote what a client has
// sent. An error that the application sends to the client is no failure of the server, like 4xx
// with HTTP.
func record(span trace.Span, err error) (kind string) {
	kind = observe.Kind(err)
	var opts []trace.EventOption
	switch kind {
	case "panic":
		if e, ok := errors.AsType[*socketio.PanicError](err); ok {
			opts = append(opts, trace.WithAttributes(semconv.ExceptionStacktrace(string(e.Stack))))
		}
	case "arguments":
		if e, ok := errors.AsType[*socketio.ArgError](err); ok {
			err = fmt.Errorf("socketio: argument %d does not fit the handler", e.Index)
		}
	case "no handler":
		err = errNoHandler
	}
	span.RecordError(err, opts...)
	if kind != "refusal" {
		span.SetStatus(codes.Error, err.Error())
	}
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	return kind
}
