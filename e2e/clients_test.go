package e2e

import (
	"net/http"
	"testing"
)

// TestClients runs every script with clients of several generations over every
// transport.
func TestClients(t *testing.T) {
	enable(t)
	t.Parallel()
	all := []string{"events", "binary", "namespaces", "rooms", "large", "order", "disconnect", "volatile"}
	for _, client := range []struct {
		name    string
		scripts []string
	}{
		{"socket.io-client-3", all},
		{"socket.io-client-4", all},
		{"socket.io-client-4-0", []string{"events", "binary", "namespaces", "order"}},
		{"socket.io-client-4-5", []string{"events", "binary", "namespaces", "order"}},
	} {
		for _, transport := range []string{"polling", "websocket", "upgrade"} {
			for _, script := range client.scripts {
				t.Run(client.name+"/"+transport+"/"+script, func(t *testing.T) {
					t.Parallel()
					var wraps []func(http.Handler) http.Handler
					if transport == "upgrade" && script == "order" {
						wraps = append(wraps, lateUpgrade)
					}
					server := serve(t, "127.0.0.1:0", wraps...)
					startScript(t, script, "SERVER_URL="+server.url(), "CLIENT="+client.name, "TRANSPORT="+transport)
				})
			}
		}
	}
}

// TestRestart restarts the server under a client, which must come back.
func TestRestart(t *testing.T) {
	enable(t)
	t.Parallel()
	for _, client := range []string{"socket.io-client-3", "socket.io-client-4"} {
		for _, transport := range []string{"polling", "websocket", "upgrade"} {
			t.Run(client+"/"+transport, func(t *testing.T) {
				t.Parallel()
				server := serve(t, "127.0.0.1:0")
				script := startScript(t, "reconnect", "SERVER_URL="+server.url(), "CLIENT="+client, "TRANSPORT="+transport)
				script.expect("connected")
				server.stop()
				script.expect("disconnected")
				serve(t, server.addr)
				script.expect("reconnected")
			})
		}
	}
}
