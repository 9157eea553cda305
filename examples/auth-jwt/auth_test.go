package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// bubble runs a test with a server whose tokens are valid for a minute.
func bubble(t *testing.T, f func(t *testing.T, a *app)) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(&tokens{key: []byte("a secret of thirty-two characters"), life: time.Minute})
		t.Cleanup(func() { assert.NoError(t, a.srv.Shutdown(context.Background())) })
		f(t, a)
	})
}

func (a *app) tokenFor(t *testing.T, user string) string {
	t.Helper()
	token, err := a.tokens.issue(user, accounts[user].scope)
	require.NoError(t, err)
	return token
}

func (a *app) open(t *testing.T, user string) *socketiotest.Client {
	t.Helper()
	return socketiotest.Connect(t, a.srv, &socketiotest.Options{Auth: auth{a.tokenFor(t, user)}})
}

// refusal returns what an event is answered with.
func refusal(t *testing.T, c *socketiotest.Client, event string, args ...any) string {
	t.Helper()
	var answer struct{ Error struct{ Message string } }
	c.Call(event, args...).Bind(&answer)
	return answer.Error.Message
}

func TestConnect(t *testing.T) {
	bubble(t, func(t *testing.T, a *app) {
		assert.Equal(t, `["ann"]`, a.open(t, "ann").Call("whoami").String())

		sign := func(method jwt.SigningMethod, key any, change func(*claims)) any {
			c := &claims{RegisteredClaims: jwt.RegisteredClaims{Issuer: issuer, Audience: jwt.ClaimStrings{audience},
				Subject: "ann", ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute))}, Scope: "read write"}
			change(c)
			token, err := jwt.NewWithClaims(method, c).SignedString(key)
			require.NoError(t, err)
			return auth{token}
		}
		key, hs256 := a.tokens.key, jwt.SigningMethodHS256
		as := func(auth any) error {
			_, err := socketiotest.TryConnect(t, a.srv, &socketiotest.Options{Auth: auth})
			return err
		}
		require.NoError(t, as(sign(hs256, key, func(*claims) {})), "the others differ from this one")
		for name, auth := range map[string]any{
			"nothing":          nil,
			"no token":         map[string]any{"user": "ann"},
			"no token at all":  auth{"token"},
			"another key":      sign(hs256, []byte("another secret"), func(*claims) {}),
			"no signature":     sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, func(*claims) {}),
			"another method":   sign(jwt.SigningMethodHS512, key, func(*claims) {}),
			"expired":          sign(hs256, key, func(c *claims) { c.ExpiresAt.Time = time.Now().Add(-time.Second) }),
			"never expires":    sign(hs256, key, func(c *claims) { c.ExpiresAt = nil }),
			"another audience": sign(hs256, key, func(c *claims) { c.Audience[0] = "https://other.example" }),
			"another issuer":   sign(hs256, key, func(c *claims) { c.Issuer = "https://other.example" }),
			"nobody's":         sign(hs256, key, func(c *claims) { c.Subject = "" }),
			"not yet valid":    sign(hs256, key, func(c *claims) { c.NotBefore = jwt.NewNumericDate(time.Now().Add(time.Second)) }),
		} {
			var refused *socketiotest.ConnectError
			require.ErrorAs(t, as(auth), &refused, name)
			assert.Equal(t, errToken.Message, refused.Message, name)
		}
		// What is no string is the client's mistake, and is not in either.
		require.Error(t, as(map[string]any{"token": 7}))
	})
}

func TestExpiry(t *testing.T) {
	bubble(t, func(t *testing.T, a *app) {
		ann := a.open(t, "ann")
		time.Sleep(time.Minute - time.Second)
		ann.Call("write", "still here")
		ann.Expect("written", "ann", "still here")
		time.Sleep(time.Second)
		ann.Expect("expired")
		assert.Equal(t, "io server disconnect", ann.WaitDisconnect())
	})
}

