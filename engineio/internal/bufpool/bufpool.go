// Package bufpool has buffers for messages and answers that are assembled in memory.
package bufpool

import "sync"

// Max is the capacity above which a buffer is left to the garbage collector, in bytes.
const Max = 64 << 10

var pool = sync.Pool{New: func() any { return new([]byte) }}

// Get returns a buffer of any length and capacity.
func Get() *[]byte { return pool.Get().(*[]byte) }

// Put gives a buffer back, unless it is nil or too large.
func Put(b *[]byte) {
	if b != nil && cap(*b) <= Max {
		pool.Put(b)
	}
}
