package engineio

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// firstBody is how many bytes are allocated for a body before any has come. What
// is allocated later is at most twice what has come.
const firstBody = 4 << 10

var errBodyTooLarge = errors.New("engineio: body too large")

// past is a deadline that has passed: it ends the reads under way.
var past = time.Unix(1, 0)

var bodyPool = sync.Pool{New: func() any { return new([firstBody]byte) }}

// body is the body of a POST while it is read, by the goroutine of the request.
// Its other methods may be called from any goroutine.
type body struct {
	srv *Server
	rc  http.ResponseController

	mu       sync.Mutex // protects the following; held while a deadline is set, which does not wait
	deadline time.Time
	read     bool        // the network connection is for net/http again
	cause    error       // of cut
	then     func(error) // cuts off what becomes of the body when it has been read, if that takes time

	place *list.Element // in Server.bodies, whose lock protects this and the next
	held  int           // bytes
}

func (s *Server) newBody(w http.ResponseWriter) *body {
	return &body{srv: s, rc: *http.NewResponseController(w)}
}

// readAll reads the body of r to the end. The result is in buf as long as it
// is small. A client may take as long as a silent one is kept,
// whatever http.Server.ReadTimeout says. The caller calls release when
// the bytes are of no use any more.
func (b *body) readAll(buf []byte, r *http.Request) ([]byte, error) {
	opts := &b.srv.opts
	if r.ContentLength > int64(opts.Limits.MaxPayload) {
		r.Body = spoiledBody{}
		return nil, errBodyTooLarge
	}
	b.srv.noteDeadline(b.until(time.Now().Add(opts.PingInterval + opts.PingTimeout)))
	buf, err := b.fill(buf[:0], r)
	cause := b.finish()
	if err == nil {
		r.Body = http.NoBody // so that the answer need not end the network connection
		return buf, nil
	}
	r.Body = spoiledBody{}
	if cause != nil {
		err = cause
	}
	return nil, err
}

func (b *body) fill(buf []byte, r *http.Request) ([]byte, error) {
	limit := b.srv.opts.Limits.MaxPayload
	whole := limit + 1 // one more, to meet the end without growing
	if n := r.ContentLength; n >= 0 {
		whole = int(n) + 1
	}
	for {
		if len(buf) == cap(buf) {
			n := max(2*len(buf), firstBody)
			if len(buf) < whole {
				n = min(n, whole)
			}
			b.srv.bodies.hold(b, n)
			buf = append(make([]byte, 0, n), buf...)
		}
		n, err := r.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > limit:
			return buf, errBodyTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
}

// until has the read end at t, unless it ends earlier. It may be called before the
// read begins.
func (b *body) until(t time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.read || b.cause != nil || !b.deadline.IsZero() && !t.Before(b.deadline) {
		return nil
	}
	b.deadline = t
	return b.rc.SetReadDeadline(t)
}

// cut ends the read, which then returns cause. b may be nil.
func (b *body) cut(cause error) {
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
	case b.then != nil:
		b.then(cause)
	}
}

// finish ends the reading and returns the cause if it was cut off.
func (b *body) finish() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read = true
	if b.cause == nil {
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return b.cause
}

func (b *body) release() { b.srv.bodies.drop(b) }

// bodies bounds the memory of all bodies that are being read or handled: when it
// is used up, the one that began first is cut off, since whoever sends at an
// ordinary speed has long finished by then. Bodies of up to firstBody bytes do not count.
type bodies struct {
	limit int

	mu    sync.Mutex // protects the following
	held  int        // bytes
	order list.List  // of *body: those that began first are in front
}

// hold counts a body as having n bytes.
func (s *bodies) hold(b *body, n int) {
	var victims []*body
	s.mu.Lock()
	if b.place == nil {
		b.place = s.order.PushBack(b)
	}
	s.held += n - b.held
	b.held = n
	for s.held > s.limit && s.order.Len() > 1 {
		first := s.order.Front().Value.(*body)
		s.dropLocked(first)
		victims = append(victims, first)
	}
	s.mu.Unlock()
	for _, v := range victims {
		v.srv.stats.limits.add(limitPostBudget)
		v.cut(&limitError{limitPostBudget, fmt.Sprintf("the bodies of all POSTs took more than %d bytes, and this one was the slowest", s.limit)})
	}
}

func (s *bodies) drop(b *body) {
	s.mu.Lock()
	s.dropLocked(b)
	s.mu.Unlock()
}

func (s *bodies) dropLocked(b *body) {
	if b.place != nil {
		s.order.Remove(b.place)
		s.held -= b.held
		b.place, b.held = nil, 0
	}
}

// readInto appends what r holds, about size bytes, to b, which is empty. More
// than limit is errBodyTooLarge.
func readInto(b []byte, r io.Reader, size, limit int) ([]byte, error) {
	if need := min(size, maxPooled) + 1 - cap(b); need > 0 { // one more, to meet the end without growing
		b = make([]byte, 0, max(size+1, 512))
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if len(b) > limit {
			return b, errBodyTooLarge
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}