func TestRefresh(t *testing.T) {
	bubble(t, func(t *testing.T, a *app) {
		ann := a.open(t, "ann")
		for range 5 {
			time.Sleep(45 * time.Second)
			var until time.Time
			ann.Call("refresh", a.tokenFor(t, "ann")).Bind(&until)
			assert.True(t, until.Equal(time.Now().Add(time.Minute)), until)
		}
		// One that is not valid, or somebody else's, changes nothing.
		time.Sleep(45 * time.Second)
		assert.Equal(t, errToken.Message, refusal(t, ann, "refresh", "nonsense"))
		assert.Equal(t, errPerson.Message, refusal(t, ann, "refresh", a.tokenFor(t, "bob")))
		assert.True(t, ann.Connected())
		time.Sleep(15 * time.Second)
		ann.Expect("expired")
		ann.WaitDisconnect()
	})
}

// A newer token may allow less.
func TestRefreshChangesScope(t *testing.T) {
	bubble(t, func(t *testing.T, a *app) {
		ann := a.open(t, "ann")
		ann.Call("write", "one")
		token, err := a.tokens.issue("ann", "read")
		require.NoError(t, err)
		ann.Call("refresh", token)
		assert.Equal(t, errScope.Message, refusal(t, ann, "write", "two"))
	})
}

func TestPermissions(t *testing.T) {
	bubble(t, func(t *testing.T, a *app) {
		ann, bob := a.open(t, "ann"), a.open(t, "bob")
		ann.Call("write", "hello")
		bob.Expect("written", "ann", "hello")
		assert.Equal(t, `["nothing new"]`, bob.Call("read").String())
		assert.Equal(t, errScope.Message, refusal(t, bob, "write", "hello"))
		assert.Equal(t, errScope.Message, refusal(t, ann, "something else"))
		bob.ExpectNothing()
		ann.Expect("written", "ann", "hello")
		ann.ExpectNothing()
	})
}

// An event that comes between the expiry and the timer is not allowed either.
func TestEventAfterExpiry(t *testing.T) {
	bubble(t, func(t *testing.T, a *app) {
		ann := a.open(t, "ann")
		l, _ := a.srv.Socket(ann.ID()).Session().Get("login").(*login)
		require.True(t, l.timer.Stop())
		time.Sleep(time.Minute + time.Second)
		assert.Equal(t, errToken.Message, refusal(t, ann, "write", "late"))
		ann.ExpectNothing()
	})
}

// No timer outlives its socket, however that ends.
func TestTimersEnd(t *testing.T) {
	bubble(t, func(t *testing.T, a *app) {
		for name, end := range map[string]func(*socketiotest.Client){
			"disconnect": (*socketiotest.Client).Disconnect,
			"drop":       (*socketiotest.Client).Drop,
			"server":     func(c *socketiotest.Client) { assert.NoError(t, a.srv.Disconnect(c.ID())) },
		} {
			ann := a.open(t, "ann")
			socket := a.srv.Socket(ann.ID())
			l, _ := socket.Session().Get("login").(*login)
			end(ann)
			synctest.Wait()
			assert.False(t, l.timer.Stop(), "%s: it still runs", name)
			l.renew(l.now()) // by an event that was being handled
			assert.False(t, l.timer.Stop(), "%s: it runs again", name)
		}
	})
}

func TestPages(t *testing.T) {
	bubble(t, func(t *testing.T, a *app) {
		do := func(method, path, body string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			a.handler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
			return w
		}
		assert.Contains(t, do("GET", "/", "").Body.String(), "/static/page.js")
		assert.Equal(t, http.StatusOK, do("GET", "/static/page.js", "").Code)
		assert.Contains(t, []int{http.StatusOK, http.StatusFound}, do("GET", "/client/"+clientFile, "").Code)
		for body, want := range map[string]int{
			`nonsense`: http.StatusBadRequest,
			`{"user":"ann","password":"bob's password"}`: http.StatusUnauthorized,
			`{"user":"eve","password":""}`:               http.StatusUnauthorized,
		} {
			assert.Equal(t, want, do("POST", "/token", body).Code, body)
		}
		var answer auth
		require.NoError(t, json.Unmarshal(do("POST", "/token", `{"user":"ann","password":"ann's password"}`).Body.Bytes(), &answer))
		socketiotest.Connect(t, a.handler(), &socketiotest.Options{Auth: answer})
	})
}

func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, run(ctx, "127.0.0.1:0", time.Minute))
	require.ErrorContains(t, run(t.Context(), "127.0.0.1:-1", time.Minute), "-addr")
}
