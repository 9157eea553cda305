package prometheus_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
)

func TestBrokerIsObserved(t *testing.T) {
	memory := new(brokertest.Memory)
	memory.Stop()
	r := newRig(t, &socketio.Options{Cluster: socketio.ClusterOptions{Broker: memory.Connect()}})
	r.expect(map[string]string{
		"socketio_broker_connected":              "0",
		"socketio_broker_queue_messages":         "0",
		"socketio_broker_messages_ignored_total": "0",
	})
	memory.Start()
	r.eventually("socketio_broker_connected", "1")
	require.NoError(t, r.srv.Emit("news", nil))
	r.eventually("socketio_broker_messages_published_total", "1")
	memory.Stop()
	r.eventually("socketio_broker_connected", "0")
	r.expect(map[string]string{"socketio_broker_outages_total": "1"})
}

func (r *rig) eventually(series, value string) {
	r.t.Helper()
	assert.Eventually(r.t, func() bool { return r.scrape()[series] == value }, 20*time.Second, 5*time.Millisecond, "%s %s", series, value)
}
