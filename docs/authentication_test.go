package docs_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

type userKey struct{}

// requireUser is the middleware that the rest of the site uses, too.
func requireUser(find func(*http.Request) (user string, ok bool), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, ok := find(r); ok {
			r = r.WithContext(context.WithValue(r.Context(), userKey{}, user))
		}
		next.ServeHTTP(w, r)
	})
}

func routes(mux *http.ServeMux, srv *socketio.Server, find func(*http.Request) (string, bool)) {
	mux.Handle("/socket.io/", requireUser(find, srv))

	srv.On("connect", func(c *socketio.Context) error {
		user, ok := c.Context().Value(userKey{}).(string)
		if !ok {
			return &socketio.Error{Message: "log in first"}
		}
		if c.Recovered() && c.Session().Get("user") != user {
			return &socketio.Error{Message: "another user has logged in: reload the page"}
		}
		c.Session().Set("user", user)
		return c.Join("user:" + user) // all tabs of this user
	})
	srv.On("whoami", func(c *socketio.Context) (string, error) {
		return c.Context().Value(userKey{}).(string), nil
	})
}

func logout(srv *socketio.Server, user string) {
	sids, _ := srv.Members("user:"+user, socketio.IncludeAway())
	for _, sid := range sids {
		srv.Socket(sid).CloseConnection() // of all namespaces
	}
}

func TestCookieSession(t *testing.T) {
	srv, mux := socketio.NewServer(nil), http.NewServeMux()
	routes(mux, srv, func(r *http.Request) (string, bool) {
		cookie, err := r.Cookie("session")
		return "ann", err == nil && cookie.Value == "ann's"
	})
	_, err := socketiotest.TryConnect(t, mux, nil)
	assert.ErrorContains(t, err, "log in first")

	cookies := []*http.Cookie{{Name: "session", Value: "ann's"}}
	ann := socketiotest.Connect(t, mux, &socketiotest.Options{Cookies: cookies})
	tab := socketiotest.Connect(t, mux, &socketiotest.Options{Cookies: cookies, Transport: socketiotest.Polling})
	assert.Equal(t, `["ann"]`, ann.Call("whoami").String())
	logout(srv, "ann")
	ann.WaitDisconnect()
	tab.WaitDisconnect()
}

// With recovery, a tab whose cookie is another user's by now does not get the session of the one before.
func TestAnotherUserComesBack(t *testing.T) {
	srv, mux := socketio.NewServer(&socketio.Options{Recovery: &socketio.Recovery{}}), http.NewServeMux()
	t.Cleanup(func() { _ = srv.Close() })
	routes(mux, srv, func(r *http.Request) (string, bool) {
		cookie, err := r.Cookie("session")
		if err != nil {
			return "", false
		}
		return cookie.Value, true
	})
	cookie := &http.Cookie{Name: "session", Value: "ann"}
	tab := socketiotest.Connect(t, mux, &socketiotest.Options{Cookies: []*http.Cookie{cookie}})
	tab.Drop()
	tab = tab.Reconnect()
	assert.True(t, tab.Recovered())
	tab.Drop()
	cookie.Value = "bob"
	_, err := tab.TryReconnect()
	assert.ErrorContains(t, err, "another user")
	tab = tab.Reconnect()
	assert.False(t, tab.Recovered())
	tab.Drop()
	logout(srv, "bob")
	assert.False(t, tab.Reconnect().Recovered())
}

type Auth struct {
	Token string `json:"token"`
}

type Claims struct {
	User    string
	Expires time.Time
}

func tokens(srv *socketio.Server, verify func(token string) (Claims, error)) {
	srv.On("connect", func(c *socketio.Context, auth Auth) error {
		claims, err := verify(auth.Token)
		if err != nil {
			return &socketio.Error{Message: "not authorized", Data: map[string]string{"code": "expired"}}
		}
		c.Session().Set("user", claims.User)
		socket := c.Socket
		end := time.AfterFunc(time.Until(claims.Expires), socket.Disconnect)
		context.AfterFunc(c.Context(), func() { end.Stop() }) // when it leaves earlier
		return nil
	})
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := socketio.NewServer(nil)
		t.Cleanup(func() { assert.NoError(t, srv.Shutdown(context.Background())) })
		tokens(srv, func(token string) (Claims, error) {
			if token != "good" {
				return Claims{}, errors.New("forged")
			}
			return Claims{"ann", time.Now().Add(time.Hour)}, nil
		})
		_, err := socketiotest.TryConnect(t, srv, &socketiotest.Options{Auth: Auth{"bad"}})
		var refused *socketiotest.ConnectError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, "not authorized", refused.Message)
		assert.JSONEq(t, `{"code":"expired"}`, string(refused.Data))

		socketiotest.Connect(t, srv, &socketiotest.Options{Auth: Auth{"good"}}).Disconnect()
		ann := socketiotest.Connect(t, srv, &socketiotest.Options{Auth: Auth{"good"}})
		begin := time.Now()
		<-ann.Disconnected()
		assert.Equal(t, time.Hour, time.Since(begin))
	})
}

func moderated(srv *socketio.Server, allowed func(user, event string) bool) {
	srv.Namespace("/admin").Use(func(next socketio.HandlerFunc) socketio.HandlerFunc {
		return func(c *socketio.Context) (socketio.Args, error) {
			user, _ := c.Session().Get("user").(string)
			if c.Event() != "disconnect" && !allowed(user, c.Event()) {
				return nil, &socketio.Error{Message: "you may not " + c.Event()}
			}
			return next(c)
		}
	})
}

func TestModerated(t *testing.T) {
	srv := socketio.NewServer(nil)
	moderated(srv, func(user, event string) bool { return user == "" && event != "ban" })
	admin := srv.Namespace("/admin")
	admin.On("ban", func(*socketio.Context) { t.Error("it is not kept from the handler") })
	admin.On("look", func(*socketio.Context) (string, error) { return "nothing", nil })
	client := socketiotest.Connect(t, srv, &socketiotest.Options{Namespace: "/admin"})
	assert.Equal(t, `["nothing"]`, client.Call("look").String())
	assert.Equal(t, `[{"error":{"message":"you may not ban"}}]`, client.Call("ban").String())
}
