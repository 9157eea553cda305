package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestSignUpAndLogin(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		b := &browser{site: s}
		assert.Equal(t, "/signup", b.get("/").Header().Get("Location"))
		for _, path := range []string{"/login", "/signup"} {
			w := b.get(path)
			assert.Equal(t, http.StatusOK, w.Code)
			assert.Contains(t, w.Body.String(), `action="`+path+`"`)
			assert.Equal(t, 1, strings.Count(w.Body.String(), "<button"), "Enter does what the one button says")
		}
		for _, wrong := range []struct {
			path, user, password string
			want                 error
		}{
			{"/signup", "a", "long enough", errUserName},
			{"/signup", "ann bob", "long enough", errUserName},
			{"/signup", "ann", "short", errPassword},
			{"/signup", "ann", strings.Repeat("x", 73), errPassword},
			{"/login", "ann", "long enough", errWrong},
			{"/login", "a b", "long enough", errWrong},
		} {
			w := b.post(wrong.path, wrong.user, wrong.password)
			assert.Equal(t, http.StatusUnprocessableEntity, w.Code, wrong)
			assert.Contains(t, w.Body.String(), wrong.want.Error())
			assert.Contains(t, w.Body.String(), `action="`+wrong.path+`"`)
		}
		require.Equal(t, http.StatusSeeOther, b.post("/signup", " Ann ", "correct horse").Code)
		require.NotNil(t, b.cookie)
		assert.True(t, b.cookie.HttpOnly)
		assert.Equal(t, http.SameSiteLaxMode, b.cookie.SameSite)
		assert.Equal(t, http.StatusOK, b.get("/").Code)
		assert.Equal(t, "/", b.get("/login").Header().Get("Location"))
		assert.Equal(t, "/", b.get("/signup").Header().Get("Location"))
		assert.Contains(t, b.post("/signup", "ANN", "something else").Body.String(), errUserTaken.Error())

		other := &browser{site: s}
		assert.Contains(t, other.post("/login", "ann", "wrong horse").Body.String(), errWrong.Error())
		require.Equal(t, http.StatusSeeOther, other.post("/login", "ann", "correct horse").Code)
		assert.NotEqual(t, b.cookie.Value, other.cookie.Value)
		assert.Equal(t, "ann", other.open().sync(nil).Me.User)
		other.post("/logout", "", "")
		assert.Equal(t, "/login", other.get("/").Header().Get("Location"), "the browser has been here")
	})
}

// The form shows again what was entered: as text.
func TestLoginEscapes(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		body := (&browser{site: s}).post("/login", `"><script>alert(1)</script>`, "long enough").Body.String()
		assert.NotContains(t, body, "<script>")
		assert.Contains(t, body, "&lt;script&gt;")
	})
}

func TestAttemptsAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.signUp("ann")
		b := &browser{site: s}
		for range tries - 1 {
			require.Equal(t, http.StatusUnprocessableEntity, b.post("/login", "ann", "a guess, another").Code)
		}
		assert.Equal(t, http.StatusTooManyRequests, b.post("/login", "ann", "password of ann").Code)
		time.Sleep(triesEvery)
		assert.Equal(t, http.StatusSeeOther, b.post("/login", "ann", "password of ann").Code)
	})
}

func TestAddress(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["X-Forwarded-For"] = []string{"1.1.1.1, 2.2.2.2", "3.3.3.3"}
	assert.Equal(t, "192.0.2.1", new(app).address(r))
	assert.Equal(t, "3.3.3.3", (&app{cfg: config{behindProxy: true}}).address(r))
	r.Header.Del("X-Forwarded-For")
	assert.Equal(t, "192.0.2.1", (&app{cfg: config{behindProxy: true}}).address(r))
}

// Hashing passwords must not take all cores from those who chat.
func TestHashesAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		for range hashesAtOnce {
			s.app.hashing <- struct{}{}
		}
		b := &browser{site: s}
		began := time.Now()
		w := b.post("/signup", "ann", "long enough")
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
		assert.Equal(t, 5*time.Second, time.Since(began))
		<-s.app.hashing
		assert.Equal(t, http.StatusSeeOther, b.post("/signup", "ann", "long enough").Code)
	})
}

// What other sites can make a browser do must not work here.
func TestOtherSites(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		ann := s.signUp("ann")
		for _, path := range []string{"/login", "/signup", "/logout"} {
			r := httptest.NewRequest("POST", path, strings.NewReader("user=ann&password=password+of+ann"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			assert.Equal(t, http.StatusForbidden, ann.do(r).Code, path)
		}
		opts := ann.options()
		opts.Header = http.Header{"Origin": {"https://evil.example"}}
		_, err := socketiotest.TryConnect(t, s.web, opts)
		var refused *socketiotest.HTTPError
		require.ErrorAs(t, err, &refused)
		opts.Header.Set("Origin", "http://server.test")
		_, err = socketiotest.TryConnect(t, s.web, opts)
		require.NoError(t, err)
	})
}

