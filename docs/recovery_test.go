package docs

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// recovery.md, "Which clients take part".
func TestRecoveryForSomeClients(t *testing.T) {
	srv := socketio.NewServer(&socketio.Options{Recovery: &socketio.Recovery{
		For: func(r *http.Request) bool { return r.URL.Query().Get("recover") == "1" },
	}})
	t.Cleanup(func() { _ = srv.Close() })
	for query, want := range map[string]bool{"": false, "1": true} {
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Query: map[string][]string{"recover": {query}}})
		c.Drop()
		require.Equal(t, want, c.Reconnect().Recovered())
	}
}
