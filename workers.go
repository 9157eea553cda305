package socketio

import (
	"runtime"
	"sync/atomic"
	"time"
)

// workers run mailboxes. The first event of a mailbox gets a goroutine that
// waits for work, or else a new one: a handler may take its time, and keeps
// nobody else waiting. A goroutine whose mailbox is empty ends, but for one
// of each processor, which waits a little for the next mailbox, as long as there
// are sockets: to wake it costs less than to start another, whose stack has to
// grow. Nobody waits for these goroutines: what must have ended before Shutdown
// returns is counted in Server.running.
type workers struct {
	srv     *Server
	slots   []slot
	last    atomic.Uint32 // slot of the client that connected last
	leaving atomic.Bool   // a timer is about to call stop
}

// workerLinger is how long a worker waits at most. It does not matter that
// this ends busy ones, too: that is one goroutine more in all this time.
const workerLinger = time.Second

// slot is where a worker waits that runs the mailboxes of some of the clients.
type slot struct {
	idle atomic.Pointer[worker]
	_    [56]byte // so that processors do not wait for each other
}

// worker is a goroutine that waits; closing jobs ends it.
type worker struct{ jobs chan job }

// job is a mailbox to be run, beginning with c.
type job struct {
	box *mailbox
	c   *Context
}

func (ws *workers) init(srv *Server) {
	ws.srv, ws.slots = srv, make([]slot, runtime.GOMAXPROCS(0))
}

// next returns the slot for a new client.
func (ws *workers) next() uint16 {
	return uint16(ws.last.Add(1) % uint32(len(ws.slots)))
}

// start runs a mailbox. It never blocks.
func (ws *workers) start(j job) {
	s := &ws.slots[j.c.client.slot]
	if s.idle.Load() != nil {
		if w := s.idle.Swap(nil); w != nil {
			w.jobs <- j // has room
			return
		}
	}
	go ws.run(s, j)
}

func (ws *workers) run(s *slot, j job) {
	if j.c.size <= largeEvent { // otherwise runEvent makes more room, at once
		growStack()
	}
	var w *worker
	for ok := true; ok; j, ok = <-w.jobs {
		j.box.run(j.c)
		j = job{} // a goroutine that waits is not to keep a socket in memory
		if s.idle.Load() != nil {
			return
		}
		if w == nil {
			w = &worker{make(chan job, 1)}
		}
		if !s.idle.CompareAndSwap(nil, w) {
			return
		}
		if !ws.leaving.Load() && ws.leaving.CompareAndSwap(false, true) {
			time.AfterFunc(workerLinger, func() {
				ws.leaving.Store(false)
				ws.stop()
			})
		}
		// Either this sees that there are no sockets any more, or stop sees w.
		if ws.srv.running.empty() && s.idle.CompareAndSwap(w, nil) {
			return
		}
	}
}

// ended is the end of something that is counted in Server.running.
func (srv *Server) ended() {
	if srv.running.done() {
		srv.workers.stop()
	}
}

// stop ends the goroutines that wait.
func (ws *workers) stop() {
	for i := range ws.slots {
		if w := ws.slots[i].idle.Swap(nil); w != nil {
			close(w.jobs)
		}
	}
}
