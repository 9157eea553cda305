package brokertest_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// service is a Memory with an address.
type service struct {
	brokertest.Memory
	URL string
}

var services = map[string]*service{}

func startService(t *testing.T) *service {
	s := &service{URL: "memory://" + t.Name()}
	services[s.URL] = s
	return s
}

func newBroker(_ *testing.T, url string) broker.Broker { return services[url].Connect() }

// As the package documentation shows it.
func TestBroker(t *testing.T) {
	service := startService(t) // the real one, on a free port
	brokertest.Run(t, brokertest.Service{
		Connect: func(t *testing.T) broker.Broker { return newBroker(t, service.URL) },
		Stop:    service.Stop,
		Start:   service.Start,
	})
}

func TestRoundTrip(t *testing.T) { brokertest.RoundTrip(t, new(brokertest.Memory).Connect()) }
