package e2e

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokers/redis"
	"github.com/seed-d124fa34/socketio/internal/faulty"
)

// TestHistory cuts one of two servers off from Redis for five seconds. The clients of that
// server get everything that the other server emits before, during and after the outage.
func TestHistory(t *testing.T) {
	enable(t)
	t.Parallel()
	_, url := startRedis(t)
	proxy, err := faulty.NewProxy(strings.TrimPrefix(url, "redis://"), 1)
	require.NoError(t, err)
	t.Cleanup(proxy.Close)
	start := func(url string) (*socketio.Server, string) {
		b, err := redis.NewHistory(url, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, b.Close()) })
		srv := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: b}})
		t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
		web := httptest.NewServer(srv)
		t.Cleanup(web.Close)
		require.Eventually(t, func() bool { return srv.BrokerStatus().Connected }, 10*time.Second, 10*time.Millisecond)
		return srv, web.URL
	}
	here, _ := start(url)
	cut, cutURL := start("redis://" + proxy.Addr())

	const phase, pause = 250, 20 * time.Millisecond // of 5 s
	var scripts []*script
	for _, transport := range []string{"websocket", "polling"} {
		s := startScript(t, "missed", "SERVER_URL="+cutURL, "TRANSPORT="+transport, "CLIENTS=5", "EVENTS=300")
		s.expect("ready")
		scripts = append(scripts, s)
	}
	next := 0
	emit := func(n int) {
		for range n {
			require.NoError(t, here.Emit("e", next))
			next++
			time.Sleep(pause)
		}
	}
	emit(25)
	proxy.Refuse(true)
	proxy.Reset()
	require.Eventually(t, func() bool { return !cut.BrokerStatus().Connected }, 10*time.Second, time.Millisecond)
	emit(phase)
	require.False(t, cut.BrokerStatus().Connected)
	proxy.Refuse(false)
	emit(25) // while the server connects again
	for _, s := range scripts {
		s.wait()
	}
	st := cut.BrokerStatus()
	require.GreaterOrEqual(t, st.Replayed, uint64(phase))
	require.Zero(t, st.Gaps)
	require.EqualValues(t, 1, st.Outages)
}
