package adminui

import (
	"context"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// hooks returns the hooks that put everything that happens into the feed.
func (f *feed) hooks() socketio.Hooks {
	return socketio.Hooks{
		SocketConnected:    f.connected,
		SocketDisconnected: f.disconnected,
		Expired:            func(s *socketio.Socket, _ socketio.Expiry) { f.away.Delete(s.ID()) },
		Moved:              func(s *socketio.Socket) { f.away.Delete(s.ID()) },
		ConnectionUpgraded: func(c socketio.Connection) {
			if f.pages.Load() > 0 {
				f.upgraded(c)
			}
		},
		Joined:  f.joined,
		Left:    f.left,
		Handler: f.handled,
		Sent: func(s *socketio.Socket, e *socketio.Emission) {
			if f.watches(e.Namespace) && f.admit() {
				f.event("event_sent", e.Namespace, s.ID(), e.Event, e.Args())
			}
		},
	}
}

func (f *feed) connected(s *socketio.Socket) {
	ns := s.Namespace().Name()
	if f.own(ns) {
		return
	}
	now := time.Now()
	f.since.Store(s.ID(), now)
	_, back := f.away.LoadAndDelete(s.ID())
	if f.watches(ns) {
		shown := f.serialize(s)
		if !back {
			shown.Rooms = []string{s.ID()} // the page gets a room_joined for each other room
		}
		f.state("socket_connected", shown, stamp(now))
	}
}

func (f *feed) disconnected(s *socketio.Socket, reason socketio.Reason, _ error) {
	ns := s.Namespace().Name()
	if f.own(ns) {
		return
	}
	f.since.Delete(s.ID())
	left := []string{s.ID()} // the page gets a room_left for each other room, unless the socket stays in them
	if s.Away() {
		f.away.Store(s.ID(), true)
		left = s.Rooms()
	}
	if f.watches(ns) {
		now := stamp(time.Now())
		for _, room := range left {
			f.state("room_left", ns, room, s.ID(), now)
		}
		f.state("socket_disconnected", ns, s.ID(), reason, now)
	}
}

func (f *feed) joined(s *socketio.Socket, room string) {
	ns := s.Namespace().Name()
	if f.own(ns) && room == f.ui.room { // a page has logged in, and misses nothing from now on
		f.pages.Add(1)
		f.put(item{event: "all_sockets", to: s.ID(), size: 1})
	}
	if _, away := f.away.Load(s.ID()); !away && f.watches(ns) {
		f.state("room_joined", ns, room, s.ID(), stamp(time.Now()))
	}
}

func (f *feed) left(s *socketio.Socket, room string) {
	ns := s.Namespace().Name()
	if f.own(ns) && room == f.ui.room {
		f.pages.Add(-1)
	}
	if _, away := f.away.Load(s.ID()); !away && f.watches(ns) {
		f.state("room_left", ns, room, s.ID(), stamp(time.Now()))
	}
}

func (f *feed) handled(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
	ns := c.Namespace().Name()
	if e := c.Event(); e != "connect" && e != "disconnect" && f.watches(ns) && f.admit() {
		f.event("event_received", ns, c.ID(), e, c.Args())
	}
	return ctx, nil
}
