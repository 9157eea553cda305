package socketio

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
)

// assembly looks after a binary packet whose attachments have not all come: if none
// comes for as long as a silent client may stay, the connection is closed. It has a
// timer from the first such packet on, until the timer finds none.
type assembly struct {
	conn  *engineio.Conn
	srv   *Server
	came  atomic.Int64 // how many parts have come; negative: the packet is complete
	armed atomic.Bool  // timer runs
	last  int64        // came, when timer ran last; for the timer
	timer *time.Timer
	held  func() bool // the server does not read from the client
}

// partCame notes a part of a binary packet. It is called on the read side.
func (cl *client) partCame() {
	p := cl.assembly
	if p == nil {
		p = &assembly{conn: cl.conn, srv: cl.srv, held: cl.watched.Load}
		p.timer = time.AfterFunc(time.Hour, p.check)
		p.timer.Stop()
		cl.assembly = p
	}
	p.came.Store(max(p.came.Load(), -p.came.Load()) + 1)
	p.arm()
}

func (p *assembly) arm() {
	if !p.armed.Load() && p.armed.CompareAndSwap(false, true) {
		p.timer.Reset(p.srv.opts.stall)
	}
}

// complete notes that the packet has come. It is called on the read side.
func (p *assembly) complete() { p.came.Store(-p.came.Load()) }

// check is called by the timer.
func (p *assembly) check() {
	came := p.came.Load()
	switch {
	case came < 0:
		p.armed.Store(false)
		if p.came.Load() > 0 { // by now
			p.arm()
		}
		return
	case came == p.last && !p.held():
		p.conn.Close(ReasonParseError, fmt.Errorf("socketio: the attachments of a packet have not come within %v (Options.PingInterval and PingTimeout)", p.srv.opts.stall))
		return
	}
	p.last = came
	p.timer.Reset(p.srv.opts.stall)
}
