package loadgen

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

const (
	stalledReaders = 50                    // clients that read
	stalledEvery   = 10 * time.Millisecond // between two broadcasts
	stalledSize    = 10 << 10              // bytes of each broadcast
	// stalledFor is the default of Config.Stall: it includes the time at which a
	// server with a write timeout of 10 s cuts the clients that do not read.
	stalledFor  = 30 * time.Second
	memoryEvery = 250 * time.Millisecond // between two measurements of the server's memory
)

// Stalled says what clients that do not read cost those that read.
type Stalled struct {
	Before    Latency // of the deliveries without them; Result.Latency is that with them
	RSSBefore int64   // bytes
	RSSPeak   int64   // with clients that do not read
	Cut       int     // how many of these the server has cut
}

// stalled broadcasts at a constant rate, at first to clients that read, then
// also to clients that have stopped.
func stalled(clients int) func(*run) error {
	return func(r *run) error {
		b := &ticker{run: r, text: strings.Repeat(workload.Text, stalledSize/len(workload.Text))}
		b.trigger = wire.TextFrame(fmt.Sprintf("42[%q,%q]", workload.Broadcast, b.text))
		r.onMessage = b.message
		if err := r.connectAll(stalledReaders, handshakes); err != nil {
			return err
		}
		b.tick()
		if err := r.window(); err != nil {
			return err
		}
		result := &Stalled{Before: r.result.Latency}
		var err error
		if result.RSSBefore, err = r.Server.RSS(); err != nil {
			return err
		}
		r.onReady = func(c *client) error {
			c.stalled = true
			return c.Pause()
		}
		r.small = true
		if _, err := r.connectTo(r.Server, clients, handshakes); err != nil {
			return err
		}
		end, err := r.meter()
		if err != nil {
			return err
		}
		b.watch(&result.RSSPeak)
		if err := r.RunFor(max(r.Measure, r.Stall)); err != nil {
			return err
		}
		if err := end(); err != nil {
			return err
		}
		for _, c := range r.clients[stalledReaders:] {
			if err := c.Resume(); err != nil { // to find out which connections have ended
				return err
			}
		}
		if err := r.RunFor(time.Second); err != nil {
			return err
		}
		result.Cut = r.cut
		r.result.Stalled = result
		return nil
	}
}

// ticker makes the first client broadcast at a constant rate.
type ticker struct {
	*run
	text    string
	trigger []byte
	next    int64   // when the next broadcast is due
	sent    []int64 // when each was sent
}

func (b *ticker) tick() {
	if b.next == 0 {
		b.next = b.Clock()
	}
	for now := b.Clock(); b.next <= now; b.next += stalledEvery.Nanoseconds() {
		// The latency of a broadcast that the load generator sends late begins when it was due.
		b.sent = append(b.sent, b.next)
		if err := b.clients[0].Write(b.trigger); err != nil {
			b.Fail(err)
			return
		}
	}
	b.After(time.Duration(b.next-b.Clock()), b.tick)
}

var messagePrefix = fmt.Appendf(nil, "42[%q,", workload.Message)

func (b *ticker) message(c *client, _ byte, p []byte) error {
	if c.stalled {
		return nil // it came before the client stopped reading
	}
	if !bytes.HasPrefix(p, messagePrefix) || c.got == len(b.sent) {
		return fmt.Errorf("loadgen: the server sent %.100q, want broadcast %d of %d", p, c.got, len(b.sent))
	}
	if !c.checked {
		if err := check(p, fmt.Sprintf("[%q,%q]", workload.Message, b.text)); err != nil {
			return err
		}
		c.checked = true
	}
	b.count(b.sent[c.got])
	c.got++
	return nil
}

// watch keeps the highest memory of the server from now on.
func (b *ticker) watch(most *int64) {
	rss, err := b.Server.RSS()
	if err != nil {
		b.Fail(err)
		return
	}
	*most = max(*most, rss)
	b.After(memoryEvery, func() { b.watch(most) })
}
