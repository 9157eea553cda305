package socketio

import (
	"context"
	"errors"

	"github.com/seed-d124fa34/socketio/engineio"
)

var (
	errFlushRemote  = errors.New("socketio: Flush: the client is connected to another server, which alone knows what waits for it")
	errFlushConnect = errors.New("socketio: Flush: what a connect handler emits is sent when it has returned: it cannot wait for that; flush in a handler of an event, or in a goroutine that starts after the client has been accepted")
)

// Buffered returns how many bytes wait to be sent to this client: what was
// emitted, in all its namespaces, and has not yet been handed to the network. It
// is 0 for a socket of another server.
func (s *Socket) Buffered() int {
	if s == nil || s.remote() {
		return 0
	}
	return s.client.conn.Buffered() + int(s.client.held.Load())
}

// Flush waits until what was emitted to this client before the call has been
// handed to the network, so that a producer sends no faster than the client
// takes it. To polling clients that is the answer to a request. It returns the
// error of ctx if that ends first, and a [*DisconnectError] if the client leaves
// or has left. In a connect handler, whose client is sent nothing before
// it returns, and for a socket of another server it returns an error at once, and
// [ErrUnknownSocket] for a nil Socket.
func (s *Socket) Flush(ctx context.Context) error {
	switch {
	case s == nil:
		return ErrUnknownSocket
	case s.remote():
		return errFlushRemote
	}
	switch s.state.Load() {
	case stateConnecting, stateAdmitting:
		return errFlushConnect
	case stateJoined:
	default:
		return s.leftError()
	}
	err := s.client.conn.Flush(ctx)
	if errors.Is(err, engineio.ErrClosed) {
		return s.leftError()
	}
	return err
}
