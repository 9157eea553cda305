package brokertest_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestMemory(t *testing.T) {
	var service brokertest.Memory
	brokertest.Run(t, brokertest.Service{
		Connect: func(*testing.T) socketio.Broker { return service.Connect() },
		Stop:    service.Stop,
		Start:   service.Start,
	})
}
