package limits_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// DISCONNECT packets count for EventRate.
func TestDisconnectsCountAsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"*"}, Limits: socketio.Limits{EventRate: 10}})
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		for range 9 {
			_ = p.Client.Send("0")
			_ = p.Client.Send("1")
		}
		synctest.Wait()
		require.Positive(t, srv.Stats().LimitHits["EventRate"])
	})
}
