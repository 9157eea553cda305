package adminui

import (
	"errors"
	"iter"

	"github.com/seed-d124fa34/socketio"
)

var (
	errReadOnly = &socketio.Error{Message: "the admin UI is read-only"}
	errOwn      = &socketio.Error{Message: "commands do not apply to the admin namespace"}
)

// answer is the error handler of the admin namespace. It sends pages that have logged in the
// text of every error. Whoever has not gets refusals only.
func answer(c *socketio.Context, err error) any {
	if c.Event() == "connect" {
		return nil
	}
	if e, ok := errors.AsType[*socketio.Error](err); ok {
		return e
	}
	return &socketio.Error{Message: err.Error()}
}

// commands registers the handlers of the pages' commands. Their parameter filter is a room
// or a session id; "" means all sockets in the namespace.
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
		for s := range selected(target, filter) {
			if err := s.Join(room); err != nil && !gone(err) {
				failed = err // the others still join
			}
		}
		return failed
	})
	ui.ns.On("leave", func(c *socketio.Context, ns, room, filter string) error {
		target, err := ui.order(c, "leave", ns, filter, room)
		if err != nil {
			return err
		}
		for s := range selected(target, filter) {
			s.Leave(room)
		}
		return nil
	})
	ui.ns.On("_disconnect", func(c *socketio.Context, ns string, closeConnection bool, filter string) error {
		target, err := ui.order(c, "disconnect", ns, filter, "")
		if err != nil {
			return err
		}
		for s := range selected(target, filter) {
			if closeConnection {
				s.CloseConnection()
			} else {
				s.Disconnect()
			}
		}
		return nil
	})
}

// selected returns the sockets that a command is for.
func selected(target *socketio.Namespace, filter string) iter.Seq[*socketio.Socket] {
	if filter == "" {
		return target.Sockets()
	}
	return func(yield func(*socketio.Socket) bool) {
		sids, _ := target.Members(filter) // it fails for "" only
		for _, sid := range sids {
			if s := target.Socket(sid); s != nil && !yield(s) {
				return
			}
		}
	}
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
