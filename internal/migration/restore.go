package migration

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// MaxClaim is the largest Claim.Size.
const MaxClaim = 256 << 10

const (
	maxRestores = 1000     // sessions that are restored at once; more wait
	maxClaims   = 32       // Restorer.Claim that run at once
	maxClaimed  = 32 << 20 // bytes of the claims that are restored at once; more wait
	// gatherTime is how long sessions are gathered before they are restored: all clients of a server that was killed
	// come at the same time, and the history is read once for all that are there.
	gatherTime = 20 * time.Millisecond
	// restoreTime is for how long a session is tried to be restored while the broker is away.
	restoreTime = 30 * time.Second
	releaseTime = time.Second // for Restorer.Release
)

// Restorer is the part of a Host that has what servers have written down of their sessions. Claim,
// Restore and Release wait.
type Restorer interface {
	// CanRestore reports whether Claim may find something. Otherwise it is not called.
	CanRestore() bool
	// Claim takes the session with a key that its server has written down before it was killed, nil if there is none. An
	// error means that nobody knows, because the broker is away. Any goroutine calls it.
	Claim(ctx context.Context, key recovery.Key) (Claim, error)
	// Restore returns the sessions of claims, and up to which position of the broker's history they have what was
	// emitted. Those that are lost are missing. There may be some that have to be restored later. If there is an
	// error, because the broker is away, there is no session, and all can be tried again. So can those that were
	// returned. One goroutine calls it.
	Restore(ctx context.Context, claims []Claim) (sessions []*Session, at broker.Position, later []Claim, err error)
	// Release gives back claims that could not be restored, so that another server can claim them, and logs why if
	// that fails, too. The goroutine of Restore calls it.
	Release(ctx context.Context, claims []Claim, why error)
}

// Claim is a session that will be restored. Only the Restorer knows more of it.
type Claim interface {
	Key() recovery.Key
	Size() int64 // about how many bytes it takes, at most MaxClaim
}

// restores restores sessions whose server was killed. It has a goroutine while there are some, which ends with its
// context.
type restores struct {
	marks
	host    Host
	ctx     context.Context
	running *sync.WaitGroup // has the goroutine
	slots   chan struct{}   // one for each session
	claims  chan struct{}   // one for each Claim that runs
	limit   int64           // of bytes

	mu      sync.Mutex
	waiting []claimed
	active  bool      // the goroutine runs
	bytes   int64     // of all that are claimed, and MaxClaim for each Claim that runs
	freed   condition // bytes has become less
}

// claimed is a session that is being restored.
type claimed struct {
	Claim
	until time.Time     // when it is given up
	done  chan struct{} // closed when it has been restored, is lost or is given up
}

func newRestores(ctx context.Context, k marks, h Host, running *sync.WaitGroup, budget int64) *restores {
	limit := int64(maxClaimed)
	if budget > 0 {
		limit = min(limit, budget/4)
	}
	return &restores{
		limit: limit,
		marks: k, host: h, ctx: ctx, running: running,
		slots: make(chan struct{}, maxRestores), claims: make(chan struct{}, maxClaims),
	}
}

// restore makes a session that no server has go on on this one, if its server has written it down. It waits
// until that has happened, or cannot. An error means that it is not known whether there is one.
func (r *restores) restore(key recovery.Key) error {
	if !hold(r.ctx, r.slots) {
		return r.ctx.Err()
	}
	defer func() { <-r.slots }()
	claim, err := r.claim(key)
	if claim == nil {
		return err
	}
	c := claimed{claim, time.Now().Add(restoreTime), make(chan struct{})}
	r.put(c)
	<-c.done
	return nil
}

// claim claims a session when there is room for it.
func (r *restores) claim(key recovery.Key) (Claim, error) {
	ctx, cancel := context.WithTimeout(r.ctx, fetchTimeout)
	defer cancel()
	if !hold(ctx, r.claims) {
		return nil, ctx.Err()
	}
	defer func() { <-r.claims }()
	if !r.reserve(ctx) {
		return nil, ctx.Err()
	}
	c, err := r.host.Claim(ctx, key)
	if c == nil {
		r.free(MaxClaim)
		return nil, err
	}
	r.host.Count(c.Size())
	r.free(MaxClaim - c.Size())
	return c, nil
}

