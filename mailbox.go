package socketio

import "sync"

// mailbox has events handled one after another, in the order in which they were
// put in. While there are any, a worker runs it: an idle socket has none.
type mailbox struct {
	mu         sync.Mutex
	head, tail *Context // linked by next
	running    bool
}

// put appends an event. It never blocks.
func (b *mailbox) put(c *Context) {
	b.mu.Lock()
	if !b.running {
		b.running = true
		b.mu.Unlock()
		c.srv().workers.start(job{b, c})
		return
	}
	if b.tail == nil {
		b.head = c
	} else {
		b.tail.next = c
	}
	b.tail = c
	b.mu.Unlock()
}

// idle reports whether nothing waits and nothing runs.
func (b *mailbox) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.running
}

// take removes the next event. When there is none, run has to end.
func (b *mailbox) take() *Context {
	b.mu.Lock()
	c := b.head
	if c == nil {
		b.running = false
		b.mu.Unlock()
		return nil
	}
	b.head = c.next
	if b.head == nil {
		b.tail = nil
	}
	b.mu.Unlock()
	c.next = nil
	return c
}

// drop removes the events that wait, of one socket or, for nil, of any, and returns
// how many there were. What decides about the life of a socket stays.
func (b *mailbox) drop(s *Socket) (n int) {
	var dropped *Context
	b.mu.Lock()
	old := b.head
	b.head, b.tail = nil, nil
	for c := old; c != nil; {
		next := c.next
		c.next = nil
		switch isEvent := c.kind == kindEvent || c.kind == kindDropped; {
		case isEvent && (s == nil || c.Socket == s):
			c.next, dropped = dropped, c
		case b.tail == nil:
			b.head, b.tail = c, c
		default:
			b.tail.next, b.tail = c, c
		}
		c = next
	}
	b.mu.Unlock()
	for c := dropped; c != nil; n++ {
		next := c.next
		c.next = nil
		c.client.handled(c)
		c = next
	}
	return n
}

// run handles c, and then what is in the mailbox until it is empty.
func (b *mailbox) run(c *Context) {
	defer func() {
		if c == nil {
			return
		}
		c.broke(recover()) // the others must not wait for ever
		if c := b.take(); c != nil {
			c.srv().workers.start(job{b, c})
		}
	}()
	for ; c != nil; c = b.take() {
		c.process()
	}
}

// largeEvent is what an event counts from which growStackMore is worth it.
const largeEvent = 2 * eventOverhead

// growStack and growStackMore make room for a handler while the stack is all but
// empty. Growing it deep inside of one, again for every event, cost a tenth of an
// echo. What is decoded from a large event goes deeper.
//
//go:noinline
func growStack() byte {
	var room [2 << 10]byte
	return lastOf(room[:])
}

//go:noinline
func growStackMore() byte {
	var room [6 << 10]byte
	return lastOf(room[:])
}

//go:noinline
func lastOf(b []byte) byte { return b[len(b)-1] }
