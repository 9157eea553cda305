package socketio_test

import (
	"fmt"
	"strings"
	"testing"

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

// Without an error handler the log tells of an event whose client waits in vain: once, and of so many at most.
func TestUnknownEventIsLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := new(logs)
		srv := newServer(t, &socketio.Options{Logger: logger(log)})
		p := join(t, srv, eiotest.WebSocket)
		p.send(`2["quiet"]`, `21["mispelt"]`, `22["mispelt"]`)
		p.quiet()
		require.Equal(t, 1, strings.Count(log.String(), "level=WARN"))
		require.Contains(t, log.String(), "event=mispelt")
		require.Contains(t, log.String(), "no handler for the event")
		for i := range 100 {
			p.send(fmt.Sprintf(`21["made up %d"]`, i))
		}
		p.quiet()
		require.Equal(t, 32, strings.Count(log.String(), "level=WARN"))
	})
}

// Who knows the JavaScript server registers for "connection", which is an event like any other here.
func TestConnectionIsNotConnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := new(logs)
		srv := newServer(t, &socketio.Options{Logger: logger(log)})
		srv.On("connection", func(c *socketio.Context) string { return "an event" })
		require.Contains(t, log.String(), "level=WARN")
		require.Contains(t, log.String(), `that is \"connect\"`)
		require.Contains(t, log.String(), "unknown_events_test.go")
		p := join(t, srv, eiotest.WebSocket)
		p.send(`21["connection"]`)
		p.want(`31["an event"]`)
	})
}
