package socketio

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
)

// drainEvents is how many more events a client may have handled when it is to
// go because of Shutdown but is still busy.
const drainEvents = 1000

// Shutdown stops the server: it refuses new connections from now on, sees the
// clients off and returns when they have gone and their disconnect handlers,
// and all other handlers, have returned. When the context ends first, it cuts
// off the clients that are left and returns the context's error; handlers may
// still run then. It may be called again, to wait further or, with a context that
// has ended, to hurry.
//
// The clients go one after the other, spread over [Options].DrainWindow, with
// [ReasonServerShutdown]. They are not told to leave, so that they reconnect by
// themselves: to another server, or to this one's successor. Until its turn a
// client is served as ever, but for one that wants to join a namespace: its turn
// is now. When it is, its events that have arrived are handled and acknowledged
// before its connection is closed, those whose acknowledgement is deferred
// ([Context.DeferAck]) included, if that takes no longer than
// [Options].DrainTimeout. Those that arrive later are neither handled nor
// acknowledged: a client that sends again what was not acknowledged loses
// nothing, and has nothing handled twice.
//
// Call Shutdown before [http.Server.Shutdown], which waits for polls and knows
// nothing of WebSocket connections. A handler must not wait for it, since
// it waits for the handler: use go srv.Shutdown(ctx) there.
func (srv *Server) Shutdown(ctx context.Context) error {
	err := srv.shutdown(ctx)
	if srv.cluster != nil {
		if failed := srv.cluster.close(ctx); err == nil {
			err = failed
		}
	}
	return err
}

// Close stops the server at once: clients are cut off with [ReasonServerShutdown],
// without time for what their handlers do, and what waits for the broker is lost.
// It waits for no handler; disconnect handlers run, perhaps after it has returned.
// For anything but tests and emergencies use Shutdown. It returns nil.
func (srv *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = srv.Shutdown(ctx) // it says that the context has ended
	return nil
}

func (srv *Server) shutdown(ctx context.Context) error {
	srv.closing.Store(true)
	if err := srv.engine.Shutdown(ctx); err != nil {
		return fmt.Errorf("socketio: shutdown: clients were cut off: %w", err)
	}
	if err := srv.workers.Wait(ctx); err != nil {
		return fmt.Errorf("socketio: shutdown: handlers still run: %w", err)
	}
	return nil
}

// Drain is called by the engine when it is the connection's turn to go. The
// connection is closed here: see drain.
func (cl *client) Drain() (busy bool) {
	cl.drain()
	return true
}

// drain closes the connection: at once, if no handler is at work, or else with the
// last acknowledgement.
//
// Events that arrive meanwhile are handled, too, as long as there are some
// before them, so that a client does not talk to a server that ignores it while
// it thinks to be connected. When there are none any more, nothing is taken: the
// read side, which calls enqueue, and whoever calls handled or undeferred look at
// draining after they have changed queued or deferred, drain looks at those after
// it has changed draining, so one of them sees to the end.
func (cl *client) drain() {
	if !cl.draining.CompareAndSwap(0, drainEvents) {
		return
	}
	if cl.idle() {
		cl.drained()
		return
	}
	late := time.AfterFunc(cl.srv.opts.DrainTimeout, cl.drained)
	context.AfterFunc(cl.conn.Context(), func() { late.Stop() })
}

// drained closes a connection all of whose acknowledgements are queued, or
// whose time is over.
func (cl *client) drained() { cl.conn.Close(ReasonServerShutdown, engineio.ErrServerClosed) }

// takes reports whether an event that brought queued to n is still to be
// handled. It is called on the read side.
func (cl *client) takes(c *Context, n int64) bool {
	left := cl.draining.Load()
	switch {
	case left == 0:
		return true
	case left == 1 || n == int64(c.size) && cl.deferred.Load() == 0:
		return false
	}
	cl.draining.Store(left - 1)
	return true
}

// handled is the end of an event that enqueue has counted.
func (cl *client) handled(c *Context) {
	if cl.queued.Add(-int64(c.size)) == 0 && cl.draining.Load() != 0 && cl.idle() {
		cl.drained()
	}
	if cl.watched.Load() {
		cl.progress()
	}
}

// undeferred is the end of an acknowledgement that DeferAck has counted.
func (cl *client) undeferred() {
	if cl.deferred.Add(-1) == 0 && cl.draining.Load() != 0 && cl.idle() {
		cl.drained()
	}
}

// idle reports whether nothing is to be handled and nothing to be acknowledged.
func (cl *client) idle() bool { return cl.queued.Load() == 0 && cl.deferred.Load() == 0 }
