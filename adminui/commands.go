package adminui

import (
	"errors"

	"github.com/seed-d124fa34/socketio"
)

var (
	errReadOnly = &socketio.Error{Message: "the admin UI is read-only"}
	errOwn      = &socketio.Error{Message: "commands do not apply to the admin namespace"}
)

// answer is what a page reads of an error: its commands are its own, and so are
// their faults. Who is not logged in reads nothing but refusals.
func answer(c *socketio.Context, err error) any {
	if c.Event() == "connect" {
		return nil
	}
	if e, ok := errors.AsType[*socketio.Error](err); ok {
		return e
	}
	return &socketio.Error{Message: err.Error()}
}

// commands registers what pages may order. filter is a room or a session id;
// "" is everyone in the namespace.
func (ui *UI) commands() {
	ui.ns.On("emit", func(c *socketio.Context, ns, filter, event string, args ...any) error {
		target, err := ui.order(c, "emit", ns, filter, event)
		if err != nil {
			return err
		}
		var opts []socketio.EmitOption
		if filter != "" {
			opts = append(opts, socketio.To(filter))
		}
		return target.Emit(event, socketio.Args(args), opts...)
	})
	ui.ns.On("join", func(c *socketio.Context, ns, room, filter string) error {
		target, err := ui.order(c, "join", ns, filter, room)
		if err != nil {
			return err
		}
		var failed error
		for _, sid := range target.Members(filter) {
			if err := target.JoinRoom(sid, room); err != nil && !gone(err) {
				failed = err // an address that is full does not keep the others out
			}
		}
		return failed
	})
	ui.ns.On("leave", func(c *socketio.Context, ns, room, filter string) error {
		target, err := ui.order(c, "leave", ns, filter, room)
		if err != nil {
			return err
		}
		for _, sid := range target.Members(filter) {
			_ = target.LeaveRoom(sid, room) // it has left altogether
		}
		return nil
	})
	ui.ns.On("_disconnect", func(c *socketio.Context, ns string, closeConnection bool, filter string) error {
		target, err := ui.order(c, "disconnect", ns, filter, "")
		if err != nil {
			return err
		}
		for _, sid := range target.Members(filter) {
			s := target.Socket(sid)
			switch {
			case s == nil:
			case closeConnection:
				s.CloseConnection()
			default:
				s.Disconnect()
			}
		}
		return nil
	})
}

func gone(err error) bool {
	return errors.Is(err, socketio.ErrClosed) || errors.Is(err, socketio.ErrUnknownSocket)
}

// order decides whether a command may be carried out, and logs it.
func (ui *UI) order(c *socketio.Context, command, ns, filter, what string) (*socketio.Namespace, error) {
	target := ui.srv.Namespace(ns)
	switch {
	case ui.opts.ReadOnly:
		return nil, errReadOnly
	case target.Name() == ui.ns.Name():
		return nil, errOwn
	}
	ui.log.Info("adminui: "+command, "remote", c.Request().RemoteAddr, "namespace", target.Name(), "to", filter, "what", what)
	return target, nil
}
