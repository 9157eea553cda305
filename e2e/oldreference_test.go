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

// startObserving starts a client that observes a server.
func startObserving(t *testing.T, url, client, allowed string) *script {
	t.Helper()
	return startScript(t, "old-observe", "SERVER_URL="+url, "CLIENT="+client, "ALLOWED="+allowed)
}

// observations returns what the client has observed, by what it looked at.
func observations(t *testing.T, script *script) map[string]string {
	t.Helper()
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
	t.Cleanup(func() { _ = server.stdin.Close() }) // runs before the clean-up that waits for the script
	return server.next("its URL")
}

// oldDifferences lists where old clients observe something else than with the reference server, and why.
var oldDifferences = map[string]struct{ reference, ours, why string }{
	"open packet": {
		`{"sid":"SID","upgrades":["websocket"],"pingInterval":400,"pingTimeout":60000,"maxPayload":1000000}`,
		`{"sid":"SID","upgrades":["websocket"],"pingTimeout":60000,"pingInterval":400}`,
		"maxPayload is of revision 4, and the order that of Flask-SocketIO",
	},
	"POST of a wrong length": {
		"200 text/html ok", `400 application/json {"code":3,"message":"Bad request"}`,
		"both end the session; ours says why",
	},
	"text that is not ASCII": {
		`200 text/plain; charset=UTF-8 "8:431[\"Ã©\"]"`, `200 application/octet-stream "\u0000\tÿ431[\"Ã©\"]"`,
		"clients of version 1 misread it in plain text, and with the reference server lose their connection",
	},
	"base64, text that is not ASCII": {
		`200 text/plain; charset=UTF-8 "8:432[\"Ã©\"]"`, `200 text/plain; charset=UTF-8 "13:432[\"\\u00e9\"]"`, "likewise",
	},
	"PONG to a PING with data": {
		`200 text/plain; charset=UTF-8 "1:3"`, `200 text/plain; charset=UTF-8 "6:3probe"`,
		"the protocol's document has the same data in the answer",
	},
	"a script": {
		`200 text/plain; charset=UTF-8 "___eio[3](\"14:433[\\\"a\\\\nb</\\u2028\\\"]\");"`,
		`200 text/javascript; charset=UTF-8 "___eio[3](\"19:433[\\\"a\\\\nb\\u003c/\\\\u2028\\\"]\");"`,
		"a script that says it is one, and cannot end the element that it stands in; its text is ASCII",
	},
	"PONG of the client": {
		"200 text/html ok", `400 application/json {"code":3,"message":"Bad request"}`,
		"both end the session; ours says why",
	},
	"a poll after CLOSE": {
		`400 application/json "{\"code\":1,\"message\":\"Session ID unknown\"}"`, `200 text/plain; charset=UTF-8 "1:6"`,
		"a poll that was on its way is no error",
	},
	"a poll after CONNECT for /": {
		`200 text/plain; charset=UTF-8 "1:61:1"`, `200 text/plain; charset=UTF-8 "5:430[]"`,
		"the reference server closes the connection of a client that asks for what it has been given; ours bears it",
	},
}

// TestOldClientsObserveTheSame has clients of Socket.IO 2 do the same with the reference server and with ours, and compares
// what goes over the wire. Clients of Socket.IO 1 lose their connection to the reference server with the first text that is not ASCII.
func TestOldClientsObserveTheSame(t *testing.T) {
	enable(t)
	t.Parallel()
	reference := startReference(t, "yes")
	for _, client := range oldClients[1:] {
		t.Run(client, func(t *testing.T) {
			// The recordings leave out PINGs, so nothing may take longer than a session lives without them.
			srv := socketio.NewServer(&socketio.Options{AllowEIO3: true, PingInterval: 400 * time.Millisecond, PingTimeout: time.Minute})
			oldHandlers(srv)
			our, their := startObserving(t, serveOldPages(t, "127.0.0.1:0", srv).url(), client, "yes"), startObserving(t, reference, client, "yes")
			ours, theirs := observations(t, our), observations(t, their)
			assert.Len(t, ours, len(theirs))
			for what, want := range theirs {
				if d, ok := oldDifferences[what]; ok {
					assert.Equal(t, d.reference, want, "the reference: %s", what)
					want = d.ours
				}
				assert.Equal(t, want, ours[what], what)
			}
			for what := range oldDifferences {
				assert.Contains(t, theirs, what)
			}
		})
	}
}

// TestOldClientsAreRefused connects old clients to servers without the option: they observe the same with both servers.
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
		theirs, ours := startObserving(t, reference, client, "no"), startObserving(t, r.url(), client, "no")
		assert.Equal(t, observations(t, theirs), observations(t, ours), client)
	}
}
