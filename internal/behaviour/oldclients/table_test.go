package oldclients_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio/internal/behaviour"
)

// What the tests of the reference server check with clients of revision 3: those of socket.io (S), and those of engine.io
// that are different for such a client (E).
var promises = []behaviour.Row{
	{"S1", "should connect if `allowEIO3` is true", "TestConnectedWithoutAsking e2e.TestOldClients", ""},
	{"S2", "should be able to connect to a namespace with a query", "TestNamespaceWithQuery e2e.TestOldClients", ""},
	{"S3", "should not connect if `allowEIO3` is false (default)", "TestRefusedByDefault e2e.TestOldClientsAreRefused", ""},

	{"E1", "should disallow unsupported protocol versions", "engineio.TestRevision3IsRefusedByDefault", ""},
	{"E2", "should trigger with connection `ping timeout` after `pingInterval + pingTimeout`", "engineio.TestRevision3PingTimeout", ""},
	{"E3", "should emit when receives pong: the client pings", "engineio.TestRevision3Heartbeat", ""},
	{"E4", "should emit before send pong: the server answers", "engineio.TestRevision3PingWithData engineio.TestRevision3Heartbeat", ""},
	{"E5", "properly encodes a mixed payload", "revision3.TestAppend revision3.TestNextFramed engineio.TestRevision3Messages", ""},
}

func TestPromises(t *testing.T) {
	behaviour.CheckTable(t, promises, append(behaviour.Numbers("S%d", 3), behaviour.Numbers("E%d", 5)...))
}
