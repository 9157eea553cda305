package socketiotest

import (
	"context"
	"testing/synctest"
	"time"
)

// silence is how long nothing must have come, outside of a bubble, for a
// server to be taken as having nothing more to say.
const silence = 50 * time.Millisecond

// idle waits until all other goroutines of the caller's synctest bubble are
// idle. Outside of a bubble it returns false at once.
func idle() (bubble bool) {
	defer func() {
		// There is no other way to ask whether this is a bubble.
		if r := recover(); r == "wait already in progress" {
			panic("socketiotest: synctest.Wait, or a method that calls it, runs in another goroutine")
		} else if r != nil {
			bubble = false
		}
	}()
	synctest.Wait()
	return true
}

// settle waits until what the server has to say has arrived: exactly in a
// bubble, as well as can be outside.
func (k *conn) settle() {
	if idle() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), k.opts.Timeout)
	defer cancel()
	_ = k.engine.Drain(ctx)
	for ctx.Err() == nil {
		k.mu.Lock()
		seen := k.arrived
		k.mu.Unlock()
		if !k.await(silence, func() bool { return k.ended || k.arrived != seen }) || k.over() {
			return
		}
	}
}
