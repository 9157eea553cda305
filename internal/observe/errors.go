package observe

import (
	"context"
	"errors"

	"github.com/seed-d124fa34/socketio"
)

// Kind returns what was wrong with an event: "panic", "arguments", "limit", "no
// handler", "refusal" for an error that is meant for the client, "error" for any other
// error of handlers and middleware.
func Kind(err error) string {
	if _, ok := errors.AsType[*socketio.PanicError](err); ok {
		return "panic"
	}
	if _, ok := errors.AsType[*socketio.ArgError](err); ok {
		return "arguments"
	}
	if _, ok := errors.AsType[*socketio.LimitError](err); ok {
		return "limit"
	}
	if _, ok := errors.AsType[*socketio.Error](err); ok {
		return "refusal"
	}
	if errors.Is(err, socketio.ErrNoHandler) {
		return "no handler"
	}
	return "error"
}

// UnansweredReasons are all values of [Unanswered].
var UnansweredReasons = []string{"left", "timeout", "canceled"}

// Unanswered returns why the wait for an acknowledgement has ended: "left" if the client
// has left, "timeout" if its time is over, "canceled" if the caller gave up.
func Unanswered(err error) string {
	switch {
	case errors.Is(err, socketio.ErrClosed):
		return "left"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "canceled"
}
