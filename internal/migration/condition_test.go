package migration

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// Everybody who waits wakes at each change, and goes on when there is something to take, or the context ends.
func TestCondition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var c condition
		free := 0
		took := make(chan bool, 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 3 {
			go func() {
				took <- c.await(ctx, &mu, func() bool {
					free--
					if free < 0 {
						free++
						return false
					}
					return true
				})
			}()
		}
		put := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			free += n
			c.broadcastLocked()
		}
		synctest.Wait()
		put(0)
		synctest.Wait()
		assert.Empty(t, took)
		put(2)
		synctest.Wait()
		assert.Len(t, took, 2)
		assert.Equal(t, []bool{true, true}, []bool{<-took, <-took})
		assert.False(t, <-took, "the context has ended")
		assert.Zero(t, free)
		put(1)
		assert.True(t, c.await(ctx, &mu, func() bool { return free == 1 }), "it does not wait")
	})
}
