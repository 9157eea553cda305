// Package acks knows who owes the acknowledgement of one event. It knows no sockets.
package acks

import (
	"maps"
	"sync"
)

// Waiting is the set of the clients that owe the acknowledgement of one event. The zero
// value is empty and ready to use. The methods may be called from any goroutine; those of
// a nil *Waiting do nothing.
type Waiting[C comparable] struct {
	mu      sync.Mutex
	clients map[C]struct{}
	timer   Stopper // nil unless armed
}

// Stopper is what Remove stops when no client owes an acknowledgement any more: a *time.Timer, or
// another value with its method. A function would cost one more allocation for each event.
type Stopper interface{ Stop() bool }

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

// Arm calls start if the set is not empty, with the lock of the set held. Remove stops what start
// returns, without a lock, when it has removed the last client. Call Arm once, after all Adds.
func (w *Waiting[C]) Arm(start func() Stopper) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.clients) > 0 {
		w.timer = start()
	}
}

// Remove removes a client. It reports whether the client was in the set.
func (w *Waiting[C]) Remove(c C) (was bool) {
	if w == nil {
		return false
	}
	w.mu.Lock()
	_, was = w.clients[c]
	delete(w.clients, c)
	var timer Stopper
	if len(w.clients) == 0 {
		timer, w.timer = w.timer, nil
	}
	w.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	return was
}

// Take removes all clients, and returns them. It does not stop the Stopper.
func (w *Waiting[C]) Take() map[C]struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.clients
	w.clients, w.timer = nil, nil
	return all
}

// All returns the clients that are in the set now.
func (w *Waiting[C]) All() map[C]struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.clients)
}
