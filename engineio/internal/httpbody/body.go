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
// reader has a buffer. Later allocations are at most twice as large as what has come.
const SmallBody = 4 << 10

// ErrTooLarge: the body is longer than Budget.MaxSize, or than Body.Allow allows.
var ErrTooLarge = errors.New("engineio: body too large")

// past is a deadline that has passed. It ends the reads under way.
var past = time.Unix(1, 0)

// Budget bounds the memory of all bodies that are being read or handled. When bodies
// that are being read use it up, the one that began first is cut off, because a client of
// ordinary speed has long finished by then. When bodies that have been read and are being
// handled take more than half of it, the clients are not the slow ones: then those that are
// being read wait, if they can (see Body.Await). Bodies of up to SmallBody bytes do not count.
//
// The exported fields are set before the first use and not changed.
type Budget struct {
	// Limit is the budget, in bytes: at least twice MaxSize.
	Limit int
	// MaxSize is the longest body, in bytes.
	MaxSize int
	// Timeout is how long a client may take to send a body.
	Timeout time.Duration
	// Exceeded is called for each body that is cut off because the budget is used up. It
	// returns the cause.
	Exceeded func() error
	// DeadlineSet, unless nil, is called with the result of setting the read deadline.
	DeadlineSet func(error)

	mu      sync.Mutex    // protects the following
	held    int           // bytes
	handled int           // bytes of them in bodies that are being handled and cannot be cut off
	order   list.List     // of *Body: those that began first are in front
	room    chan struct{} // closed when bytes are given back, if a body waits for that
}

// Body is the body of a request while it is read, by the goroutine of the request, and
// handled. Until and Cut may be called from any goroutine.
type Body struct {
	budget *Budget
	rc     http.ResponseController

	mu       sync.Mutex // protects the following; held while a deadline is set, which does not wait
	deadline time.Time
	read     bool        // the network connection belongs to net/http again
	cause    error       // from Cut
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

// Allow lets the body be up to so many times as long as Budget.MaxSize, but not longer than
// half of the budget, because its encoding is longer than its content. Call it before
// ReadAll.
func (b *Body) Allow(times int) {
	most := b.budget.Limit / 2
	if b.budget.MaxSize <= most/times {
		most = b.budget.MaxSize * times
	}
	b.maxSize = max(most, b.budget.MaxSize)
}

// Recycle lets New use the memory of b again. The caller has called Release, and no method
// of b is called any more.
func (b *Body) Recycle() {
	if !b.counted {
		*b = Body{}
		bodies.Put(b)
	}
}

// ReadAll reads the body of r to the end. A small result is in buf. The error is
// ErrTooLarge, the cause given to Cut, or that of the network. The caller calls Release
// when it does not need the bytes any more.
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
	whole := limit + 1 // one more, so that the end needs no larger buffer
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

// Until ends the read at t, if it has not ended before. It may be called before the read
// begins.
func (b *Body) Until(t time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.read || b.cause != nil || !b.deadline.IsZero() && !t.Before(b.deadline) {
		return nil
	}
	b.deadline = t
	return b.rc.SetReadDeadline(t)
}

// AfterRead makes Cut call f if the body has been read already and is being handled. Call
// it before ReadAll.
func (b *Body) AfterRead(f func(cause error)) { b.onCut = f }

// Waiter waits for room in the budget. AwaitRoom returns when the channel is closed, or
// earlier if Body.Cut was called.
type Waiter interface{ AwaitRoom(room <-chan struct{}) }

// Await lets the body wait for room in the budget. Call it before ReadAll.
func (b *Body) Await(w Waiter) { b.waiter = w }

// renew begins the client's time again after a wait that was not the client's fault. It
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

// Release gives the bytes of the body back to the budget. It may be called twice.
func (b *Body) Release() {
	b.budget.mu.Lock()
	b.budget.dropLocked(b)
	b.budget.mu.Unlock()
}

// hold counts n bytes for a body. It may have to wait for them.
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
