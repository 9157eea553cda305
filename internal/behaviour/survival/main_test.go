// Package survival_test checks that the sessions of a server that is killed go on on another one, if
// the broker keeps a history and records: each event once, in order, or the client is a new one.
package survival_test

import (
	"testing"
	"testing/synctest"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// fleet is some servers with recovery, and what their handlers note.
type fleet struct {
	*siotest.Fleet
	rec siotest.Record
}

// newFleet starts servers, called a, b and so on, on a service that keeps messages. Their connect
// handlers note whether the client is back, and with which rooms; a new one joins the room "r".
func newFleet(t *testing.T, n, keep int) *fleet {
	t.Helper()
	f := &fleet{Fleet: siotest.NewFleet(t, 0, nil)}
	f.Service = &brokertest.Memory{Keep: keep}
	for range n {
		f.add(new(socketio.Options))
	}
	return f
}

func (f *fleet) add(opts *socketio.Options) *socketio.Server {
	name := string(rune('a' + len(f.Servers)))
	if opts.Recovery == nil {
		opts.Recovery = &socketio.Recovery{}
	}
	srv := f.Add(opts)
	srv.On("connect", func(c *socketio.Context) error {
		f.rec.Add("%s: connect %v %v", name, c.Recovered(), c.Rooms()[1:])
		if c.Recovered() {
			return nil
		}
		c.Session().Set("began", name)
		return c.Join("r")
	})
	srv.On("reply", func(c *socketio.Context, n int) error { return c.Emit("replied", n) })
	return srv
}

// kill stops a server without a word: it is cut off, and its client loses its connection. It lives on,
// unheard.
func (f *fleet) kill(i int, clients ...*siotest.Returner) {
	synctest.Wait()
	f.Service.Cut(f.Brokers[i])
	for _, c := range clients {
		c.Drop()
	}
}