// reserve waits until there is room for a claim of MaxClaim bytes, and reserves it. There is always room for a single one.
// reserve reports false if the context ends before.
func (r *restores) reserve(ctx context.Context) bool {
	return r.freed.await(ctx, &r.mu, func() bool {
		fits := r.bytes == 0 || r.bytes+MaxClaim <= r.limit
		if fits {
			r.bytes += MaxClaim
		}
		return fits
	})
}

// free gives back what reserve has reserved.
func (r *restores) free(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes -= bytes
	r.freed.broadcastLocked()
}

// put has sessions restored.
func (r *restores) put(all ...claimed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, all...)
	if !r.active && len(r.waiting) > 0 {
		r.active = true
		r.running.Go(r.run)
	}
}

// take returns the sessions that wait. If there are none, the goroutine ends.
func (r *restores) take() (all []claimed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, r.waiting = r.waiting, nil
	r.active = len(all) > 0
	return all
}

// run restores what waits, all of it at once, until nothing does. Those who come meanwhile are restored
// together then.
func (r *restores) run() {
	for wait := gatherTime; ; {
		pause(r.ctx, wait)
		all := r.take()
		if len(all) == 0 {
			return
		}
		later, failed, err := r.restoreAll(all)
		wait = gatherTime
		if err != nil {
			wait, later = retryPause, append(later, r.giveUp(failed, err)...)
		}
		r.put(later...)
	}
}

// restoreAll restores sessions, and returns those that have to be restored later. An error is why, because of the broker,
// some are neither restored nor lost: those that have failed.
//
// What this server has published before goes round first, so that it is in the history; and then
// what has come until the history has been read, so that no part of it comes once more.
func (r *restores) restoreAll(all []claimed) (later, failed []claimed, err error) {
	ctx, cancel := context.WithTimeout(r.ctx, fetchTimeout)
	defer cancel()
	capture := r.servers.NewCapture()
	defer capture.End()
	if !r.pass(ctx, capture.Begin) {
		return nil, all, errBroker
	}
	claims := make([]Claim, 0, len(all))
	for _, c := range all {
		claims = append(claims, c.Claim)
	}
	sessions, at, rest, err := r.host.Restore(ctx, claims)
	if err != nil {
		return nil, all, err
	}
	var again []recovery.Key
	if len(sessions) > 0 {
		if !r.pass(ctx, func() {}) || capture.Ended() {
			return nil, all, errBroker
		}
		capture.SkipTo(at)
		arrivals := r.host.Take(sessions, "", capture)
		settling, cancel := context.WithTimeout(r.ctx, restoreTime) // the broker may be lost once more
		defer cancel()
		again = r.settle(settling, capture, arrivals)
	}
	var ended []claimed
	for _, c := range all {
		switch {
		case slices.Contains(rest, c.Claim):
			later = append(later, c)
		case slices.Contains(again, c.Key()):
			failed, err = append(failed, c), errBroker
		default:
			ended = append(ended, c)
		}
	}
	r.end(ended)
	return later, failed, err
}

// giveUp gives up those that have been tried for too long, or all if the Mover is closed. It returns the others.
func (r *restores) giveUp(all []claimed, why error) (others []claimed) {
	now := time.Now()
	var claims []Claim
	var ended []claimed
	for _, c := range all {
		if r.ctx.Err() == nil && now.Before(c.until) {
			others = append(others, c)
		} else {
			claims, ended = append(claims, c.Claim), append(ended, c)
		}
	}
	if len(claims) > 0 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), releaseTime)
		defer cancel()
		r.host.Release(ctx, claims, why)
		r.end(ended)
	}
	return others
}

// end has those go on who wait for the sessions.
func (r *restores) end(all []claimed) {
	var size int64
	for _, c := range all {
		size += c.Size()
	}
	r.host.Count(-size)
	r.free(size)
	for _, c := range all {
		close(c.done)
	}
}
