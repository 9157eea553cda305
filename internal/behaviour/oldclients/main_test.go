// Package oldclients_test checks clients of Socket.IO 1 and 2, which speak revision 3 of Engine.IO and 4 of Socket.IO, on
// a server with Options.AllowEIO3: what differs for them, and that all else is the same.
package oldclients_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
