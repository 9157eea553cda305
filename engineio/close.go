package engineio

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/httpbody"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
)

// closeTimeout bounds how long a closed connection lingers. A WebSocket waits for the
// client's close frame, a polling connection for the request that takes what is queued.
const closeTimeout = websock.CloseTimeout

// Close closes the connection and returns at once. Further sends are refused, what
// is queued is written if the client takes it within 5 seconds, and Receiver.Closed is
// called with reason and err. After the first Close, others have no effect. If a polling
// client has no poll waiting, its next poll within 5 seconds gets what is queued and
// the end. A client that has stopped polling for an upgrade gets both over the WebSocket,
// if it completes the upgrade within Options.UpgradeTimeout.
//
// With ReasonSlowClient, Close cuts the network connection and writes nothing more:
// the client does not take what is sent to it.
func (c *Conn) Close(reason Reason, err error) {
	if reason == ReasonSlowClient {
		c.end(reason, err, abort)
		return
	}
	c.end(reason, err, deliver)
}

// ending says what becomes of the queue and the network connection at the end.
type ending int

const (
	deliver ending = iota // write what is queued, then close; a polling client may fetch it a little later
	refused               // as deliver, but a polling client has learnt of the end by a refusal
	discard               // drop what is queued, then close
	left                  // the client has closed: drop what is queued, and let the reader close
	abort                 // cut the network connection at once
)

var (
	errPanic  = errors.New("engineio: panic in the application's code")
	errGoexit = errors.New("engineio: the application's code called runtime.Goexit")
)

func (c *Conn) end(reason Reason, err error, how ending) {
	c.mu.Lock()
	c.endUnlock(reason, err, how)
}

// endUnlock unlocks mu, which is held, and ends the connection.
func (c *Conn) endUnlock(reason Reason, err error, how ending) {
	ws, poll := c.ws, c.poll
	var probe *websock.Conn
	var body *httpbody.Body
	if poll != nil {
		probe, body = poll.probe, poll.body
	}
	if c.closed {
		c.endAgainLocked(reason, how)
		c.mu.Unlock()
		cut(how, ws, probe)
		return
	}
	c.closed = true
	c.cause = &CloseError{Reason: reason, Err: err}
	c.countClosedLocked()
	if how >= discard {
		c.queue.Drop()
	}
	c.queue.EndWaits()
	if c.timer != nil {
		c.timer.Stop()
	}
	switch {
	case ws != nil:
		if how != left {
			ws.AwaitClose()
		}
	case c.polling || c.probing && how != abort || how == deliver:
		// The poll that waits, or the next one, gets what is queued and the end. A client
		// whose probe was answered polls no more: it gets both over the WebSocket, when it
		// has sent its UPGRADE packet.
		c.lingerLocked()
	default:
		c.transportDoneLocked()
	}
	c.startWritingLocked()
	c.pause.endLocked()
	c.reactLocked()
	cancel, remote, cause := c.cancel, c.req.RemoteAddr, c.cause
	c.mu.Unlock()
	body.Cut(errSessionOver)
	c.srv.noteEnd(remote, reason, err)
	cut(how, ws, probe)
	if how == abort && poll != nil {
		poll.cutAnswer()
	}
	if cancel != nil {
		cancel(cause)
	}
	go c.finish()
}

// lingerLocked has a closed connection wait for the poll, or the UPGRADE packet, after which
// the client gets what is queued and the end.
func (c *Conn) lingerLocked() {
	c.lingering = true
	c.setTimerLocked(time.Now().Add(closeTimeout))
	if c.cause.Reason == ReasonServerShutdown {
		c.settleLocked()
	}
}

// awaitsUpgradeLocked reports whether a closed connection waits for the UPGRADE packet, as
// long as limitProbe allows: if the WebSocket ended before, the official client would
// neither poll again nor notice the end before its ping timeout.
func (c *Conn) awaitsUpgradeLocked() bool {
	return c.lingering && c.probing && c.cause.Reason != ReasonClientDisconnect
}

