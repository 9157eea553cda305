package handlers

import "sync/atomic"

// Chain is the middleware of a namespace, functions of type F. Each one calls the next
// through a Link, so that each is built only once, when it is registered. The last link
// leads to what all middleware is around. A nil Chain is empty.
type Chain[F any] struct {
	First F // the outermost
	last  *Link[F]
}

// Link leads to the next function of a Chain. NewLink makes it.
type Link[F any] struct{ next atomic.Pointer[F] }

// NewLink returns a link that leads to next.
func NewLink[F any](next F) *Link[F] {
	l := new(Link[F])
	l.next.Store(&next)
	return l
}

// Next returns the function that the link leads to at the moment.
func (l *Link[F]) Next() F { return *l.next.Load() }

// With returns the chain with one more function, the innermost one. Its link leads to
// what all middleware is around.
func (ch *Chain[F]) With(f F, l *Link[F]) *Chain[F] {
	if ch == nil {
		return &Chain[F]{First: f, last: l}
	}
	ch.last.next.Store(&f)
	return &Chain[F]{First: ch.First, last: l}
}
