package e2e

import (
	"github.com/seed-d124fa34/socketio"
)

// flaskClass is a class-based namespace.
type flaskClass struct{ app *flaskApp }

func (f *flaskClass) OnConnect(c *socketio.Context, auth any) {
	f.app.note(c.Request(), "connect", auth)
}

func (f *flaskClass) OnDisconnect(c *socketio.Context) {
	f.app.note(c.Request(), "disconnect", c.ID())
}

func (f *flaskClass) OnSync(*socketio.Context) {}

func (f *flaskClass) OnMyEvent(c *socketio.Context, args ...any) (socketio.Args, error) {
	return args, c.Emit("my_event", socketio.Args(args))
}

func (f *flaskClass) OnStar(_ *socketio.Context, args ...any) (socketio.Args, error) {
	return prepend(args, "method"), nil
}

func (f *flaskClass) OnJoin(c *socketio.Context, room string) error { return c.Join(room) }

func (f *flaskClass) OnTellAll(c *socketio.Context, text string) error {
	return c.Namespace().Emit("told", text)
}

func (f *flaskClass) OnTellRoom(c *socketio.Context, room, text string) error {
	return c.Namespace().Send(text, socketio.To(room))
}

func (f *flaskClass) OnMessage(c *socketio.Context, text string) error { return c.Send(text) }

func (f *flaskClass) OnKick(c *socketio.Context) { c.Disconnect() }

// flaskMixed is a class whose namespace has a handler function, too.
type flaskMixed struct{}

func (f *flaskMixed) OnFunction(_ *socketio.Context, args ...any) (socketio.Args, error) {
	return prepend(args, "method"), nil
}

func (f *flaskMixed) OnMethod(_ *socketio.Context, args ...any) (socketio.Args, error) {
	return prepend(args, "method"), nil
}
