// Package outages_test checks what servers do while their broker is away, and after that.
package outages_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
