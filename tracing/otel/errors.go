package otel

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-d124fa34/socketio"
)

// errNoHandler says what ErrNoHandler does, without the name that the client
// made up.
var errNoHandler = errors.New("socketio: no handler for the event")

// record notes an error on the span and returns its kind. What a client sent
// wrongly is described without quoting it. An error that the app tells the
// client is no failure of the server, as 4xx are not with HTTP.
func record(span trace.Span, err error) (kind string) {
	if e, ok := errors.AsType[*socketio.PanicError](err); ok {
		span.RecordError(err, trace.WithAttributes(semconv.ExceptionStacktrace(string(e.Stack))))
		span.SetStatus(codes.Error, err.Error())
		return set(span, "panic")
	}
	if _, ok := errors.AsType[*socketio.Error](err); ok {
		span.RecordError(err)
		return set(span, "refusal")
	}
	kind = "error"
	if e, ok := errors.AsType[*socketio.ArgError](err); ok {
		kind, err = "arguments", fmt.Errorf("socketio: argument %d does not fit the handler", e.Index)
	} else if errors.Is(err, socketio.ErrNoHandler) {
		kind, err = "no handler", errNoHandler
	} else if _, ok := errors.AsType[*socketio.LimitError](err); ok {
		kind = "limit"
	}
	span.RecordError(err)
	span.SetStatus(codes.Error, err.Error())
	return set(span, kind)
}

func set(span trace.Span, kind string) string {
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	return kind
}
