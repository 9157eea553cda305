package httpbody

import (
	"container/list"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// SmallBody is how many bytes are allocated for a body before any has come, unless its
// reader has a buffer. What is allocated later is at most twice what has come.
const SmallBody = 4 << 10

// ErrTooLarge is a body of more than Budget.MaxSize, or than what Allow allows.
var ErrTooLarge = errors.New("engineio: body too large")

// past is a deadline that has passed: it ends the reads under way.
var past = time.Unix(1, 0)

// Budget bounds the memory of all bodies that are being read or handled. When it is
// used up by bodies that are being read, the one that began first is cut off, since
// whoever sends at an ordinary speed has long finished by then. When bodies that
// have been read and are being handled take more than half of it, it is not the
// clients that are slow: then those that are being read wait, if they can (see
// Body.Await). Bodies of up to SmallBody bytes do not count.
//
// The exported fields are set before the first use and not changed.
type Budget struct {
	// Limit is the budget, in bytes: at least twice MaxSize.
	Limit int
	// MaxSize is the most that a body may have, in bytes.
	MaxSize int
	// Timeout is how long a client may take to send a body.
	Timeout time.Duration
	// Exceeded is called for each body that is cut off because the budget is used up,
	// and returns why.
	Exceeded func() error
	// DeadlineSet, unless nil, is called with the result of setting the read deadline.
	DeadlineSet func(error)

	mu      sync.Mutex    // protects the following
	held    int           // bytes
	handled int           // bytes of them in bodies that are being handled and cannot be cut off
	order   list.List     // of *Body: those that began first are in front
	room    chan struct{} // closed when bytes are given back, if somebody waits for that
}

// Body is the body of a request while it is read, by the goroutine of the request, and
// handled. Until and Cut may be called from any goroutine.
type Body struct {
	budget *Budget
	rc     http.ResponseController

	mu       sync.Mutex // protects the following; held while a deadline is set, which does not wait
	deadline time.Time
	read     bool        // the network connection is for net/http again
	cause    error       // of Cut
	onCut    func(error) // see AfterRead

	waiter  Waiter // see Await
	maxSize int    // see Allow

	place   *list.Element // in Budget.order, whose lock protects this and the following
	held    int           // bytes
	handled bool          // in Budget.handled
	counted bool          // it was in Budget.order: hold may still be about to cut it off
}

var bodies = sync.Pool{New: func() any { return new(Body) }}

// New returns the body of the request that w answers.
func (s *Budget) New(w http.ResponseWriter) *Body {
	b := bodies.Get().(*Body)
	b.budget, b.rc, b.maxSize = s, *http.NewResponseController(w), s.MaxSize
	return b
}

// Allow has the body be longer than Budget.MaxSize, because it is longer than what it
// stands for: up to so many times as long, but not more than half of the budget. It is
// called before ReadAll.
func (b *Body) Allow(times int) {
	most := b.budget.Limit / 2
	if b.budget.MaxSize <= most/times {
		most = b.budget.MaxSize * times
	}
	b.maxSize = max(most, b.budget.MaxSize)
}

// Recycle has New use the memory of b again. The caller has called Release, and nobody
// calls a method of b any more.
func (b *Body) Recycle() {
	if !b.counted {
		*b = Body{}
		bodies.Put(b)
	}
}

// ReadAll reads the body of r to the end. The result is in buf as long as it
// is small. The error is ErrTooLarge, what Cut was called with, or that of the
// network. The caller calls Release when the bytes are of no use any more.
func (b *Body) ReadAll(buf []byte, r *http.Request) ([]byte, error) {
	if r.ContentLength > int64(b.maxSize) {
		r.Body = spoiled{}
		return nil, ErrTooLarge
	}
	err := b.Until(time.Now().Add(b.budget.Timeout))
	if b.budget.DeadlineSet != nil {
		b.budget.DeadlineSet(err)
	}
	buf, err = b.fill(buf[:0], r)
	cause := b.finish()
	if err == nil {
		b.budget.readWhole(b)
		r.Body = http.NoBody // so that the answer need not end the network connection
		return buf, nil
	}
	r.Body = spoiled{}
	if cause != nil {
		err = cause
	}
	return nil, err
}

func (b *Body) fill(buf []byte, r *http.Request) ([]byte, error) {
	limit := b.maxSize
	whole := limit + 1 // one more, to meet the end without growing
	if n := r.ContentLength; n >= 0 {
		whole = int(n) + 1
	}
	for {
		if len(buf) == cap(buf) {
			n := max(2*len(buf), SmallBody)
			if len(buf) < whole {
				n = min(n, whole)
			}
			if err := b.budget.hold(b, n); err != nil {
				return buf, err
			}
			buf = append(make([]byte, 0, n), buf...)
		}
		n, err := r.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > limit:
			return buf, ErrTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
}

// Until has the read end at t, unless it ends earlier. It may be called before the
// read begins.
func (b *Body) Until(t time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.read || b.cause != nil || !b.deadline.IsZero() && !t.Before(b.deadline) {
		return nil
	}
	b.deadline = t
	return b.rc.SetReadDeadline(t)
}

// AfterRead has Cut call f when the body has been read already and is being handled.
// It is called before ReadAll.
func (b *Body) AfterRead(f func(cause error)) { b.onCut = f }

// Waiter waits for room in the budget. AwaitRoom returns when the channel is closed, or
// earlier if Body.Cut was called.
type Waiter interface{ AwaitRoom(room <-chan struct{}) }

// Await has the body wait for room in the budget. It is called before ReadAll.
func (b *Body) Await(w Waiter) { b.waiter = w }

// renew gives the client its time anew after a wait, which was not its fault. It
// returns the cause if the body was cut off meanwhile.
func (b *Body) renew() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cause == nil {
		b.deadline = time.Now().Add(b.budget.Timeout)
		_ = b.rc.SetReadDeadline(b.deadline)
	}
	return b.cause
}

// Cut ends the read, which then returns cause. b may be nil.
func (b *Body) Cut(cause error) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.cause != nil:
	case !b.read:
		b.cause = cause
		_ = b.rc.SetReadDeadline(past)
	case b.onCut != nil:
		b.onCut(cause)
	}
}

