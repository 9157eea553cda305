// Package acks knows who owes the acknowledgement of one event. It knows no sockets.
package acks

import (
	"maps"
	"sync"
)

// Waiting is the set of those whose acknowledgement of one event is waited for. The zero
// value is empty and ready to use. The methods may be called from any goroutine; those of
// a nil *Waiting do nothing.
type Waiting[C comparable] struct {
	mu      sync.Mutex
	clients map[C]struct{}
	end     func() // nil unless armed
}

// Add adds a client.
func (w *Waiting[C]) Add(c C) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clients == nil {
		w.clients = make(map[C]struct{})
	}
	w.clients[c] = struct{}{}
}

// Arm calls begin if anybody is waited for. What begin returns is called when the last
// client has been removed, without a lock. begin is called with the lock of the set held.
// Call Arm once, when all clients have been added that can be.
func (w *Waiting[C]) Arm(begin func() (end func())) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.clients) > 0 {
		w.end = begin()
	}
}

// Remove ends the wait for a client. It reports whether the client was waited for.
func (w *Waiting[C]) Remove(c C) (was bool) {
	if w == nil {
		return false
	}
	w.mu.Lock()
	_, was = w.clients[c]
	delete(w.clients, c)
	var end func()
	if len(w.clients) == 0 {
		end, w.end = w.end, nil
	}
	w.mu.Unlock()
	if end != nil {
		end()
	}
	return was
}

// Take removes all clients, and returns them. What Arm was given is not called any more.
func (w *Waiting[C]) Take() map[C]struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.clients
	w.clients, w.end = nil, nil
	return all
}

// All returns the clients that are waited for now.
func (w *Waiting[C]) All() map[C]struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.clients)
}
