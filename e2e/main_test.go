package e2e

import (
	"os"
	"testing"

	"github.com/seed-d124fa34/socketio/e2e/recovery"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

// programs are what this test binary is when programEnv names one of them: a
// server in a process of its own.
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
