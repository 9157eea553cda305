// Package servertest checks that servers and emitters on a broker are one application. Package
// brokertest cannot check this, because it knows no servers.
//
//	func TestServers(t *testing.T) {
//		servertest.Run(t, brokertest.Service{Connect: ..., Stop: ..., Start: ...})
//	}
package servertest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// patience is how long a test waits for what should happen at once.
const patience = 30 * time.Second

// Run checks, in subtests, that servers on the service are one application. Nobody else should
// use the service during the test of an outage, which needs Stop and Start.
func Run(t *testing.T, service brokertest.Service) {
	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"Servers", (*suite).servers},
		{"ServersDuringAnOutage", (*suite).outage},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(&suite{T: t, service: service, name: fmt.Sprintf("servertest-%x", rand.Uint64())})
		})
	}
}

// suite is one test.
type suite struct {
	*testing.T
	service brokertest.Service
	name    string // of its channel
}

func (s *suite) connect() broker.Broker {
	s.Helper()
	b := s.service.Connect(s.T)
	s.Cleanup(func() {
		if err := b.Close(); err != nil {
			s.Errorf("Close: %v", err)
		}
	})
	return b
}

// eventually waits for a condition.
func (s *suite) eventually(what string, holds func() bool) {
	s.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// server starts a server on the service, and waits until it is connected. It sends what one of
// its clients says to the clients of all servers.
func (s *suite) server(replay int) *socketio.Server {
	s.Helper()
	srv := socketio.NewServer(&socketio.Options{
		Cluster: socketio.ClusterOptions{Broker: s.connect(), Channel: s.name, ReplayLimit: replay}, Logger: slog.New(slog.DiscardHandler),
	})
	s.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			s.Errorf("Shutdown: %v", err)
		}
	})
	srv.On("say", func(c *socketio.Context, text string) error {
		return c.Emit("said", text, socketio.Broadcast(), socketio.SkipSelf())
	})
	s.connected(srv)
	return srv
}

func (s *suite) connected(srv *socketio.Server) {
	s.Helper()
	s.eventually("a server to be connected", func() bool { return srv.BrokerStatus().Connected })
}

// client connects a client that answers "yes" and two bytes.
func (s *suite) client(srv *socketio.Server) *socketiotest.Client {
	s.Helper()
	return socketiotest.Connect(s.T, srv, &socketiotest.Options{
		Timeout: patience,
		Answer:  func(socketiotest.Event) []any { return []any{"yes", []byte{1, 2}} },
	})
}

func (s *suite) check(what string, err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

// Two servers and a worker are one application.
func (s *suite) servers() {
	a, b := s.server(0), s.server(0)
	ann, bob := s.client(a), s.client(b)
	ann.Emit("say", "hello")
	bob.Expect("said", "hello")
	s.check("JoinRoom", a.JoinRoom(bob.ID(), "room"))
	s.check("Emit", a.Emit("binary", []byte{0, 255}, socketio.To("room")))
	bob.Expect("binary", []byte{0, 255})

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	replies, err := a.Call(ctx, "ask", nil, socketio.To(bob.ID()))
	s.check("Call", err)
	var word string
	var data []byte
	s.check("Bind", replies[0].Bind(&word, &data))
	if word != "yes" || !bytes.Equal(data, []byte{1, 2}) {
		s.Errorf("the answer is %q and %v", word, data)
	}
	bob.Expect("ask")
	count, err := a.Cluster().Count(ctx)
	s.check("Count", err)
	if count != 2 {
		s.Errorf("%d clients are counted, want 2", count)
	}

	worker := socketio.NewEmitter(s.connect(), &socketio.EmitterOptions{Channel: s.name})
	s.check("Emit", worker.Emit("job", "done"))
	s.check("Disconnect", worker.Disconnect(bob.ID()))
	s.check("Close", worker.Close(ctx))
	ann.Expect("job", "done")
	bob.Expect("job", "done")
	bob.WaitDisconnect()
}

// Servers serve their own clients during an outage, and are one application again afterwards.
func (s *suite) outage() {
	if s.service.Stop == nil || s.service.Start == nil {
		s.Skip("the service has no Stop and Start")
	}
	a, b := s.server(0), s.server(1<<20)
	ann, bob := s.client(a), s.client(b)
	start := sync.OnceFunc(s.service.Start)
	s.Cleanup(start)
	s.service.Stop()
	s.eventually("both servers to notice", func() bool {
		return !a.BrokerStatus().Connected && !b.BrokerStatus().Connected
	})
	bob.Emit("say", "kept")
	s.check("Emit", a.Emit("local", 1))
	ann.Expect("local", 1)
	// The server must have tried to publish in vain, and keep the message since. If it
	// published the message when the service has just come back, nobody would receive it.
	kept := 0
	s.eventually("what is said to be kept", func() bool {
		if kept++; b.BrokerStatus().Waiting == 0 {
			kept = 0
		}
		return kept == 10
	})
	start()
	s.connected(a)
	s.connected(b)
	ann.Expect("said", "kept") // replayed by its server
	ann.Emit("say", "back")
	bob.Expect("said", "back")
}
