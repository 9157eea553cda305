package brokertest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

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

func TestHistory(t *testing.T) {
	service := &brokertest.Memory{Keep: 20_000}
	s := brokertest.Service{
		Connect: func(*testing.T) broker.Broker { return service.Connect() },
		Stop:    service.Stop,
		Start:   service.Start,
	}
	brokertest.Run(t, s)
	brokertest.RunHistory(t, brokertest.HistoryService{Service: s, Forget: service.Forget})
	brokertest.RunRecords(t, s)
}

// The newest messages are kept.
func TestMemoryKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := (&brokertest.Memory{Keep: 3}).Connect().(broker.History)
		defer b.Close()
		read := func(after broker.Position) (at broker.Position, got string, gap error) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_ = b.SubscribeAfter(ctx, after, []string{"c"}, broker.Subscriber{
				Ready: func(p broker.Position) {
					at = p
					cancel()
				},
				Gap:    func(err error) { gap = err },
				Handle: func(m broker.Message) { got += string(m.Data) },
			})
			return at, got, gap
		}
		start, _, _ := read("")
		for i := range 3 {
			require.NoError(t, b.Publish(t.Context(), "c", fmt.Append(nil, i)))
		}
		_, got, gap := read(start)
		require.NoError(t, gap)
		require.Equal(t, "012", got)
		require.NoError(t, b.Publish(t.Context(), "c", []byte("3")))
		_, got, gap = read(start)
		require.ErrorIs(t, gap, broker.ErrGap)
		require.ErrorContains(t, gap, "Memory.Keep")
		require.Equal(t, "123", got)
	})
}
