// Package moves_test checks that the session of a client that lost its connection goes on on
// whatever server the client comes back to, and that servers which shut down hand their sessions
// over: each event once, in order.
package moves_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// fleet is some servers with recovery, and what their handlers note.
type fleet struct {
	*siotest.Fleet
	rec siotest.Record
}

// newFleet starts servers, called a, b and so on. Their connect handlers note whether the client is
// back, and with which rooms; a new one joins the room "r".
func newFleet(t *testing.T, n int, opts *socketio.Options) *fleet {
	t.Helper()
	var o socketio.Options
	if opts != nil {
		o = *opts
	}
	if o.Recovery == nil {
		o.Recovery = &socketio.Recovery{}
	}
	f := &fleet{Fleet: siotest.NewFleet(t, 0, nil)}
	for range n {
		f.add(&o)
	}
	return f
}

func (f *fleet) add(opts *socketio.Options) *socketio.Server {
	name := string(rune('a' + len(f.Servers)))
	srv := f.Add(opts)
	srv.On("connect", func(c *socketio.Context) error {
		f.rec.Add("%s: connect %v %v", name, c.Recovered(), c.Rooms()[1:])
		if c.Recovered() {
			return nil
		}
		c.Session().Set("began", name)
		return c.Join("r")
	})
	srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
		f.rec.Add("%s: disconnect %v %v", name, why, c.Away())
	})
	srv.OnExpired(func(s *socketio.Socket, why socketio.Expiry) { f.rec.Add("%s: expired %v", name, why) })
	return srv
}
