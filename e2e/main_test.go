package e2e

import (
	"os"
	"testing"

	"github.com/seed-d124fa34/socketio/e2e/recovery"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

// programs are the servers that this test binary runs, instead of the tests, if programEnv
// names one of them.
var programs = map[string]func(){
	"numbers":   numbersProgram,
	"broadcast": broadcastProgram,
	"queue":     queueProgram,
	"nats":      natsProgram,
}

const programEnv = "E2E_PROGRAM"

func TestMain(m *testing.M) {
	if recovery.IsProgram() {
		if err := recovery.Program(); err != nil {
			panic(err)
		}
		return
	}
	if program := programs[os.Getenv(programEnv)]; program != nil {
		program()
		return
	}
	leakcheck.Main(m)
}
