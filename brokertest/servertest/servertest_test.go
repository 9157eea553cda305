package servertest_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/brokertest/servertest"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestServers(t *testing.T) {
	service := new(brokertest.Memory)
	servertest.Run(t, brokertest.Service{
		Connect: func(*testing.T) broker.Broker { return service.Connect() },
		Stop:    service.Stop,
		Start:   service.Start,
	})
}
