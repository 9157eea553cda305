package main

import (
	"context"
	"log"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokertest"
)

// site is what a load balancer and the servers behind it are: new connections go to the server
// that was started last. Readers connect with WebSocket only, so that no request is for an earlier one.
type site struct {
	window time.Duration
	broker brokertest.Memory

	mu     sync.Mutex
	server *socketio.Server // started last
	ending sync.WaitGroup   // the earlier ones
}

func newSite(window time.Duration) *site {
	s := &site{window: window}
	s.server = newServer(window, s.broker.Connect())
	return s
}

func newServer(window time.Duration, b broker.Broker) *socketio.Server {
	srv := socketio.NewServer(&socketio.Options{
		Recovery: &socketio.Recovery{Window: window},
		Cluster:  socketio.ClusterOptions{Broker: b},
	})
	srv.On("connect", func(c *socketio.Context) error {
		if c.Recovered() {
			return nil // it is in its rooms, and gets what it has missed
		}
		return c.Join("feed")
	})
	srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
		log.Printf("%s: %s, may come back: %v", c.ID(), why, c.Away())
	})
	srv.OnExpired(func(s *socketio.Socket, why socketio.Expiry) {
		log.Printf("%s does not come back: %s", s.ID(), why)
	})
	return srv
}

func (s *site) current() *socketio.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

// ServeHTTP serves a new connection.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.current().ServeHTTP(w, r) }

// restart replaces the server. The earlier one ends while its readers come back to the new one,
// which gets their sessions from it: so they must have found each other on the broker first.
func (s *site) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.server
	s.server = newServer(s.window, s.broker.Connect())
	self := s.server.Cluster().Servers()[0]
	for range 1000 {
		if slices.Contains(old.Cluster().Servers(), self) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.ending.Go(func() { stop(context.Background(), old) })
}

func stop(ctx context.Context, srv *socketio.Server) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		log.Println("ending a server:", err)
	}
}

// shutdown ends all servers.
func (s *site) shutdown(ctx context.Context) error {
	s.ending.Wait()
	return s.current().Shutdown(ctx)
}

// feed emits 1, 2, 3 and so on to everybody in the room, until ctx is done.
func (s *site) feed(ctx context.Context, every time.Duration) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			_ = s.current().Emit("number", n, socketio.To("feed"))
		}
	}
}
