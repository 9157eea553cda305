package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// app is the server and who may use it.
type app struct {
	tokens *tokens
	srv    *socketio.Server
}

// What clients get. The reason why a token is not valid goes to the log only: it helps
// those who forge them.
var (
	errToken  = &socketio.Error{Message: "token not valid"}
	errScope  = &socketio.Error{Message: "not allowed"}
	errPerson = &socketio.Error{Message: "the token is somebody else's"}
)

func newApp(t *tokens) *app {
	a := &app{tokens: t, srv: socketio.NewServer(&socketio.Options{Limits: socketio.Limits{MaxNamespaces: 1}})}
	a.srv.Use(a.permit)
	a.srv.On("connect", a.connect)
	a.srv.On("refresh", a.refresh)
	a.srv.On("whoami", func(c *socketio.Context) (string, error) { return loginOf(c).now().Subject, nil })
	a.srv.On("read", func(*socketio.Context) (string, error) { return "nothing new", nil })
	a.srv.On("write", func(c *socketio.Context, text string) error {
		return c.Emit("written", socketio.Args{loginOf(c).now().Subject, text}, socketio.Broadcast())
	})
	return a
}

// scopes says what each event needs; "" is a valid token only. An event that is
// not here is allowed to nobody: a new one cannot be forgotten.
var scopes = map[string]string{
	"refresh": "",
	"whoami":  "",
	"read":    "read",
	"write":   "write",
}

// auth is what a client sends with its connect: io({ auth: { token } }).
type auth struct {
	Token string `json:"token"`
}

// connect verifies the token, and ends the socket when it expires.
func (a *app) connect(c *socketio.Context, auth auth) error {
	who, err := a.verify(c, auth.Token)
	if err != nil {
		return err
	}
	l := &login{socket: c.Socket, claims: who}
	c.Session().Set("login", l)
	l.timer = time.AfterFunc(time.Until(who.ExpiresAt.Time), l.expire)
	context.AfterFunc(c.Context(), l.end) // when the client leaves, however it does
	return nil
}

// refresh takes a newer token of the same person; the connection stays.
func (a *app) refresh(c *socketio.Context, token string) (expires time.Time, err error) {
	who, err := a.verify(c, token)
	if err != nil {
		return time.Time{}, err // and the older one goes on to be valid
	}
	if who.Subject != loginOf(c).now().Subject {
		return time.Time{}, errPerson
	}
	loginOf(c).renew(who)
	return who.ExpiresAt.Time, nil
}

func (a *app) verify(c *socketio.Context, token string) (*claims, error) {
	who, err := a.tokens.verify(token)
	if err != nil {
		slog.Info("auth-jwt: token refused", "event", c.Event(), "remote", c.Request().RemoteAddr, "error", err)
		return nil, errToken
	}
	return who, nil
}

// permit lets those events pass that the token allows.
func (a *app) permit(next socketio.HandlerFunc) socketio.HandlerFunc {
	return func(c *socketio.Context) (socketio.Args, error) {
		if c.Event() == "connect" || c.Event() == "disconnect" {
			return next(c)
		}
		scope, known := scopes[c.Event()]
		who := loginOf(c).now()
		switch {
		case !known || scope != "" && !who.has(scope):
			return nil, errScope
		case time.Now().After(who.ExpiresAt.Time): // the timer is about to say so
			return nil, errToken
		}
		return next(c)
	}
}

// login is a socket's token. It is renewed by one event while another one, or
// the timer, may look at it.
type login struct {
	socket *socketio.Socket
	timer  *time.Timer // calls expire

	mu     sync.Mutex
	claims *claims
	ended  bool // the client has left
}

// loginOf returns what connect has stored.
func loginOf(c *socketio.Context) *login {
	l, _ := socketio.SessionValue[*login](c.Session(), "login")
	return l
}

func (l *login) now() *claims {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.claims
}

func (l *login) renew(c *claims) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claims = c
	if !l.ended {
		l.timer.Reset(time.Until(c.ExpiresAt.Time))
	}
}

func (l *login) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.timer.Stop()
}

// expire tells the client why it has to go, unless it has just got a newer token.
func (l *login) expire() {
	if time.Now().Before(l.now().ExpiresAt.Time) {
		return
	}
	if err := l.socket.Emit("expired", nil); err != nil && !errors.Is(err, socketio.ErrClosed) {
		slog.Warn("auth-jwt: telling a client that its token has expired", "error", err)
	}
	l.socket.Disconnect()
}
