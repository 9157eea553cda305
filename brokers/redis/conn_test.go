package redis_test

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/brokers/redis"
)

// An answer that arrives slowly arrives whole; the deadline ends one that stops.
func TestReaderConnectionFollowsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ours, theirs := net.Pipe()
		conn, err := redis.Closing(ctx, func(context.Context, string, string) (net.Conn, error) { return ours, nil })(ctx, "", "")
		require.NoError(t, err)
		go func() {
			for range 10 {
				time.Sleep(3 * time.Second)
				_, _ = theirs.Write([]byte("byte"))
			}
		}()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
		_, err = io.ReadFull(conn, make([]byte, 40))
		require.NoError(t, err)
		last := time.Now()
		_, err = conn.Read(make([]byte, 1))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, 5*time.Second, time.Since(last))

		require.NoError(t, conn.SetReadDeadline(time.Time{}))
		time.AfterFunc(time.Hour, cancel)
		_, err = conn.Read(make([]byte, 1))
		assert.ErrorIs(t, err, io.ErrClosedPipe, "the context has ended")
		assert.NoError(t, conn.Close())
	})
}
