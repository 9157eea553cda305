package flask_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio/internal/behaviour"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// The tables leave nothing out, and the tests they name exist.
func TestFlaskBehaviourTables(t *testing.T) {
	behaviour.CheckTable(t, flaskBehaviours, behaviour.Numbers("%02d", 42))
	behaviour.CheckTable(t, pythonBehaviours, behaviour.Numbers("P%02d", 40))
	behaviour.CheckTable(t, engineBehaviours, behaviour.Numbers("E%02d", 25))
}
