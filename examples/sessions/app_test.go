package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/socketiotest"
)

// browser is a browser: it keeps its cookie.
type browser struct {
	t      *testing.T
	web    http.Handler
	cookie *http.Cookie
}

// newBrowser returns a browser that has loaded the page of a new app.
func newBrowser(t *testing.T) *browser {
	a := newApp()
	t.Cleanup(func() { assert.NoError(t, a.srv.Shutdown(context.Background())) })
	b := &browser{t: t, web: a.handler()}
	page := b.do("GET", "/", "")
	require.Equal(t, http.StatusOK, page.Code)
	require.NotNil(t, b.cookie, "the page begins a session")
	return b
}

// do sends a request and takes over the cookie of the answer.
func (b *browser) do(method, path, body string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	w := httptest.NewRecorder()
	b.web.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.cookie = c
	}
	return w
}

func (b *browser) post(body string) {
	b.t.Helper()
	require.Equal(b.t, http.StatusNoContent, b.do("POST", "/session", body).Code)
}

func (b *browser) state() (s state) {
	b.t.Helper()
	require.NoError(b.t, json.Unmarshal(b.do("GET", "/session", "").Body.Bytes(), &s))
	return s
}

// connect opens a connection with the cookie of the moment.
func (b *browser) connect(namespace string) *socketiotest.Client {
	return socketiotest.Connect(b.t, b.web, b.options(namespace))
}

func (b *browser) options(namespace string) *socketiotest.Options {
	return &socketiotest.Options{Namespace: namespace, Cookies: []*http.Cookie{b.cookie}}
}

func TestOwnSessionIsShared(t *testing.T) {
	b := newBrowser(t)
	assert.Equal(t, state{"", anonymous}, b.state())
	b.post(`{"session":"from http"}`)

	tab1, tab2 := b.connect("/"), b.connect("/")
	tab1.Emit("get-session")
	tab1.Expect("refresh-session", state{"from http", anonymous})

	// From a socket to HTTP and the other tab.
	tab1.Emit("set-session", change{"session": new("from a socket")})
	tab1.Expect("refresh-session", state{"from a socket", anonymous})
	tab2.Expect("refresh-session", state{"from a socket", anonymous})
	assert.Equal(t, state{"from a socket", anonymous}, b.state())

	// From HTTP to both tabs.
	b.post(`{"session":"from http again"}`)
	tab1.Expect("refresh-session", state{"from http again", anonymous})
	tab2.Expect("refresh-session", state{"from http again", anonymous})

	// Login and logout on the socket.
	tab1.Emit("set-session", change{"user": new("ann")})
	tab1.Expect("refresh-session", state{"from http again", "ann"})
	assert.Equal(t, "ann", b.state().User)
	tab1.Emit("set-session", change{"user": nil})
	tab1.Expect("refresh-session", state{"from http again", anonymous})
	assert.Equal(t, anonymous, b.state().User)
}

func TestManagedSessionIsACopy(t *testing.T) {
	b := newBrowser(t)
	b.post(`{"session":"before"}`)
	managed := b.connect("/managed")
	managed.Emit("get-session")
	managed.Expect("refresh-session", state{"before", anonymous})

	managed.Emit("set-session", change{"session": new("mine")})
	managed.Expect("refresh-session", state{"mine", anonymous})
	managed.Emit("set-session", change{"user": new("bob")})
	managed.Expect("refresh-session", state{"mine", "bob"})
	assert.Equal(t, state{"before", anonymous}, b.state(), "HTTP does not see it")

	b.post(`{"session":"after"}`)
	managed.Emit("get-session")
	managed.Expect("refresh-session", state{"mine", "bob"})
	managed.Emit("set-session", change{"user": nil})
	managed.Expect("refresh-session", state{"mine", anonymous})

	again := b.connect("/managed")
	again.Emit("get-session")
	again.Expect("refresh-session", state{"after", anonymous})
}

// A login over HTTP renews the token, and sends the sockets for the new one.
func TestLoginOverHTTP(t *testing.T) {
	b := newBrowser(t)
	own, managed := b.connect("/"), b.connect("/managed")
	before := b.cookie.Value
	b.post(`{"user":"ann"}`)
	assert.NotEqual(t, before, b.cookie.Value)
	assert.Equal(t, "io server disconnect", own.WaitDisconnect())
	assert.Equal(t, "io server disconnect", managed.WaitDisconnect())

	own, managed = b.connect("/"), b.connect("/managed")
	for _, tab := range []*socketiotest.Client{own, managed} {
		tab.Emit("get-session")
		tab.Expect("refresh-session", state{"", "ann"})
	}
	b.post(`{"user":null}`)
	own.WaitDisconnect()
	assert.Equal(t, anonymous, b.state().User)
}

func TestNoSession(t *testing.T) {
	b := newBrowser(t)
	old := *b.cookie
	b.post(`{"user":"ann"}`)
	for name, cookies := range map[string][]*http.Cookie{"no cookie": nil, "an old one": {&old}} {
		for _, namespace := range []string{"/", "/managed"} {
			_, err := socketiotest.TryConnect(t, b.web, &socketiotest.Options{Namespace: namespace, Cookies: cookies})
			var refused *socketiotest.ConnectError
			require.ErrorAs(t, err, &refused, name)
			assert.Equal(t, errNoSession.Message, refused.Message)
		}
	}
}

// Sessions do not mix.
func TestTwoBrowsers(t *testing.T) {
	ann := newBrowser(t)
	bob := &browser{t: t, web: ann.web}
	bob.do("GET", "/", "")
	socket := bob.connect("/")
	ann.post(`{"session":"ann's"}`)
	bob.post(`{"session":"bob's"}`)
	socket.Expect("refresh-session", state{"bob's", anonymous})
	assert.Equal(t, "ann's", ann.state().Session)
}

func TestPages(t *testing.T) {
	b := newBrowser(t)
	page := b.do("GET", "/", "").Body.String()
	for _, path := range []string{"/static/page.css", "/static/page.js"} {
		assert.Contains(t, page, path)
		assert.Equal(t, http.StatusOK, b.do("GET", path, "").Code, path)
	}
	assert.Contains(t, []int{http.StatusOK, http.StatusFound}, b.do("GET", "/client/"+clientFile, "").Code)
	assert.Equal(t, http.StatusBadRequest, b.do("POST", "/session", `["x"]`).Code)

	foreign := httptest.NewRequest("POST", "/session", strings.NewReader(`{"user":"mallory"}`))
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	foreign.AddCookie(b.cookie)
	w := httptest.NewRecorder()
	b.web.ServeHTTP(w, foreign)
	assert.Equal(t, http.StatusForbidden, w.Code)
	assert.Equal(t, anonymous, b.state().User)
}

func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, run(ctx, "127.0.0.1:0"))
	require.Error(t, run(t.Context(), "127.0.0.1:-1"))
}
