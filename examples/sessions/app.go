package main

import (
	"context"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/seed-d124fa34/socketio"
)

// app is the application: its sessions, and the sockets that share them.
type app struct {
	sessions *scs.SessionManager // in memory; a real app has one of scs's stores
	srv      *socketio.Server
}

func newApp() *app {
	a := &app{sessions: scs.New()}
	a.srv = socketio.NewServer(&socketio.Options{Session: a.seed})
	a.ownSession(a.srv.Namespace("/"))
	a.managedSession(a.srv.Namespace("/managed"))
	return a
}

// state is what the page shows of a session.
type state struct {
	Session string `json:"session"`
	User    string `json:"user"`
}

const anonymous = "anonymous"

// change sets "session", or "user", which logs in, and null logs out.
type change map[string]*string

// The keys in the app's session.
const (
	keyValue = "value"
	keyUser  = "user"
)

// state reads the session in ctx.
func (a *app) state(ctx context.Context) state {
	s := state{a.sessions.GetString(ctx, keyValue), a.sessions.GetString(ctx, keyUser)}
	if s.User == "" {
		s.User = anonymous
	}
	return s
}

// apply changes the session in ctx, which is still to be committed.
func (a *app) apply(ctx context.Context, ch change) {
	if value := ch["session"]; value != nil {
		a.sessions.Put(ctx, keyValue, *value)
	}
	if user, ok := ch["user"]; ok {
		if user != nil && *user != "" {
			a.sessions.Put(ctx, keyUser, *user)
		} else {
			a.sessions.Remove(ctx, keyUser)
		}
	}
}

// load loads the session that a request's cookie names into a context. There
// is none if the cookie is missing or the session has ended.
func (a *app) load(ctx context.Context, r *http.Request) (_ context.Context, ok bool, err error) {
	cookie, err := r.Cookie(a.sessions.Cookie.Name)
	if err != nil {
		return nil, false, nil
	}
	ctx, err = a.sessions.Load(ctx, cookie.Value)
	if err != nil {
		return nil, false, err
	}
	return ctx, a.sessions.Token(ctx) != "", nil
}

// room is where the sockets of a session are. Its name holds the token, which
// is a secret: it stays in this program.
func room(token string) string { return "session " + token }
