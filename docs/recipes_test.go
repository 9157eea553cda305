package docs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// The recipes of from-flask-socketio.md.

func TestMount(t *testing.T) {
	addr, srv := "127.0.0.1:5000", socketio.NewServer(nil)
	app := http.NewServeMux()
	app.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "the page") })
	web := &http.Server{Addr: addr, Handler: srv.Handler(app), ReadHeaderTimeout: 10 * time.Second}

	assert.Equal(t, "the page\n", request(web.Handler, "GET", "/").Body.String())
	socketiotest.Connect(t, web.Handler, nil)
}

func request(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestEmitFromHTTP(t *testing.T) {
	srv, mux := socketio.NewServer(nil), http.NewServeMux()
	mux.HandleFunc("POST /news", func(w http.ResponseWriter, r *http.Request) {
		if err := srv.Emit("news", r.FormValue("text"), socketio.To("subscribers")); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})

	ann := socketiotest.Connect(t, srv, nil)
	require.NoError(t, srv.JoinRoom(ann.ID(), "subscribers"))
	assert.Equal(t, http.StatusOK, request(mux, "POST", "/news?text=rain").Code)
	ann.Expect("news", "rain")
}

func TestRefuse(t *testing.T) {
	srv := socketio.NewServer(nil)
	srv.On("connect", func(c *socketio.Context, auth struct{ Token string }) error {
		if auth.Token != "secret" {
			return &socketio.Error{Message: "not authorized", Data: map[string]any{"retry": false}}
		}
		c.Session().Set("ip", c.Request().RemoteAddr)
		return nil
	})

	_, err := socketiotest.TryConnect(t, srv, nil)
	var refused *socketiotest.ConnectError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "not authorized", refused.Message)
	assert.JSONEq(t, `{"retry":false}`, string(refused.Data))
	ann := socketiotest.Connect(t, srv, &socketiotest.Options{Auth: map[string]string{"token": "secret"}, RemoteIP: "192.0.2.7"})
	assert.Contains(t, srv.Socket(ann.ID()).Session().Get("ip"), "192.0.2.7:")
}

var srv = socketio.NewServer(&socketio.Options{
	Session: func(r *http.Request) map[string]any {
		return map[string]any{"user": r.Context().Value(userKey{})}
	},
})

func whoAmI(c *socketio.Context) (string, error) {
	user, _ := socketio.SessionValue[string](c.Session(), "user")
	return user, nil
}

func TestSessionUser(t *testing.T) {
	srv.On("whoami", whoAmI)
	site := requireUser(func(r *http.Request) (string, bool) { return "ann", true }, srv)
	assert.Equal(t, `["ann"]`, socketiotest.Connect(t, site, nil).Call("whoami").String())
}

func TestAsk(t *testing.T) {
	srv := socketio.NewServer(nil)
	srv.On("poll", func(c *socketio.Context, room string) error {
		ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
		defer cancel()
		name, err := socketio.Call[string](ctx, c, "your name?", nil)
		if err != nil {
			return err
		}
		replies, err := c.Namespace().Call(ctx, "yes or no?", name, socketio.To(room), socketio.Skip(c.ID()))
		for _, reply := range replies { // those who answered, also if err says that others did not
			var yes bool
			if err := reply.Bind(&yes); err != nil {
				return err
			}
		}
		return err
	})

	answer := func(with any) *socketiotest.Client {
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Answer: func(socketiotest.Event) []any { return []any{with} }})
		require.NoError(t, srv.JoinRoom(c.ID(), "den"))
		return c
	}
	ann, bob, eve := answer("Ann"), answer(true), answer(false)
	assert.Zero(t, ann.Call("poll", "den").Len())
	ann.Expect("your name?")
	bob.Expect("yes or no?", "Ann")
	eve.Expect("yes or no?", "Ann")
	assert.Empty(t, ann.Received())
}

func TestErrorHandlers(t *testing.T) {
	srv := socketio.NewServer(nil)
	srv.Namespace("/chat").OnError(func(c *socketio.Context, err error) any {
		return map[string]string{"error": "that did not work"} // what the client gets as acknowledgement
	})
	srv.OnError(func(c *socketio.Context, err error) any {
		slog.Error("handler failed", "event", c.Event(), "error", err)
		return err // logged, and not acknowledged
	})

	for _, name := range []string{"/", "/chat"} {
		srv.Namespace(name).On("fail", func(*socketio.Context) error { return errors.New("no") })
		srv.Namespace(name).On("then", func(*socketio.Context) {})
	}
	ann := socketiotest.Connect(t, srv, nil)
	assert.Equal(t, `[{"error":"that did not work"}]`, ann.Join("/chat", nil).Call("fail").String())
	ann.Emit("fail", func(socketiotest.Args) { t.Error("it is acknowledged") })
	ann.Call("then")
}

func TestAdd(t *testing.T) {
	srv := socketio.NewServer(nil)
	srv.On("add", func(c *socketio.Context, a, b int) (int, error) { return a + b, nil })

	client := socketiotest.Connect(t, srv, nil)
	var sum int
	client.Call("add", 1, 2).Bind(&sum)
	if sum != 3 {
		t.Errorf("1 + 2 is %d", sum)
	}
}
