package observe

import (
	"context"
	"errors"

	"github.com/seed-d124fa34/socketio"
)

// Kind is what was wrong with an event: "panic", "arguments", "limit", "no
// handler", "refusal" if the app tells the client, "error" for what else
// handlers and middleware return.
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

// Unanswered is why an acknowledgement is not waited for any more: "left" if the
// client has, "timeout" if its time was over, "canceled" if who asked gave up.
func Unanswered(err error) string {
	switch {
	case errors.Is(err, socketio.ErrClosed):
		return "left"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "canceled"
}
