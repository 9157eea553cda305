package limits_test

import (
	"log/slog"
	"strings"
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

// Clients close the connection when a packet has more than ten attachments: the log says it, once.
func TestTooManyAttachmentsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := new(siotest.Logs)
		srv := siotest.NewServer(t, &socketio.Options{Logger: slog.New(slog.NewTextHandler(out, nil))})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		s := srv.Socket(p.SID)
		bytes := func(n int) (args socketio.Args) {
			for range n {
				args = append(args, []byte{1})
			}
			return args
		}
		require.NoError(t, s.Emit("e", bytes(10)))
		require.NotContains(t, out.String(), "attachments")
		require.NoError(t, s.Emit("e", bytes(11)))
		require.NoError(t, srv.Emit("e", bytes(12)))
		require.Equal(t, 1, strings.Count(out.String(), "attachments was sent"), out.String())
		require.Contains(t, out.String(), "level=WARN")
	})
}
