// Package unanswered is how the server tells a test client in the same process
// that an acknowledgement is not coming, so that the test fails at once and says
// why. On the wire nothing says so.
package unanswered

import "context"

type key struct{}

// With returns a context for the requests of a client. tell is called with the
// id of each acknowledgement that the client asked for and does not get, and why,
// by the goroutine of the handler: it must return soon.
func With(ctx context.Context, tell func(id uint64, why error)) context.Context {
	return context.WithValue(ctx, key{}, tell)
}

// Tell tells the client whose handshake had the context, if it wants to know.
func Tell(ctx context.Context, id uint64, why error) {
	if tell, ok := ctx.Value(key{}).(func(uint64, error)); ok {
		tell(id, why)
	}
}
