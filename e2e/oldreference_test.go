package e2e

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// observeOld returns what a client observes of a server, by what it looked at.
func observeOld(t *testing.T, url, client, allowed string) map[string]string {
	t.Helper()
	script := startScript(t, "old-observe", "SERVER_URL="+url, "CLIENT="+client, "ALLOWED="+allowed)
	script.wait()
	all := make(map[string]string)
	for line := range script.words {
		what, value, _ := strings.Cut(line, ": ")
		all[what] = value
	}
	require.NotEmpty(t, all)
	return all
}

// startReference starts npm's socket.io, with allowEIO3 unless that is "no".
func startReference(t *testing.T, allow string) (url string) {
	t.Helper()
	server := startScript(t, "old-reference", "ALLOW="+allow)
	t.Cleanup(func() { _ = server.stdin.Close() }) // before the script is waited for
	return server.next("its URL")
}

// TestOldClientsAreRefused has old clients connect where the option is off: they observe the same of both servers.
func TestOldClientsAreRefused(t *testing.T) {
	enable(t)
	t.Parallel()
	reference := startReference(t, "no")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := socketio.NewServer(nil)
	r := &running{t, listener.Addr().String(), srv, &http.Server{Handler: srv, ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = r.web.Serve(listener) }()
	t.Cleanup(r.stop)
	for _, client := range oldClients {
		assert.Equal(t, observeOld(t, reference, client, "no"), observeOld(t, r.url(), client, "no"), client)
	}
}
