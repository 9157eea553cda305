package redis_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// Another server takes over when the master dies.
func TestSentinelFailover(t *testing.T) {
	master := startRedis(t)
	host, port, _ := net.SplitHostPort(master.addr)
	replica := startRedis(t, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	require.Eventually(t, func() bool {
		return strings.Contains(replica.do("INFO", "replication"), "master_link_status:up")
	}, 30*time.Second, 20*time.Millisecond)
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	require.NoError(t, os.WriteFile(config, []byte("sentinel monitor mymaster "+host+" "+port+" 1\n"+
		"sentinel down-after-milliseconds mymaster 500\n"), 0o600))
	sentinel := startRedis(t, config, "--sentinel")
	require.Eventually(t, func() bool { // it asks the master every ten seconds only
		return strings.Contains(sentinel.do("SENTINEL", "REPLICAS", "mymaster"), replica.addr)
	}, 30*time.Second, 20*time.Millisecond)

	url := "redis+sentinel://" + sentinel.addr + "/0/mymaster"
	a, b := startServer(t, url), startServer(t, url)
	ann := socketiotest.Connect(t, a, &socketiotest.Options{Timeout: 30 * time.Second})
	bob := socketiotest.Connect(t, b, &socketiotest.Options{Timeout: 30 * time.Second})
	require.NoError(t, a.Emit("before", 1))
	ann.Expect("before", 1)
	bob.Expect("before", 1)

	asks := dialRedis(replica.addr)
	defer asks.Close()
	master.Stop()
	require.Eventually(t, func() bool {
		role, err := asks.Do(t.Context(), "ROLE").Slice() // it fails while connections are cut
		return err == nil && role[0] == "master" && a.BrokerStatus().Outages > 0 && b.BrokerStatus().Outages > 0
	}, 30*time.Second, 20*time.Millisecond)
	connected(t, a)
	connected(t, b)
	require.NoError(t, b.Emit("after", 2))
	ann.Expect("after", 2)
	bob.Expect("after", 2)
	require.NotEqual(t, "0", replica.do("PUBSUB", "NUMSUB", "flask-socketio"))
}

// startServer starts a server on a Redis, and waits until it is connected.
func startServer(t *testing.T, url string) *socketio.Server {
	t.Helper()
	b := newBroker(t, url)
	srv := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: b}, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, srv.Shutdown(ctx))
		require.NoError(t, b.Close())
	})
	connected(t, srv)
	return srv
}

func connected(t *testing.T, srv *socketio.Server) {
	t.Helper()
	require.Eventually(t, func() bool { return srv.BrokerStatus().Connected }, 30*time.Second, 10*time.Millisecond)
}