// endAgainLocked is called for a connection that has ended already. It may end the wait for a client that polls.
func (c *Conn) endAgainLocked(reason Reason, how ending) {
	switch {
	case c.ws != nil || c.polling:
	case how == abort || reason == ReasonServerShutdown && c.cause.Reason == ReasonClientDisconnect:
		c.transportDoneLocked() // the client is leaving: do not wait for it
	case reason == ReasonServerShutdown && c.lingering:
		c.settleLocked()
	}
}

// settleTime is how long the last answer to a poll may still be on its way when it has
// left this server, through proxies too.
const settleTime = time.Second

// settleLocked ends a lingering polling connection because of Shutdown, if nothing is
// left for the client to fetch but CLOSE, and no UPGRADE packet is on its way. It waits
// until the last answer must have arrived, or the client has polled again: once the server
// has gone, the client's next request fails, and the official client then drops an answer
// that is still on its way.
func (c *Conn) settleLocked() {
	if c.ws != nil || c.polling || c.probing || c.writing || !c.queue.Empty() {
		return
	}
	switch {
	case c.poll == nil || !time.Now().Before(c.poll.settled):
		c.transportDoneLocked()
	case c.poll.settled.Before(c.due.Time()):
		c.setTimerLocked(c.poll.settled)
	}
}

// cut cuts the network connections if how is abort. A nil transport is skipped.
func cut(how ending, transports ...*websock.Conn) {
	for _, t := range transports {
		if how == abort && t != nil {
			t.Cut()
		}
	}
}

// finish calls Receiver.Closed. It runs on a goroutine of its own, because end is
// called from inside the application's Send and Close.
func (c *Conn) finish() {
	c.recvMu.Lock() // wait for the Message under way
	defer func() {  // also if the application calls runtime.Goexit
		c.recvMu.Unlock()
		c.mu.Lock()
		c.receiverDone = true
		c.forgetLocked()
		c.mu.Unlock()
	}()
	if c.receiver != nil {
		c.guard("Closed", func() { c.receiver.Closed(c.cause.Reason, c.cause.Err) })
	}
}

func (c *Conn) transportDoneLocked() {
	if c.transportDone {
		return
	}
	c.transportDone = true
	c.lingering = false
	if c.poll != nil && c.poll.probe != nil {
		c.poll.probe.ReadUntil(time.Unix(1, 0)) // ends its goroutine's wait
	}
	c.queue.Drop()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.forgetLocked()
}

func (c *Conn) forgetLocked() {
	if c.receiverDone && c.transportDone {
		c.srv.forget(c)
	}
}

// evictWait is how long evict waits for a connection it has cut.
const evictWait = time.Second

// overBudget starts evict. The budget calls it when what waits for all clients
// exceeds Options.Limits.SendBudget.
func (s *Server) overBudget() {
	s.wg.Add(1) // the count is not zero: the caller has a connection
	go s.evict()
}

// evict cuts the connections with the most queued bytes until an eighth of the
// budget is free. It runs on a goroutine of its own, of which there is one at most;
// Shutdown waits for it.
func (s *Server) evict() {
	defer s.wg.Done()
	defer s.budget.Evicted()
	type backlog struct {
		c      *Conn
		queued int
	}
	var all []backlog
	for _, c := range s.all() {
		c.mu.Lock()
		if n := c.queue.Size(); n > 0 && !c.closed {
			all = append(all, backlog{c, n})
		}
		c.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b backlog) int { return cmp.Compare(b.queued, a.queued) })
	for _, b := range all {
		if s.budget.IsRelieved() {
			return
		}
		b.c.endSlow(limitSendBudget, fmt.Sprintf("%d bytes waited for this client, more than for others, while more than %d bytes waited for all clients together", b.queued, s.opts.Limits.SendBudget))
		b.c.awaitWriter(evictWait)
	}
}

// endSlow cuts a client that does not take what is sent to it. option names the limit
// that it has reached.
func (c *Conn) endSlow(option, what string) {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		c.srv.stats.limits.add(option)
	}
	c.end(ReasonSlowClient, &limitError{option, what}, abort)
}

// endForWrite ends the connection after a failed write.
func (c *Conn) endForWrite(err error, reason Reason) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.endSlow(limitWriteTimeout, "the client took nothing of what was written to it: "+err.Error())
		return
	}
	c.end(reason, err, abort)
}
