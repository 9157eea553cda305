// Package security_test checks that what only the server and one client may know stays with them.
package security_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
