package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// newServer returns the demo's Socket.IO server. From the first client on,
// everyone gets an event every so often, until ctx is done.
func newServer(ctx context.Context, every time.Duration) *socketio.Server {
	srv := socketio.NewServer(nil)
	srv.Register("/", &rooms{ctx: ctx, all: srv.Namespace("/"), every: every})
	return srv
}

// rooms has a method for each event: OnMyEvent for "my_event" and so on. One
// value serves all clients at once; what belongs to a client is in its session.
type rooms struct {
	ctx   context.Context
	all   *socketio.Namespace // everyone
	every time.Duration
	first sync.Once
}

// message is what the page sends: some data, a room, or both.
type message struct {
	Data any    `json:"data"`
	Room string `json:"room"`
}

// response is what it gets back.
type response struct {
	Data  any `json:"data"`
	Count int `json:"count"`
}

func (n *rooms) OnConnect(c *socketio.Context) error {
	n.first.Do(func() { go n.background() })
	return c.Emit("my_response", response{Data: "Connected"})
}

func (n *rooms) OnDisconnect(c *socketio.Context, reason socketio.Reason) {
	fmt.Println("Client disconnected", c.ID(), reason)
}

func (n *rooms) OnMyEvent(c *socketio.Context, m message) error {
	return respond(c, m.Data)
}

func (n *rooms) OnMyBroadcastEvent(c *socketio.Context, m message) error {
	return respond(c, m.Data, socketio.Broadcast())
}

func (n *rooms) OnJoin(c *socketio.Context, m message) error {
	if err := c.Join(m.Room); err != nil {
		return err
	}
	return respond(c, "In rooms: "+strings.Join(c.Rooms(), ", "))
}

func (n *rooms) OnLeave(c *socketio.Context, m message) error {
	c.Leave(m.Room)
	return respond(c, "In rooms: "+strings.Join(c.Rooms(), ", "))
}

func (n *rooms) OnCloseRoom(c *socketio.Context, m message) error {
	if err := respond(c, "Room "+m.Room+" is closing.", socketio.To(m.Room)); err != nil {
		return err
	}
	return n.all.CloseRoom(m.Room)
}

func (n *rooms) OnMyRoomEvent(c *socketio.Context, m message) error {
	return respond(c, m.Data, socketio.To(m.Room))
}

func (n *rooms) OnDisconnectRequest(c *socketio.Context) error {
	err := respond(c, "Disconnected!")
	c.Disconnect() // arrives after the response
	return err
}

func (n *rooms) OnMyPing(c *socketio.Context) error {
	return c.Emit("my_pong", nil)
}

// respond emits a response to whom the options say, by default to the sender,
// with the number of events that the sender has sent so far.
func respond(c *socketio.Context, data any, to ...socketio.EmitOption) error {
	count := c.Session().Add("receive_count", 1)
	return c.Emit("my_response", response{data, count}, to...)
}

// background shows how a server sends events of its own accord. It is no
// handler: no client can reach a method whose name does not begin with On.
func (n *rooms) background() {
	ticks := time.NewTicker(n.every)
	defer ticks.Stop()
	for count := 1; ; count++ {
		select {
		case <-n.ctx.Done():
			return
		case <-ticks.C:
			if err := n.all.Emit("my_response", response{"Server generated event", count}); err != nil {
				return
			}
		}
	}
}
