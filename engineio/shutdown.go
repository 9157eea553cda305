package engineio

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
)

const (
	// drainAtOnce is how many connections Shutdown closes without spreading them,
	// unless Options.DrainWindow is set.
	drainAtOnce = 100
	// If there are more, Shutdown spreads each further one by drainPace, over
	// maxDrainWindow at most.
	drainPace      = time.Millisecond
	maxDrainWindow = 10 * time.Second
	// retryAfter is how many seconds a refused client should wait. By then a load
	// balancer has chosen another server for it, or this one is back.
	retryAfter = "1"
)

// Shutdown closes all connections with ReasonServerShutdown, spread over
// Options.DrainWindow, each after what was queued for it. The last answer to a polling
// client has a second to arrive if the client does not poll again. New connections are refused
// with status 503. Shutdown returns when all connections have ended and no goroutine of
// the server is left. If ctx ends first, it cuts the connections that are left and
// returns the error of ctx; if ctx has already ended, it cuts all of them at once. A
// second call waits as well, and the end of its context has the same effect.
//
// Shutdown answers the polls that have been handed over to other servers
// (Options.PeerURL), without harm to their sessions, and cuts the WebSockets.
//
// Shutdown does not stop the http.Server. Call it before http.Server.Shutdown, which
// waits for polls and knows nothing of WebSockets.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.isClosed()
	if first {
		s.shutDown = make(map[string]bool)
		s.closed.Store(true)
	}
	s.mu.Unlock()
	if first {
		s.peers.Close()
		s.drain(ctx)
	}
	ended := make(chan struct{})
	go func() { // ends with the last connection
		s.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		s.peers.CloseIdle()
		return nil
	case <-ctx.Done():
	}
	for _, c := range s.all() {
		c.end(ReasonServerShutdown, ErrServerClosed, abort)
	}
	s.peers.Cut()
	return ctx.Err()
}

// Close cuts all connections, with ReasonServerShutdown, and returns nil at once. What
// is queued for them is lost. Receiver.Closed is called for each, perhaps after Close
// has returned. Like Shutdown, it refuses new connections.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Shutdown(ctx) // returns the error of ctx
	return nil
}

// leaver is something that Shutdown ends: a connection, or a request that has been
// handed over and has not been answered.
type leaver struct {
	context func() context.Context // of the connection or the request
	drain   func()                 // begins its end
}

// drain closes the connections one after the other, in no particular order, and then
// ends the requests that have been handed over.
func (s *Server) drain(ctx context.Context) {
	var all []leaver
	for _, c := range s.all() {
		all = append(all, leaver{c.Context, c.drain})
	}
	for _, r := range s.peers.All() {
		all = append(all, leaver{r.Context, r.Drain})
	}
	window := s.drainWindow(ctx, len(all))
	begin := time.Now()
	for i, c := range all {
		if ctx.Err() != nil {
			return
		}
		turn := begin.Add(time.Duration(float64(window) * float64(i) / float64(len(all))))
		if wait := time.Until(turn); wait > 0 {
			select {
			case <-c.context().Done(): // it has ended by itself
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
		c.drain()
	}
}

// drainWindow returns the time over which to spread the ends of n connections. It is
// half of the time until the deadline of ctx at most, so that the connections closed
// last have the other half to get what is queued.
func (s *Server) drainWindow(ctx context.Context, n int) time.Duration {
	window := s.opts.DrainWindow
	if window == 0 {
		window = min(time.Duration(max(n-drainAtOnce, 0))*drainPace, maxDrainWindow)
	}
	if deadline, ok := ctx.Deadline(); ok {
		window = min(window, time.Until(deadline)/2)
	}
	return max(window, 0)
}

// drain ends the connection because of Shutdown, unless its Receiver is busy and will do
// so.
func (c *Conn) drain() {
	c.mu.Lock()
	receiver, closed := c.receiver, c.closed
	c.mu.Unlock()
	busy := false
	if receiver != nil && !closed { // there is none during OnConnect
		c.guard("Drain", func() { busy = receiver.Drain() })
	}
	if !busy {
		c.end(ReasonServerShutdown, ErrServerClosed, deliver)
	}
}

func (s *Server) all() []*Conn {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(s.conns.All())
}

func (s *Server) isClosed() bool { return s.closed.Load() }

// hasShutDown reports whether Shutdown has closed the connection with a session id, and the
// client can fetch nothing more.
func (s *Server) hasShutDown(id string) bool {
	s.mu.RLock()
	c, _ := s.conns.Get(id)
	shutDown := s.shutDown[id]
	s.mu.RUnlock()
	return shutDown || c != nil && c.isShutDown()
}

// isShutDown reports whether Shutdown has closed the connection and the client can
// fetch nothing more.
func (c *Conn) isShutDown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.transportDone && c.reasonLocked() == ReasonServerShutdown
}

// serveAfterShutdown answers a polling request of a session that Shutdown has ended: a
// poll with CLOSE, a POST as if it had been taken.
func (s *Server) serveAfterShutdown(w http.ResponseWriter, r *http.Request, q *protocol.Query) *Refusal {
	switch r.Method {
	case http.MethodGet:
		endKeepAlive(w)
		d, refusal := s.dialectOf(q)
		if refusal != nil {
			d = revision4
		}
		_ = s.writePayload(nil, nil, d, w, r, pollAnswer{last: closePacket}) // the session has ended anyway
	case http.MethodPost:
		s.answerLatePost(w, r)
	default:
		return refuseUnknownSID
	}
	return nil
}

// endKeepAlive makes the network connection end with the answer. Otherwise the
// client's next handshake would come to this server again, over the same connection.
func endKeepAlive(w http.ResponseWriter) { w.Header().Set("Connection", "close") }
