// Package reference_test lists what the tests of the reference server, in JavaScript,
// check, and which of our tests check the same.
package reference_test

import (
	"slices"
	"testing"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/behaviour"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// The tables leave nothing out, and the tests they name exist.
func TestReferenceTables(t *testing.T) {
	behaviour.CheckTable(t, slices.Concat(engineBehaviours, socketBehaviours), behaviour.Numbers("%03d", 184))
}

// The reference server closes the connection of a client that sends an event before it
// knows that it is connected. Here the event waits for the connect handler: it is handled
// if that accepts the client, and dropped if not.
func TestEventsBeforeTheAnswerWait(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		decide := make(chan error, 1)
		for _, ns := range []string{"/", "/refused"} {
			srv.Namespace(ns).On("connect", func(c *socketio.Context) error {
				select {
				case err := <-decide:
					return err
				case <-c.Context().Done():
					return c.Context().Err()
				}
			})
			srv.Namespace(ns).On("e", func(c *socketio.Context, n int) int { return n })
		}
		p := siotest.Dial(t, srv, mode)
		p.Send("0", `21["e",5]`)
		p.Quiet()
		decide <- nil
		p.Connected("/")
		p.Want(`31[5]`)
		p.Send("0/refused,", `2/refused,2["e",5]`)
		p.Quiet()
		decide <- &socketio.Error{Message: "no"}
		p.Want(`4/refused,{"message":"no"}`)
		p.Quiet()
	})
}
