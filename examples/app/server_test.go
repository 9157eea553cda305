package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// bubble runs a test with the demo's server, in a synctest bubble.
func bubble(t *testing.T, f func(t *testing.T, srv *socketio.Server)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		srv := newServer(ctx, 10*time.Second)
		t.Cleanup(func() {
			cancel()
			assert.NoError(t, srv.Shutdown(context.WithoutCancel(ctx)))
		})
		f(t, srv)
	})
}

// join connects a client and takes the greeting off its events.
func join(t *testing.T, srv *socketio.Server) *socketiotest.Client {
	t.Helper()
	client := socketiotest.Connect(t, srv, nil)
	client.Expect("my_response", response{"Connected", 0})
	return client
}

func TestEcho(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		ann, bob := join(t, srv), join(t, srv)

		ann.Emit("my_event", message{Data: "hello"})
		ann.Expect("my_response", response{"hello", 1})
		ann.Emit("my_event", message{Data: []int{1, 2}})
		ann.Expect("my_response", response{[]int{1, 2}, 2})
		bob.ExpectNothing()

		ann.Emit("my_broadcast_event", message{Data: "all"})
		ann.Expect("my_response", response{"all", 3})
		bob.Expect("my_response", response{"all", 3})

		// The count is the sender's.
		bob.Emit("my_event", message{Data: "mine"})
		bob.Expect("my_response", response{"mine", 1})

		ann.Emit("my_ping")
		ann.Expect("my_pong")
		bob.ExpectNothing()
	})
}

func TestRooms(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		ann, bob, eve := join(t, srv), join(t, srv), join(t, srv)

		assert.Zero(t, ann.Call("join", message{Room: "lobby"}).Len(), "what the acknowledgement carries")
		reply := ann.Next()
		var in struct{ Data string }
		reply.Bind(&in)
		assert.Contains(t, []string{"In rooms: lobby, " + ann.ID(), "In rooms: " + ann.ID() + ", lobby"}, in.Data)
		bob.Call("join", message{Room: "lobby"})
		bob.Next()

		// Whoever writes need not be a member.
		eve.Emit("my_room_event", message{Room: "lobby", Data: "hi"})
		ann.Expect("my_response", response{"hi", 1})
		bob.Expect("my_response", response{"hi", 1})
		eve.ExpectNothing()

		bob.Emit("leave", message{Room: "lobby"})
		bob.Expect("my_response", response{"In rooms: " + bob.ID(), 2})
		eve.Emit("my_room_event", message{Room: "lobby", Data: "anybody?"})
		ann.Expect("my_response", response{"anybody?", 2})
		bob.ExpectNothing()

		eve.Emit("close_room", message{Room: "lobby"})
		ann.Expect("my_response", response{"Room lobby is closing.", 3})
		eve.Emit("my_room_event", message{Room: "lobby", Data: "nobody"})
		ann.ExpectNothing()
		n, err := srv.CountRoom("lobby")
		assert.NoError(t, err)
		assert.Zero(t, n)

		// A private room stays private.
		var answer struct{ Error socketio.Error }
		eve.Call("join", message{Room: ann.ID()}).Bind(&answer)
		assert.NotEmpty(t, answer.Error.Message)
		eve.ExpectNothing()
	})
}

func TestCatchAll(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		ann := join(t, srv)
		ann.Emit("surprise", map[string]int{"a": 1})
		ann.Expect("my_response", response{[]any{"surprise", map[string]int{"a": 1}}, 1})
		ann.Emit("nothing")
		ann.Expect("my_response", response{[]any{"nothing", nil}, 2})
	})
}

func TestDisconnectRequest(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		ann := join(t, srv)
		ann.Emit("disconnect_request")
		goodbye := ann.Expect("my_response", response{"Disconnected!", 1})
		require.True(t, goodbye.WantsAck())
		synctest.Wait()
		assert.True(t, ann.Connected(), "the server disconnected before the client acknowledged")
		goodbye.Ack()
		assert.Equal(t, "io server disconnect", ann.WaitDisconnect())
	})
}

func TestBackground(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		time.Sleep(time.Minute) // nobody is there: nothing is counted
		ann := join(t, srv)
		time.Sleep(9 * time.Second)
		bob := join(t, srv)
		ann.ExpectNothing()

		time.Sleep(time.Second)
		ann.Expect("my_response", response{"Server generated event", 1})
		bob.Expect("my_response", response{"Server generated event", 1})
		time.Sleep(10 * time.Second)
		ann.Expect("my_response", response{"Server generated event", 2})
		bob.Expect("my_response", response{"Server generated event", 2})
	})
}
