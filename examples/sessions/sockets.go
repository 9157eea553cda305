package main

import (
	"context"
	"net/http"

	"github.com/seed-d124fa34/socketio"
)

// errNoSession refuses, or answers, a client whose session has ended.
var errNoSession = &socketio.Error{Message: "no session: load the page again"}

// ownSession is Flask-SocketIO's manage_session=False: every event works on the
// session that HTTP requests work on, as it is in the store at that moment.
func (a *app) ownSession(n *socketio.Namespace) {
	n.On("connect", a.joinSession)
	n.On("get-session", func(c *socketio.Context) error {
		ctx, err := a.session(c)
		if err != nil {
			return err
		}
		return c.Emit("refresh-session", a.state(ctx))
	})
	// A login over HTTP renews the session's token, so that nobody who had the
	// token before is logged in too. This one cannot: it would need a cookie.
	n.On("set-session", func(c *socketio.Context, ch change) error {
		ctx, err := a.session(c)
		if err != nil {
			return err
		}
		a.apply(ctx, ch)
		if _, _, err := a.sessions.Commit(ctx); err != nil {
			return err
		}
		return a.tell(ctx)
	})
}

// session loads the client's session into a context. It is found by the cookie
// that came with the handshake.
//
// The store has the last word: of two requests, or events of two tabs, that
// change one session at the same time, the later one wins, as with HTTP alone.
func (a *app) session(c *socketio.Context) (context.Context, error) {
	ctx, ok, err := a.load(context.WithoutCancel(c.Context()), c.Request())
	if err == nil && !ok {
		err = errNoSession
	}
	return ctx, err
}

// joinSession accepts clients that have a session, and has them hear of it.
func (a *app) joinSession(c *socketio.Context) error {
	ctx, err := a.session(c)
	if err != nil {
		return err
	}
	return c.Join(room(a.sessions.Token(ctx)))
}

// tell sends a session's state to all its sockets.
func (a *app) tell(ctx context.Context) error {
	return a.srv.Emit("refresh-session", a.state(ctx), socketio.To(room(a.sessions.Token(ctx))))
}

// seed is what managed sessions begin with. It reads the app's session as it is
// when the client connects.
func (a *app) seed(r *http.Request) map[string]any {
	ctx, ok, err := a.load(r.Context(), r)
	if err != nil || !ok {
		return nil
	}
	s := a.state(ctx)
	return map[string]any{keyValue: s.Session, keyUser: s.User}
}

// managedSession is Flask-SocketIO's manage_session=True: the events of a
// connection share a session of their own, which HTTP never sees.
func (a *app) managedSession(n *socketio.Namespace) {
	n.On("connect", a.joinSession)
	current := func(c *socketio.Context) (s state) {
		s.Session, _ = socketio.SessionValue[string](c.Session(), keyValue)
		s.User, _ = socketio.SessionValue[string](c.Session(), keyUser)
		return s
	}
	n.On("get-session", func(c *socketio.Context) error {
		return c.Emit("refresh-session", current(c))
	})
	n.On("set-session", func(c *socketio.Context, ch change) error {
		if value := ch["session"]; value != nil {
			c.Session().Set(keyValue, *value)
		}
		if user, ok := ch["user"]; ok {
			name := anonymous
			if user != nil && *user != "" {
				name = *user
			}
			c.Session().Set(keyUser, name)
		}
		return c.Emit("refresh-session", current(c))
	})
}
