package stall

import (
	"sync/atomic"
	"time"
)

// Parts observes a packet that comes in parts. If none comes for a while, it calls a
// function. Its timer starts with the first part of a packet, and stops when it finds that
// none is missing. Came and Complete are called from one goroutine at a time.
type Parts struct {
	timeout time.Duration
	held    func() bool
	late    func()

	came  atomic.Int64 // how many parts have come; negative if the packet is complete
	armed atomic.Bool  // timer runs
	last  int64        // the value of came at the timer's last run; only the timer uses it
	timer *time.Timer
}

// NewParts returns a Parts whose timer does not run. After timeout without a part it calls
// late, unless held reports that the server does not read: then it waits once more.
func NewParts(timeout time.Duration, held func() bool, late func()) *Parts {
	p := &Parts{timeout: timeout, held: held, late: late}
	p.timer = time.AfterFunc(time.Hour, p.check)
	p.timer.Stop()
	return p
}

// Came records a part, after which others are missing.
func (p *Parts) Came() {
	p.came.Store(max(p.came.Load(), -p.came.Load()) + 1)
	p.arm()
}

// Complete records that the packet is complete.
func (p *Parts) Complete() { p.came.Store(-p.came.Load()) }

// Stop ends the timer, for good if no part comes any more.
func (p *Parts) Stop() { p.timer.Stop() }

// Watched reports whether the timer runs.
func (p *Parts) Watched() bool { return p.armed.Load() }

func (p *Parts) arm() {
	if !p.armed.Load() && p.armed.CompareAndSwap(false, true) {
		p.timer.Reset(p.timeout)
	}
}

// check calls late if no part has come since the last check. The timer calls it.
func (p *Parts) check() {
	came := p.came.Load()
	switch {
	case came < 0:
		p.armed.Store(false)
		if p.came.Load() > 0 { // the next packet has begun meanwhile
			p.arm()
		}
		return
	case came == p.last && !p.held():
		p.late()
		return
	}
	p.last = came
	p.timer.Reset(p.timeout)
}
