package docs_test

import (
	"net/http"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Clients that leave out the slash at the end are served, and not redirected.
func TestMounting(t *testing.T) {
	srv := socketio.NewServer(nil)
	defer srv.Close()
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.Handle("/socket.io", srv)
	for name, h := range map[string]http.Handler{"mux": mux, "Handler": srv.Handler(http.NotFoundHandler())} {
		for _, path := range []string{"/socket.io/", "/socket.io"} {
			t.Run(name+" "+path, func(t *testing.T) {
				tr := eiotest.Serve(t, h, nil)
				client := &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
				resp, err := client.Get("http://server.test" + path + "?EIO=4&transport=polling")
				require.NoError(t, err)
				resp.Body.Close()
				require.Equal(t, http.StatusOK, resp.StatusCode)
				c, _, err := websocket.Dial(t.Context(), "ws://server.test"+path+"?EIO=4&transport=websocket", &websocket.DialOptions{HTTPClient: client})
				require.NoError(t, err)
				require.NoError(t, c.CloseNow())
			})
		}
	}
}
