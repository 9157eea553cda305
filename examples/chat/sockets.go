package main

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/seed-d124fa34/socketio"
)

// errLogin refuses a client whose session has ended. The page then shows the
// login form.
var errLogin = &socketio.Error{Message: "log in"}

// handleSockets registers what clients may send. In all events a conversation
// is named as the user sees it: "#lobby" is a room, "@bob" are the direct
// messages with bob.
func (a *app) handleSockets() {
	srv := a.srv
	srv.Use(a.loggedIn)
	srv.On("connect", func(c *socketio.Context) error { return nil })
	srv.On("sync", a.sync) // first of all, after each connect
	srv.On("disconnect", a.exit)

	srv.On("rooms", a.listRooms)
	srv.On("create", a.createRoom)
	srv.On("join", a.joinRoom)
	srv.On("leave", a.leaveRoom)
	srv.On("nick", a.changeNick)
	srv.On("person", a.findPerson)

	srv.On("say", a.say)
	srv.On("typing", a.typing)
	srv.On("history", a.history)
	srv.OnError(answerError)
}

// loggedIn lets events pass whose session is still there, so that a logout, or
// its expiry, ends what a socket may do at once.
func (a *app) loggedIn(next socketio.HandlerFunc) socketio.HandlerFunc {
	return func(c *socketio.Context) (socketio.Args, error) {
		if c.Event() == "disconnect" {
			return next(c)
		}
		user, token, err := a.identify(c.Request())
		if err != nil {
			return nil, err
		}
		if user == "" {
			c.Disconnect()
			return nil, errLogin
		}
		if c.Event() == "connect" {
			c.Session().Set(userKey, user)
			if err := c.Join(sessionRoom(token)); err != nil {
				return nil, err
			}
		}
		return next(c)
	}
}

// identify returns who the cookie of a request belongs to, "" if there is no
// such session any more.
func (a *app) identify(r *http.Request) (user, token string, err error) {
	cookie, err := r.Cookie(a.sessions.Cookie.Name)
	if err != nil {
		return "", "", nil
	}
	ctx, err := a.sessions.Load(r.Context(), cookie.Value)
	if err != nil {
		return "", "", err
	}
	return a.sessions.GetString(ctx, userKey), cookie.Value, nil
}

// userOf returns whose socket it is: loggedIn has found out.
func userOf(c *socketio.Context) string {
	user, _ := socketio.SessionValue[string](c.Session(), userKey)
	return user
}

// shown are the errors whose text the person who caused them reads.
var shown = []error{errUserName, errRoomName, errNick, errNickTaken, errNoUser, errRoomTaken, errNoRoom, errManyRooms, errManyOfYours,
	errNotMember, errText}

// answerError decides what the client reads; all else is in the log only.
func answerError(c *socketio.Context, err error) any {
	for _, e := range shown {
		if errors.Is(err, e) {
			return &socketio.Error{Message: e.Error()}
		}
	}
	if wire, ok := errors.AsType[*socketio.Error](err); ok {
		return wire
	}
	if _, ok := errors.AsType[*socketio.ArgError](err); !ok {
		logError(c, err)
	}
	return &socketio.Error{Message: "that did not work"}
}

func logError(c *socketio.Context, err error) {
	slog.Error("chat: an event failed", "event", c.Event(), "user", userOf(c), "error", err)
}
