package engineio

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"
)

const (
	// drainAtOnce is how many connections Shutdown closes without spreading
	// them, if Options.DrainWindow does not say otherwise.
	drainAtOnce = 100
	// drainPace and maxDrainWindow are how it spreads more of them.
	drainPace      = time.Millisecond
	maxDrainWindow = 10 * time.Second
	// retryAfter is how many seconds a client that is refused should wait. By
	// then a load balancer has another server for it, or this one is back.
	retryAfter = "1"
)

// Shutdown refuses new connections from now on, with status 503, and closes all
// others with ReasonServerShutdown, spread over Options.DrainWindow, each after
// what was queued for it. It returns when they have ended and no goroutine of the
// server is left. When ctx ends first, it cuts off what is left and returns the
// error of ctx; a context that has ended already cuts all of them off at once.
// Another call waits likewise, and the end of its context cuts off likewise.
//
// Of the requests that have been handed over to other servers (Options.PeerURL),
// polls are answered, without harm to their sessions, and WebSockets are cut off.
//
// It does not stop the http.Server: call it before http.Server.Shutdown, which
// waits for polls and knows nothing of WebSockets.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	if first {
		s.shutDown = make(map[string]bool)
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

// Close is Shutdown without patience: it cuts off all connections, with
// ReasonServerShutdown and without what is queued for them, and returns at once.
// Receiver.Closed is called for each, perhaps after Close has returned. It
// returns nil.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Shutdown(ctx) // its error says that the context has ended
	return nil
}

// leaver is what Shutdown ends: a connection, or a request that has been handed
// over and lasts.
type leaver struct {
	context func() context.Context // ends when it has ended
	drain   func()                 // begins its end
}

// drain closes the connections one after the other, in no particular order, and
// then what other servers have.
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
			case <-c.context().Done(): // it has gone by itself
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
		c.drain()
	}
}

// drainWindow returns over which time to spread the ends of n connections:
// such that those closed last, too, have half of the time to go in peace.
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

// drain ends the connection because of Shutdown, unless its Receiver does so later.
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
	return slices.Collect(maps.Values(s.conns))
}

func (s *Server) isClosed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.closed
}

// isShutDown reports whether Shutdown has closed the connection and nothing is left
// to be fetched.
func (c *Conn) isShutDown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.transportDone && c.reason == ReasonServerShutdown
}

// serveAfterShutdown answers a polling request that comes after the end by Shutdown: a
// poll with the news.
func (s *Server) serveAfterShutdown(w http.ResponseWriter, r *http.Request) *Refusal {
	switch r.Method {
	case http.MethodGet:
		endKeepAlive(w)
		_ = s.writePayload(nil, w, r, &pollAnswer{last: closePacket}) // it is gone anyway
	case http.MethodPost:
		s.answerLatePost(w, r)
	default:
		return refuseUnknownSID
	}
	return nil
}

// endKeepAlive has the answer end its network connection: the next request of a
// client that is to go elsewhere, its handshake, would come to this server again.
func endKeepAlive(w http.ResponseWriter) { w.Header().Set("Connection", "close") }
