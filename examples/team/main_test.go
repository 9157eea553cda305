package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var users = accounts{[]byte("a key")}

// login returns the session cookie of a user, as the page gets it.
func login(t *testing.T, site http.Handler, user string) []*http.Cookie {
	t.Helper()
	r := httptest.NewRequest("POST", "/login", strings.NewReader(url.Values{"user": {user}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	return w.Result().Cookies()
}

func TestLogin(t *testing.T) {
	srv := newServer(socketio.ClusterOptions{})
	t.Cleanup(func() { _ = srv.Close() })
	site := newHandler(srv, users)
	for name, cookies := range map[string][]*http.Cookie{
		"none":        nil,
		"unsigned":    {{Name: cookie, Value: "ann"}},
		"another key": {{Name: cookie, Value: accounts{[]byte("guess")}.sign("ann")}},
		"nobody":      {{Name: cookie, Value: users.sign("")}},
	} {
		_, err := socketiotest.TryConnect(t, site, &socketiotest.Options{Cookies: cookies})
		assert.ErrorContains(t, err, "log in first", name)
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
	assert.Equal(t, http.StatusBadRequest, w.Code)
	w = httptest.NewRecorder()
	elsewhere := httptest.NewRequest("POST", "/login?user=eve", nil)
	elsewhere.Header.Set("Sec-Fetch-Site", "cross-site")
	site.ServeHTTP(w, elsewhere)
	assert.Equal(t, http.StatusForbidden, w.Code)
	assert.Empty(t, w.Result().Cookies())

	ann := socketiotest.Connect(t, site, &socketiotest.Options{Cookies: login(t, site, "Ann, é.")})
	ann.Call("join", "lobby")
	ann.Emit("say", "lobby", "hello")
	ann.Expect("said", map[string]any{"from": "Ann, é.", "text": "hello"})
	ann.Emit("say", "elsewhere", "hello")
	ann.ExpectNothing()
}

// Two servers on one broker: a room's messages reach the clients of both, and a client that comes
// back to the other server has missed nothing.
func TestTwoServers(t *testing.T) {
	service := new(brokertest.Memory)
	var servers [2]*socketio.Server
	var sites [2]http.Handler
	for i := range servers {
		b := service.Connect()
		t.Cleanup(func() { _ = b.Close() })
		servers[i] = newServer(socketio.ClusterOptions{Broker: b})
		t.Cleanup(func() { _ = servers[i].Close() })
		sites[i] = newHandler(servers[i], users)
		require.Eventually(t, func() bool { return servers[i].BrokerStatus().Connected }, time.Minute, time.Millisecond)
	}
	client := func(i int, user string) *socketiotest.Client {
		c := socketiotest.Connect(t, sites[i], &socketiotest.Options{Server: servers[i], Cookies: login(t, sites[0], user)})
		c.Call("join", "lobby")
		return c
	}
	ann, bob := client(0, "ann"), client(1, "bob")
	ann.Call("say", "lobby", "hello")
	bob.Expect("said", map[string]any{"from": "ann", "text": "hello"})

	bob.Drop()
	ann.Call("say", "lobby", "while you were away")
	back := bob.ReconnectTo(sites[0])
	back.Expect("said", map[string]any{"from": "ann", "text": "while you were away"})
	assert.True(t, back.Recovered())
}

// A tab does not go on with ann's session when bob has logged in, in another tab of the same browser.
func TestAnotherUser(t *testing.T) {
	srv := newServer(socketio.ClusterOptions{})
	t.Cleanup(func() { _ = srv.Close() })
	site := newHandler(srv, users)
	cookies := login(t, site, "ann")
	tab := socketiotest.Connect(t, site, &socketiotest.Options{Cookies: cookies})
	tab.Drop()
	tab = tab.Reconnect()
	assert.True(t, tab.Recovered())
	tab.Drop()
	cookies[0].Value = users.sign("bob")
	_, err := tab.TryReconnect()
	assert.ErrorContains(t, err, "somebody else has logged in")
	assert.False(t, tab.Reconnect().Recovered())
}

// Servers that share users need a key that they share.
func TestKey(t *testing.T) {
	err := run(t.Context(), "127.0.0.1:0", "redis://127.0.0.1:1", "")
	assert.ErrorContains(t, err, "SESSION_KEY")
}
