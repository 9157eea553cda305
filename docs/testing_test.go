package docs_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func newChat() *socketio.Server {
	srv := socketio.NewServer(nil)
	srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
	srv.On("say", func(c *socketio.Context, room, text string) error {
		return c.Emit("said", text, socketio.To(room), socketio.SkipSelf())
	})
	srv.On("add", func(c *socketio.Context, a, b int) int { return a + b })
	return srv
}

func TestChat(t *testing.T) {
	srv := newChat()
	ann := socketiotest.Connect(t, srv, nil)
	bob := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: socketiotest.Polling})

	bob.Call("join", "den") // waits for the acknowledgement
	ann.Emit("say", "den", "hello")
	bob.Expect("said", "hello")
	ann.ExpectNothing()

	var sum int
	ann.Call("add", 1, 2).Bind(&sum)
	if sum != 3 {
		t.Error(sum)
	}
}

// newSite is a site with a login, and a server for those who are logged in.
func newSite() http.Handler {
	srv, site := socketio.NewServer(nil), http.NewServeMux()
	srv.On("connect", func(c *socketio.Context) error {
		cookie, err := c.Request().Cookie("session")
		if err != nil {
			return &socketio.Error{Message: "log in first"}
		}
		return c.Emit("hello", cookie.Value)
	})
	site.Handle("/socket.io/", srv)
	site.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: r.FormValue("user"), HttpOnly: true})
	})
	return site
}

func TestLogin(t *testing.T) {
	site := newSite()
	_, err := socketiotest.TryConnect(t, site, nil)
	assert.ErrorContains(t, err, "log in first")

	login := httptest.NewRecorder()
	site.ServeHTTP(login, httptest.NewRequest("POST", "/login?user=ann", nil))
	ann := socketiotest.Connect(t, site, &socketiotest.Options{Cookies: login.Result().Cookies()})
	ann.Expect("hello", "ann")
}

func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := make(chan socketio.Reason, 1)
		srv := socketio.NewServer(nil)
		srv.On("disconnect", func(c *socketio.Context, reason socketio.Reason) { why <- reason })
		socketiotest.Connect(t, srv, &socketiotest.Options{IgnorePings: true})
		if reason := <-why; reason != socketio.ReasonPingTimeout { // 45 s later
			t.Error(reason)
		}
	})
}

func TestComeBack(t *testing.T) {
	srv := socketio.NewServer(&socketio.Options{Recovery: &socketio.Recovery{}})
	ann := socketiotest.Connect(t, srv, nil)
	ann.Drop()
	if err := srv.Emit("news", "while you were away"); err != nil {
		t.Fatal(err)
	}
	back := ann.Reconnect()
	back.Expect("news", "while you were away")
	if !back.Recovered() {
		t.Error("it has a new session")
	}
}
