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
	timer   Stopper // nil unless armed
}

// Stopper is what is to be stopped when nobody is waited for any more: a *time.Timer, or what acts
// like one. A function that binds its value would be one more allocation for each event.
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

// Arm calls start if anybody is waited for, with the lock of the set held. Remove stops what start
// returns, without a lock, when it has removed the last client. Call Arm once, when all clients
// that are asked have been added.
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

// Remove ends the wait for a client. It reports whether the client was waited for.
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

// Take removes all clients, and returns them. The Stopper is not stopped any more.
func (w *Waiting[C]) Take() map[C]struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.clients
	w.clients, w.timer = nil, nil
	return all
}

// All returns the clients that are waited for now.
func (w *Waiting[C]) All() map[C]struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.clients)
}
