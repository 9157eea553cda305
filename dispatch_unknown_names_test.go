package socketio_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Decision 8: an unknown event stays unanswered but is reported to the error handler, once.
func TestUnknownEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.OnError(func(c *socketio.Context, err error) any {
			require.ErrorIs(t, err, socketio.ErrNoHandler)
			rec.Add("%s %v", c.Event(), c.Args())
			return 1
		})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		p.Send(`2["quiet"]`, `21["asked",2]`)
		p.Quiet()
		rec.Want(t, "asked [2]")
	})
}

// The log tells of an event that nothing handles, acknowledged or not: once for
// each name, of so many by name, and of the others now and then.
func TestUnknownEventIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(siotest.Logs)
		srv := siotest.NewServer(t, &socketio.Options{Logger: siotest.Logger(log)})
		srv.On("new message", func(c *socketio.Context) {})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		p.Send(`2["quiet"]`, `2["quiet"]`, `21["mispelt"]`, `22["mispelt"]`)
		p.Quiet()
		require.Equal(t, 2, strings.Count(log.String(), "level=WARN"))
		require.Contains(t, log.String(), "event=mispelt")
		require.Contains(t, log.String(), "no handler for the event")
		require.NotContains(t, log.String(), "did_you_mean")
		p.Send(`2["newMesage"]`)
		p.Quiet()
		require.Contains(t, log.String(), `event=newMesage did_you_mean="new message"`)
		for i := range 1000 {
			p.Send(fmt.Sprintf(`2["made up %d\u001b[31m%s"]`, i, strings.Repeat("x", 1000)))
		}
		p.Quiet()
		require.Equal(t, 33, strings.Count(log.String(), "level=WARN"))
		require.NotContains(t, log.String(), "\x1b")
		require.Less(t, len(log.String()), 33*500)
		time.Sleep(time.Minute)
		p.Send(`2["made up"]`)
		p.Quiet()
		require.Equal(t, 34, strings.Count(log.String(), "level=WARN"))
		require.Contains(t, log.String(), "omitted=970")
	})
}

// An error handler hears of events whose client waits, and the log of the others.
func TestUnknownEventIsLoggedBesideAnErrorHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(siotest.Logs)
		srv := siotest.NewServer(t, &socketio.Options{Logger: siotest.Logger(log)})
		srv.OnError(func(c *socketio.Context, err error) any { return nil })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		p.Send(`21["asked"]`, `2["quiet"]`)
		p.Quiet()
		require.Equal(t, 1, strings.Count(log.String(), "level=WARN"))
		require.Contains(t, log.String(), "event=quiet")
	})
}

func TestUnknownNamespaceIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(siotest.Logs)
		srv := siotest.NewServer(t, &socketio.Options{Logger: siotest.Logger(log), Namespaces: []string{"/news"}})
		srv.Namespace("/chat").On("x", func(c *socketio.Context) {})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		for _, ns := range []string{"/Chat", "/Chat", "/nwes", "/" + strings.Repeat("x", 2000)} {
			p.Send("0" + ns + ",")
			p.Want("4" + ns + `,{"message":"Invalid namespace"}`)
		}
		require.Equal(t, 3, strings.Count(log.String(), "level=WARN"))
		require.Contains(t, log.String(), "Options.Namespaces")
		require.Contains(t, log.String(), "did_you_mean=/chat")
		require.Contains(t, log.String(), "did_you_mean=/news")
		require.Less(t, len(log.String()), 3*500)
	})
}

// One small frame is no line of the log: arguments that do not fit a handler are
// logged once a minute, with their number.
func TestMisfitsAreLoggedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(siotest.Logs)
		srv := siotest.NewServer(t, &socketio.Options{Logger: siotest.Logger(log)})
		srv.On("a", func(c *socketio.Context, n int) {})
		srv.On("*", func(c *socketio.Context, event string, n int) {})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		for i := range 1000 {
			p.Send(`2["a","x"]`, fmt.Sprintf(`2["made up %d","x"]`, i))
		}
		require.NoError(t, srv.Emit("q", nil, socketio.OnAck(func(c *socketio.Context, n int) {})))
		p.Send("3" + p.WantAckEvent(`["q"]`) + `["x"]`)
		p.Quiet()
		require.Equal(t, 3, strings.Count(log.String(), "level=WARN"), "for each handler")
		require.EqualValues(t, 2001, srv.Stats().HandlerErrors)
		time.Sleep(time.Minute)
		p.Send(`2["a","x"]`)
		p.Quiet()
		require.Equal(t, 4, strings.Count(log.String(), "level=WARN"))
		require.Contains(t, log.String(), "omitted=999")
	})
}

// Who knows the JavaScript server registers for "connection", which is an event like any other here.
func TestConnectionIsNotConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(siotest.Logs)
		srv := siotest.NewServer(t, &socketio.Options{Logger: siotest.Logger(log)})
		srv.On("connection", func(c *socketio.Context) string { return "an event" })
		require.Contains(t, log.String(), "level=WARN")
		require.Contains(t, log.String(), "the event of a new client is connect")
		require.Contains(t, log.String(), "dispatch_unknown_names_test.go")
		p := siotest.Join(t, srv, eiotest.WebSocket)
		p.Send(`21["connection"]`)
		p.Want(`31["an event"]`)
	})
}
