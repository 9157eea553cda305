package broker

import "errors"

// Errors that brokers return and servers compare with [errors.Is].
var (
	// ErrClosed: the broker has been closed.
	ErrClosed = errors.New("socketio: the broker has been closed")
	// ErrTooBig: the broker never takes a message of this size.
	ErrTooBig = errors.New("socketio: the message is too big for the broker")
)
