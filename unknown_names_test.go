package socketio_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Decision 8: an unknown event stays unanswered but is reported to the error handler, once.
func TestUnknownEvent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		var rec record
		srv.OnError(func(c *socketio.Context, err error) any {
			require.ErrorIs(t, err, socketio.ErrNoHandler)
			rec.add("%s %v", c.Event(), c.Args())
			return 1
		})
		p := join(t, srv, eiotest.WebSocket)
		p.send(`2["quiet"]`, `21["asked",2]`)
		p.quiet()
		rec.want(t, "asked [2]")
	})
}

// The log tells of an event that nothing handles, acknowledged or not: once for
// each name, of so many by name, and of the others now and then.
func TestUnknownEventIsLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := new(logs)
		srv := newServer(t, &socketio.Options{Logger: logger(log)})
		srv.On("new message", func(c *socketio.Context) {})
		p := join(t, srv, eiotest.WebSocket)
		p.send(`2["quiet"]`, `2["quiet"]`, `21["mispelt"]`, `22["mispelt"]`)
		p.quiet()
		require.Equal(t, 2, strings.Count(log.String(), "level=WARN"))
		require.Contains(t, log.String(), "event=mispelt")
		require.Contains(t, log.String(), "no handler for the event")
		require.NotContains(t, log.String(), "did_you_mean")
		p.send(`2["newMesage"]`)
		p.quiet()
		require.Contains(t, log.String(), `event=newMesage did_you_mean="new message"`)
		for i := range 1000 {
			p.send(fmt.Sprintf(`2["made up %d\u001b[31m%s"]`, i, strings.Repeat("x", 1000)))
		}
		p.quiet()
		require.Equal(t, 33, strings.Count(log.String(), "level=WARN"))
		require.NotContains(t, log.String(), "\x1b")
		require.Less(t, len(log.String()), 33*500)
		time.Sleep(time.Minute)
		p.send(`2["made up"]`)
		p.quiet()
		require.Equal(t, 34, strings.Count(log.String(), "level=WARN"))
		require.Contains(t, log.String(), "omitted=970")
	})
}

// An error handler hears of events whose client waits, and the log of the others.
func TestUnknownEventIsLoggedBesideAnErrorHandler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := new(logs)
		srv := newServer(t, &socketio.Options{Logger: logger(log)})
		srv.OnError(func(c *socketio.Context, err error) any { return nil })
		p := join(t, srv, eiotest.WebSocket)
		p.send(`21["asked"]`, `2["quiet"]`)
		p.quiet()
		require.Equal(t, 1, strings.Count(log.String(), "level=WARN"))
		require.Contains(t, log.String(), "event=quiet")
	})
}

func TestUnknownNamespaceIsLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := new(logs)
		srv := newServer(t, &socketio.Options{Logger: logger(log), Namespaces: []string{"/news"}})
		srv.Namespace("/chat").On("x", func(c *socketio.Context) {})
		p := join(t, srv, eiotest.WebSocket)
		for _, ns := range []string{"/Chat", "/Chat", "/nwes", "/" + strings.Repeat("x", 2000)} {
			p.send("0" + ns + ",")
			p.want("4" + ns + `,{"message":"Invalid namespace"}`)
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
	bubble(t, func(t *testing.T) {
		log := new(logs)
		srv := newServer(t, &socketio.Options{Logger: logger(log)})
		srv.On("a", func(c *socketio.Context, n int) {})
		srv.On("*", func(c *socketio.Context, event string, n int) {})
		p := join(t, srv, eiotest.WebSocket)
		for i := range 1000 {
			p.send(`2["a","x"]`, fmt.Sprintf(`2["made up %d","x"]`, i))
		}
		require.NoError(t, srv.Emit("q", nil, socketio.OnAck(func(c *socketio.Context, n int) {})))
		p.send("3" + p.wantAckEvent(`["q"]`) + `["x"]`)
		p.quiet()
		require.Equal(t, 3, strings.Count(log.String(), "level=WARN"), "for each handler")
		require.EqualValues(t, 2001, srv.Stats().HandlerErrors)
		time.Sleep(time.Minute)
		p.send(`2["a","x"]`)
		p.quiet()
		require.Equal(t, 4, strings.Count(log.String(), "level=WARN"))
		require.Contains(t, log.String(), "omitted=999")
	})
}

func TestSimilarNames(t *testing.T) {
	names := []string{"say", "message", "new_message", "room:join", "/chat", "*"}
	for name, want := range map[string]string{
		"Say": "say", "sya": "", "mesage": "message", "massage": "message", "newMessage": "new_message", "room-join": "room:join",
		"joinroom": "", "/Chat/": "/chat", "caht": "/chat", "": "", "x": "", "quite different": "", "say": "",
		strings.Repeat("message", 100): "", "\xff": "",
	} {
		require.Equal(t, want, socketio.SimilarName(name, names), name)
	}
}

// Who knows the JavaScript server registers for "connection", which is an event like any other here.
func TestConnectionIsNotConnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := new(logs)
		srv := newServer(t, &socketio.Options{Logger: logger(log)})
		srv.On("connection", func(c *socketio.Context) string { return "an event" })
		require.Contains(t, log.String(), "level=WARN")
		require.Contains(t, log.String(), `that is \"connect\"`)
		require.Contains(t, log.String(), "unknown_names_test.go")
		p := join(t, srv, eiotest.WebSocket)
		p.send(`21["connection"]`)
		p.want(`31["an event"]`)
	})
}
