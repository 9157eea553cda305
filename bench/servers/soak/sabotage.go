package main

import (
	"fmt"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

// The promises that the server can break on command, to test that the soak finds it.
const (
	breakOnce     = "once"     // a message is emitted twice
	breakDelivery = "delivery" // a message is not emitted
	breakOrder    = "order"    // a message is emitted after the next one
	breakRooms    = "rooms"    // a message is emitted to another room, too
	breakPrivacy  = "privacy"  // a message is emitted to everyone
	breakPayload  = "payload"  // a message has another payload
	breakLeave    = "leaving"  // a room is not left
	breakAck      = "acks"     // an acknowledgement is that of another event
	breakMemory   = "memory"   // each socket leaves something behind
)

// breakPromise makes the server break a promise. "" stands for none.
func (b *book) breakPromise(promise string) error {
	switch promise {
	case "", breakOnce, breakDelivery, breakOrder, breakRooms, breakPrivacy, breakPayload, breakLeave, breakAck, breakMemory:
		b.promise = promise
		return nil
	}
	return fmt.Errorf("no promise %q", promise)
}

// leaked holds what breakMemory leaks.
var leaked = make(chan []byte)

func leak() { leaked <- make([]byte, 100<<10) }

// spoil emits a message, sometimes wrongly.
func (b *book) spoil(e *entry, h head, emit func(...socketio.EmitOption) error, opts []socketio.EmitOption) error {
	if h.Number%5 != 0 {
		err := emit(opts...)
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.held != nil {
			e.held()
			e.held = nil
		}
		return err
	}
	switch b.promise {
	case breakOnce:
		if err := emit(opts...); err != nil {
			return err
		}
	case breakDelivery:
		return nil
	case breakOrder:
		e.mu.Lock()
		defer e.mu.Unlock()
		e.held = func() { _ = emit(opts...) }
		return nil
	case breakRooms:
		opts = append(opts, socketio.To(workload.SoakRoom(0), workload.SoakRoom(1)))
	case breakPrivacy:
		return emit(socketio.Broadcast())
	}
	return emit(opts...)
}
