// Package limits_test checks what happens to a client that exceeds what it may do, and that others do not notice.
package limits_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