func TestNoSession(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		for _, cookies := range [][]*http.Cookie{nil, {{Name: "chat", Value: "forged"}}} {
			_, err := socketiotest.TryConnect(t, s.web, &socketiotest.Options{Cookies: cookies})
			var refused *socketiotest.ConnectError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, errLogin.Message, refused.Message)
		}
	})
}

// A logout ends all tabs of the browser, and nothing else.
func TestLogout(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		here := s.signUp("ann")
		there := &browser{site: s}
		there.post("/login", "ann", "password of ann")
		tabs, elsewhere := []*tab{here.open(), here.open()}, there.open()
		old := here.cookie

		assert.Equal(t, "/login", here.post("/logout", "", "").Header().Get("Location"))
		for _, tab := range tabs {
			assert.Equal(t, "io server disconnect", tab.WaitDisconnect())
		}
		assert.Nil(t, here.cookie)
		assert.True(t, elsewhere.Connected())
		_, err := socketiotest.TryConnect(t, s.web, &socketiotest.Options{Cookies: []*http.Cookie{old}})
		require.Error(t, err)
	})
}

// A socket that connects while its session is being ended is not found by
// logout: its first event ends it. Likewise when the session expires.
func TestSessionEndsMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		ann := s.signUp("ann")
		first := socketiotest.Connect(t, s.web, ann.options())
		require.NoError(t, s.app.store.sweepSessions())
		require.NoError(t, s.app.srv.LeaveRoom(first.ID(), sessionRoom(ann.cookie.Value))) // not yet there
		ann.post("/logout", "", "")
		assert.True(t, first.Connected())
		first.Emit("sync", known{})
		assert.Equal(t, "io server disconnect", first.WaitDisconnect())

		ann.post("/login", "ann", "password of ann")
		tab := ann.open()
		time.Sleep(sessionLife + time.Second)
		tab.Emit("rooms")
		assert.Equal(t, "io server disconnect", tab.WaitDisconnect())
		require.NoError(t, s.app.store.sweepSessions())
		left, err := s.app.store.keys(sessionsBucket, nil)
		require.NoError(t, err)
		assert.Empty(t, left)
	})
}

// Whoever logs in as somebody else is not who they were in the other tabs.
func TestLoginAsSomebodyElse(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		b := s.signUp("ann")
		s.signUp("bob")
		tab, before := b.open(), b.cookie.Value
		require.Equal(t, http.StatusSeeOther, b.post("/login", "bob", "password of bob").Code)
		assert.Equal(t, "io server disconnect", tab.WaitDisconnect())
		assert.NotEqual(t, before, b.cookie.Value)
		assert.Equal(t, "bob", b.open().sync(nil).Me.User)
	})
}

// The database holds neither passwords nor tokens.
func TestNoSecretsInTheDatabase(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		ann := s.signUp("ann")
		content, err := os.ReadFile(s.cfg.db)
		require.NoError(t, err)
		assert.True(t, bytes.Contains(content, []byte("ann")))
		assert.False(t, bytes.Contains(content, []byte("password of ann")))
		assert.False(t, bytes.Contains(content, []byte(ann.cookie.Value)))
	})
}

func TestRun(t *testing.T) {
	cfg := config{db: t.TempDir() + "/chat.db"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, run(ctx, "127.0.0.1:0", cfg))
	require.ErrorContains(t, run(t.Context(), "127.0.0.1:-1", cfg), "-addr")
	require.ErrorContains(t, run(t.Context(), "127.0.0.1:0", config{db: t.TempDir()}), "-db")
	require.ErrorContains(t, run(t.Context(), "127.0.0.1:0", config{clientDir: t.TempDir()}), "-client-dir")

	synctest.Test(t, func(t *testing.T) { // another process has the database
		other, err := openStore(cfg.db)
		require.NoError(t, err)
		defer other.close()
		_, err = openStore(cfg.db)
		require.ErrorContains(t, err, "another process uses it")
	})
}

func TestPages(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		ann := s.signUp("ann")
		page := ann.get("/")
		assert.Contains(t, page.Header().Get("Content-Security-Policy"), "default-src 'none'")
		for _, path := range []string{"/static/chat.css", "/static/chat.js"} {
			assert.Contains(t, page.Body.String(), path)
			assert.Equal(t, http.StatusOK, ann.get(path).Code, path)
		}
		if s.app.cfg.clientDir == "" {
			assert.Contains(t, page.Body.String(), clientCDN)
			assert.Contains(t, page.Body.String(), clientIntegrity)
		} else {
			assert.Equal(t, http.StatusOK, ann.get("/client/"+clientFile).Code)
		}
		assert.Equal(t, http.StatusNotFound, ann.get("/chat.db").Code)
		for _, name := range []string{"static/chat.js", "static/view.js"} { // messages are other people's input
			script, err := static.ReadFile(name)
			require.NoError(t, err)
			for _, banned := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("} {
				assert.NotContains(t, string(script), banned, name)
			}
		}
	})
}
