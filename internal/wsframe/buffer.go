package wsframe

import "sync"

const (
	// firstSize is the smallest buffer for a message, in bytes.
	firstSize = 512
	// proven is how many bytes of a message must have come before it gets a buffer
	// that was used for a large message.
	proven = 2 << 10
	// smallSize and largeSize are the largest buffers that are kept for later messages.
	smallSize = 8 << 10
	largeSize = 64 << 10
)

// The buffers for later messages, of up to smallSize and up to largeSize.
var (
	smallBuffers = sync.Pool{New: func() any { return new([]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([]byte) }}
)

func putBuffer(b *[]byte) {
	switch c := cap(*b); {
	case c <= smallSize:
		smallBuffers.Put(b)
	case c <= largeSize:
		largeBuffers.Put(b)
	}
}

// grow makes room for n more bytes in r.message, of which came have arrived. The
// buffer is firstSize or a pooled buffer at first, later at most twice as large as what
// has come, and no larger than the message if its length is known. So the length that
// a frame claims costs nothing.
func (r *Reader) grow(n, came int) {
	have := r.size()
	if r.message != nil && cap(*r.message)-have >= n {
		return
	}
	size := 2*(have+came) + firstSize
	if r.fin {
		size = min(size, have+r.left)
	}
	size = max(size, have+n)
	pool := &smallBuffers
	if have+came >= proven {
		pool = &largeBuffers
	}
	b := pool.Get().(*[]byte)
	if cap(*b) < size {
		*b = make([]byte, 0, size)
	}
	*b = (*b)[:0]
	if r.message != nil {
		*b = append(*b, *r.message...)
		putBuffer(r.message)
	}
	r.message = b
}
