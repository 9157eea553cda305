package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// message is what the page sends: some data, a room, or both.
type message struct {
	Data any    `json:"data"`
	Room string `json:"room"`
}

// response is what it gets back: the data, and how many events its sender has
// sent so far.
type response struct {
	Data  any `json:"data"`
	Count int `json:"count"`
}

// newServer returns the demo's Socket.IO server. From the first client on,
// everyone gets an event every so often, until ctx is done.
func newServer(ctx context.Context, every time.Duration) *socketio.Server {
	srv := socketio.NewServer(nil)

	var firstClient sync.Once
	srv.On("connect", func(c *socketio.Context) error {
		firstClient.Do(func() { go background(ctx, srv, every) })
		return c.Emit("my_response", response{Data: "Connected"})
	})

	srv.On("my_event", func(c *socketio.Context, m message) error {
		return c.Emit("my_response", counted(c, m.Data))
	})

	srv.On("my_broadcast_event", func(c *socketio.Context, m message) error {
		return c.Emit("my_response", counted(c, m.Data), socketio.Broadcast())
	})

	srv.On("join", func(c *socketio.Context, m message) error {
		if err := c.Join(m.Room); err != nil {
			return &socketio.Error{Message: err.Error()} // the page shows it
		}
		return c.Emit("my_response", counted(c, "In rooms: "+strings.Join(c.Rooms(), ", ")))
	})

	srv.On("leave", func(c *socketio.Context, m message) error {
		c.Leave(m.Room)
		return c.Emit("my_response", counted(c, "In rooms: "+strings.Join(c.Rooms(), ", ")))
	})

	srv.On("close_room", func(c *socketio.Context, m message) error {
		if err := c.Emit("my_response", counted(c, "Room "+m.Room+" is closing."), socketio.To(m.Room)); err != nil {
			return err
		}
		return srv.CloseRoom(m.Room)
	})

	srv.On("my_room_event", func(c *socketio.Context, m message) error {
		return c.Emit("my_response", counted(c, m.Data), socketio.To(m.Room))
	})

	srv.On("*", func(c *socketio.Context, event string, data any) error {
		return c.Emit("my_response", counted(c, []any{event, data}))
	})

	srv.On("disconnect_request", func(c *socketio.Context) error {
		// The client acknowledges this event: by then it has received it, and
		// it is safe to disconnect.
		received := socketio.OnAck(func(c *socketio.Context) { c.Disconnect() })
		return c.Emit("my_response", counted(c, "Disconnected!"), received)
	})

	srv.On("my_ping", func(c *socketio.Context) error { return c.Emit("my_pong", nil) })

	srv.On("disconnect", func(c *socketio.Context, reason socketio.Reason) {
		fmt.Println("Client disconnected", c.ID(), reason)
	})

	return srv
}

// counted is the response to an event, with the number of events so far, which
// the client's session keeps.
func counted(c *socketio.Context, data any) response {
	return response{Data: data, Count: c.Session().Add("receive_count", 1)}
}

// background shows how a server sends events of its own accord.
func background(ctx context.Context, srv *socketio.Server, every time.Duration) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for count := 1; ; count++ {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			if err := srv.Emit("my_response", response{"Server generated event", count}); err != nil {
				return
			}
		}
	}
}
