package e2e

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// TestOldClientsInACluster connects an old client to one server and one of today to another. They are in one room, over Redis,
// and ask each other for acknowledgements.
func TestOldClientsInACluster(t *testing.T) {
	enable(t)
	t.Parallel()
	_, redis := startRedis(t)
	var urls []string
	for range 2 {
		broker, err := newBroker(redis)
		require.NoError(t, err)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		srv := socketio.NewServer(&socketio.Options{AllowEIO3: true, Cluster: socketio.ClusterOptions{Broker: broker}})
		oldHandlers(srv)
		srv.On("ask another", func(c *socketio.Context, sid, q string) (socketio.Args, error) {
			ctx, cancel := context.WithTimeout(c.Context(), 20*time.Second)
			defer cancel()
			reply, err := c.Call(ctx, "question", socketio.Args{q, []byte{1, 2, 3, 4}}, socketio.To(sid))
			return reply.Args(), err
		})
		r := &running{t, listener.Addr().String(), srv, &http.Server{Handler: srv, ReadHeaderTimeout: 10 * time.Second}}
		go func() { _ = r.web.Serve(listener) }()
		t.Cleanup(r.stop)
		assert.Eventually(t, func() bool { return srv.BrokerStatus().Connected }, 20*time.Second, 10*time.Millisecond)
		urls = append(urls, r.url())
	}
	for i, client := range oldClients { // one after the other, because they use the same room
		startScript(t, "old-cluster", "OLD_URL="+urls[0], "NEW_URL="+urls[1], "CLIENT="+client, "TRANSPORT="+everyTransport[i]).wait()
	}
}
