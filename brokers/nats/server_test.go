package nats_test

import (
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// natsServer is a NATS server in the process of the test.
type natsServer struct {
	t    testing.TB
	opts server.Options

	mu     sync.Mutex
	server *server.Server
}

// startNATS starts a server on a free port of 127.0.0.1. It has the same port when it is stopped
// and started again.
func startNATS(t testing.TB, opts *server.Options) *natsServer {
	t.Helper()
	s := &natsServer{t: t}
	if opts != nil {
		s.opts = *opts
	}
	s.opts.Host, s.opts.Port = "127.0.0.1", server.RANDOM_PORT
	s.opts.NoLog, s.opts.NoSigs = true, true
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Start starts the server, and waits until it answers.
func (s *natsServer) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	opts := s.opts
	srv, err := server.NewServer(&opts)
	require.NoError(s.t, err)
	srv.Start()
	require.True(s.t, srv.ReadyForConnections(20*time.Second), "the server does not start")
	s.opts.Port = srv.Addr().(*net.TCPAddr).Port
	s.server = srv
}

// Stop ends the server, which closes all connections.
func (s *natsServer) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
		s.server = nil
	}
}

func (s *natsServer) addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.opts.Port))
}

func (s *natsServer) url() string { return "nats://" + s.addr() }

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
