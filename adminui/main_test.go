package adminui_test

import (
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/adminui"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const password = "correct horse"

var hash = func() string {
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(h)
}()

var silent = slog.New(slog.DiscardHandler)

// bubble runs a test with a server and its admin namespace.
func bubble(t *testing.T, opts adminui.Options, f func(t *testing.T, srv *socketio.Server, ui *adminui.UI)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		f(t, srv, instrument(t, srv, opts))
	})
}

func instrument(t *testing.T, srv *socketio.Server, opts adminui.Options) *adminui.UI {
	t.Helper()
	if !opts.InsecureNoAuth {
		opts.Username, opts.PasswordHash = "admin", hash
	}
	opts.Logger = silent
	ui, err := adminui.Instrument(srv, opts)
	require.NoError(t, err)
	t.Cleanup(ui.Close)
	return ui
}

type auth = map[string]any

func credentials() auth { return auth{"username": "admin", "password": password} }

// tryLogin connects to the admin namespace.
func tryLogin(t *testing.T, srv *socketio.Server, a any) (*socketiotest.Client, error) {
	t.Helper()
	return socketiotest.TryConnect(t, srv, &socketiotest.Options{Namespace: "/admin", Auth: a})
}

func refused(t *testing.T, srv *socketio.Server, a any, message string) {
	t.Helper()
	_, err := tryLogin(t, srv, a)
	var e *socketiotest.ConnectError
	require.ErrorAs(t, err, &e)
	require.Equal(t, message, e.Message)
}

// page is a page that is logged in and has been told how things are.
func page(t *testing.T, srv *socketio.Server) *socketiotest.Client {
	t.Helper()
	c, err := tryLogin(t, srv, credentials())
	require.NoError(t, err)
	c.Received()
	return c
}

// received returns the events that a page has got, but server_stats and times.
func received(t *testing.T, c *socketiotest.Client) []string {
	t.Helper()
	synctest.Wait()
	var all []string
	for _, e := range c.Received() {
		if e.Name == "server_stats" {
			continue
		}
		values := e.Values()
		if n := len(values); n > 0 {
			if s, ok := values[n-1].(string); ok {
				if _, err := time.Parse(time.RFC3339, s); err == nil {
					values = values[:n-1]
				}
			}
		}
		text, err := json.Marshal(values)
		require.NoError(t, err)
		all = append(all, e.Name+string(text))
	}
	return all
}
