package mailbox

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// Workers run boxes. The first job of a box gets a goroutine that waits for work, or
// else a new one: a job may take any time without delaying other boxes. A goroutine
// whose box is empty ends, except one for each slot, which waits for the next box for up
// to [Linger]: to wake it costs less than to start another, whose stack has to grow. It
// does not wait when nothing is alive that could bring more jobs, see Begin.
// All methods may be called from any goroutine, at any time.
type Workers[J Job[J]] struct {
	alive    group
	slots    []slot[J]
	lastSlot atomic.Uint32
	stopping atomic.Bool // a timer is about to call stop
}

// Linger is the longest time for which a goroutine waits for the next box. It also ends
// busy goroutines, which costs one more goroutine in all this time.
const Linger = time.Second

// slot is where a goroutine waits that runs some of the boxes.
type slot[J Job[J]] struct {
	idle atomic.Pointer[worker[J]]
	_    [56]byte // so that processors do not wait for each other
}

// worker is a goroutine that waits; closing rounds ends it.
type worker[J Job[J]] struct{ rounds chan round[J] }

// round is a box to be run, beginning with a job.
type round[J Job[J]] struct {
	box *Box[J]
	job J
}

// NewWorkers returns workers with a slot for each processor.
func NewWorkers[J Job[J]]() *Workers[J] {
	return &Workers[J]{slots: make([]slot[J], runtime.GOMAXPROCS(0))}
}

// NextSlot returns the slots in turn, so that jobs are spread over them.
func (ws *Workers[J]) NextSlot() uint16 {
	return uint16(ws.lastSlot.Add(1) % uint32(len(ws.slots)))
}

// Begin counts something that may bring jobs until End is called. Wait waits for that.
func (ws *Workers[J]) Begin() { ws.alive.add() }

// End ends what Begin has counted.
func (ws *Workers[J]) End() {
	if ws.alive.done() {
		ws.stop()
	}
}

// Alive returns how many Begin has counted that have not ended.
func (ws *Workers[J]) Alive() int { return int(ws.alive.n.Load()) }

// Wait waits until everything that Begin has counted has ended; the error is that of
// the context if it ends first.
func (ws *Workers[J]) Wait(ctx context.Context) error { return ws.alive.wait(ctx) }

// start runs a box. It never blocks.
func (ws *Workers[J]) start(r round[J]) {
	s := &ws.slots[r.job.Slot()]
	if s.idle.Load() != nil {
		if w := s.idle.Swap(nil); w != nil {
			w.rounds <- r // has room
			return
		}
	}
	go ws.run(s, r)
}

func (ws *Workers[J]) run(s *slot[J], r round[J]) {
	if !r.job.Large() {
		growStack()
	}
	var w *worker[J]
	for ok := true; ok; r, ok = <-w.rounds {
		r.box.run(ws, r.job)
		r = round[J]{} // so that a goroutine that waits keeps no job in memory
		if s.idle.Load() != nil {
			return
		}
		if w == nil {
			w = &worker[J]{make(chan round[J], 1)}
		}
		if !s.idle.CompareAndSwap(nil, w) {
			return
		}
		if !ws.stopping.Load() && ws.stopping.CompareAndSwap(false, true) {
			time.AfterFunc(Linger, func() {
				ws.stopping.Store(false)
				ws.stop()
			})
		}
		// Either this sees that nothing is alive any more, or stop sees w.
		if ws.alive.empty() && s.idle.CompareAndSwap(w, nil) {
			return
		}
	}
}

// stop ends the goroutines that wait.
func (ws *Workers[J]) stop() {
	for i := range ws.slots {
		if w := ws.slots[i].idle.Swap(nil); w != nil {
			close(w.rounds)
		}
	}
}
