// Package lifecycle_test checks that clients come, go and are cut off in every way and at every moment, and that nothing
// is left of them.
package lifecycle_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
