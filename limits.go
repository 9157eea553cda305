package socketio

import (
	"fmt"
	"time"
)

// maxName bounds the names of rooms and namespaces, in bytes: clients may
// choose them, and the server remembers them.
const maxName = 1024

// maxEventRate is where an event takes a microsecond: a limit beyond is none.
const maxEventRate = 1_000_000

// LimitError says that one of [Limits] was reached: [Socket.Join] beyond
// MaxRooms, Emit with [OnAck] and Call beyond MaxPendingAcks; a callback that
// takes an error gets it in its place. An error handler gets it for an event that was dropped
// because of EventRate.
type LimitError struct {
	Limit string // the field of Limits: "MaxRooms", "MaxPendingAcks" or "EventRate"
	Max   int    // its value
}

// Error says what there was too much of and which option bounds it.
func (e *LimitError) Error() string {
	what := "%d rooms is the most a socket may be in"
	switch e.Limit {
	case limitPendingAcks:
		what = "%d acknowledgements is the most a socket may owe"
	case limitEventRate:
		what = "%d events a second is the most a client may send"
	}
	return fmt.Sprintf("socketio: "+what+" (Options.Limits.%s)", e.Max, e.Limit)
}

// verdict is what EventRate makes of an event.
type verdict uint8

const (
	inTime  verdict = iota
	tooFast         // drop it
	flood           // close the connection
)

// throttle applies EventRate to one more event. It is called by the read side.
func (cl *client) throttle() verdict {
	o := &cl.srv.opts
	if o.Limits.EventRate == 0 {
		return inTime
	}
	now := time.Since(cl.srv.began)
	interval := time.Second / time.Duration(o.Limits.EventRate)
	burst := interval * time.Duration(o.Limits.EventBurst)
	if cl.events.Take(now, interval, burst) {
		return inTime
	}
	cl.srv.stats.hit(limitEventRate)
	if cl.dropped.Take(now, interval, burst) {
		return tooFast
	}
	return flood
}

// errTooManyEvents is what a client is told.
var errTooManyEvents = &Error{Message: "Too many events"}

// errTooFast is what an error handler gets for an event that was dropped.
func (srv *Server) errTooFast() error {
	return fmt.Errorf("%w: %w", &LimitError{limitEventRate, srv.opts.Limits.EventRate}, errTooManyEvents)
}