// WasCut reports whether the reading was cut off.
func (b *Body) WasCut() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cause != nil
}

// finish ends the reading and returns the cause if it was cut off.
func (b *Body) finish() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read = true
	if b.cause == nil {
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return b.cause
}

// Release gives back what the body counts in the budget. It may be called twice.
func (b *Body) Release() {
	b.budget.mu.Lock()
	b.budget.dropLocked(b)
	b.budget.mu.Unlock()
}

// hold counts a body as having n bytes, for which it may have to wait.
func (s *Budget) hold(b *Body, n int) error {
	var victims []*Body
	s.mu.Lock()
	for b.waiter != nil && s.held-b.held+n > s.Limit && s.handled > s.Limit/2 {
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		b.waiter.AwaitRoom(room)
		if err := b.renew(); err != nil {
			return err
		}
		s.mu.Lock()
	}
	if b.place == nil {
		b.place, b.counted = s.order.PushBack(b), true
	}
	s.held += n - b.held
	b.held = n
	for s.held > s.Limit {
		first := s.firstLocked()
		if first == nil || first == b && s.held-b.held <= s.Limit/2 { // a body finds room in half of the budget
			break
		}
		s.dropLocked(first)
		victims = append(victims, first)
	}
	s.mu.Unlock()
	for _, v := range victims {
		v.Cut(s.Exceeded())
	}
	return nil
}

// firstLocked returns the body that began first of those that can be cut off.
func (s *Budget) firstLocked() *Body {
	for e := s.order.Front(); e != nil; e = e.Next() {
		if b := e.Value.(*Body); !b.handled {
			return b
		}
	}
	return nil
}

// readWhole notes that a body has been read and is being handled.
func (s *Budget) readWhole(b *Body) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.place != nil && b.onCut == nil {
		b.handled = true
		s.handled += b.held
	}
}

func (s *Budget) dropLocked(b *Body) {
	if b.place != nil {
		s.order.Remove(b.place)
		s.held -= b.held
		if b.handled {
			s.handled -= b.held
		}
		b.place, b.held, b.handled = nil, 0, false
		if s.room != nil {
			close(s.room)
			s.room = nil
		}
	}
}
