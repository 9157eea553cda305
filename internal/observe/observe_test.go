package observe_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/observe"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// Every metric has its first value before anything has happened, so that series
// exist before the first time; those of the broker and of recovery only where there is one.
func TestEveryMetricIsRead(t *testing.T) {
	for _, opts := range []*socketio.Options{nil, {Recovery: new(socketio.Recovery), Cluster: socketio.ClusterOptions{Broker: new(brokertest.Memory).Connect()}}} {
		srv := socketio.NewServer(opts)
		defer srv.Shutdown(t.Context())
		srv.On("say", func(*socketio.Context) {})
		got := map[string]map[string]bool{}
		observe.Read(srv, func(m *observe.Metric, label string, value int64) {
			if got[m.Name] == nil {
				got[m.Name] = map[string]bool{}
			}
			assert.False(t, got[m.Name][label], "%s %q twice", m.Name, label)
			got[m.Name][label] = true
			assert.Equal(t, m.Label == "", label == "", m.Name)
			assert.GreaterOrEqual(t, value, int64(0), m.Name)
		})
		if opts != nil {
			assert.Equal(t, map[string]bool{"in": true, "out": true}, got["recovery.moved"])
		}
		for _, m := range observe.Metrics {
			assert.NotEmpty(t, m.Help, m.Name)
			want := opts != nil || !strings.HasPrefix(m.Name, "broker.") && !strings.HasPrefix(m.Name, "recovery.")
			assert.Equal(t, want, len(got[m.Name]) > 0, m.Name)
		}
	}
}

func TestKind(t *testing.T) {
	for want, err := range map[string]error{
		"panic":      &socketio.PanicError{Value: "x"},
		"arguments":  &socketio.ArgError{},
		"limit":      &socketio.LimitError{},
		"refusal":    &socketio.Error{Message: "no"},
		"no handler": socketio.ErrNoHandler,
		"error":      errors.New("x"),
	} {
		assert.Equal(t, want, observe.Kind(err))
		assert.Equal(t, want, observe.Kind(fmt.Errorf("more: %w", err)))
	}
}
