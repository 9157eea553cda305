// Package recovery_test checks connection state recovery: that a client which loses its connection and comes back has had
// every event, each once and in order, whatever happened meanwhile.
package recovery_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
