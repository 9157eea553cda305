package adminui

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio"
)

const (
	// maxWaiting and maxWaitingBytes bound what waits to be sent to the pages.
	maxWaiting      = 2048
	maxWaitingBytes = 1 << 20
	// maxTraffic is how many events of clients, in both directions, the pages
	// get in a second.
	maxTraffic = 1000
	// maxArgs is how many bytes of an event's arguments the pages get.
	maxArgs = 8 << 10
)

// feed tells the pages what happens. Hooks put it in a queue, bounded, and one
// goroutine, run, emits it; so nothing waits for a page, and pages get
// things in order. What is too much is dropped: of clients' events without
// replacement, of the rest by sending the whole state again. A page that does
// not read is closed as any slow client is, and gets the whole state when it is
// back.
type feed struct {
	ui    *UI
	pages atomic.Int64 // that have logged in; hooks do nothing without any
	wake  chan struct{}
	since sync.Map // by session id: when it connected
	away  sync.Map // session ids of sockets that have lost their connection and may come back: pages do not have them

	mu      sync.Mutex
	queue   []item
	size    int
	stale   bool      // everyone is to get the whole state
	traffic int       // in the second that began at
	second  time.Time // this time
}

// item is one event for the pages, encoded.
type item struct {
	event string
	args  socketio.Args
	size  int
	to    string // a page; "": all
}

func newFeed(ui *UI) *feed { return &feed{ui: ui, wake: make(chan struct{}, 1)} }

// own reports whether a namespace is that of the pages, which they do not see.
func (f *feed) own(ns string) bool { return ns == f.ui.ns.Name() }

func (f *feed) watches(ns string) bool { return f.pages.Load() > 0 && !f.own(ns) }

// hooks returns what tells the page of everything. It is long because it is a list.
func (f *feed) hooks() socketio.Hooks {
	return socketio.Hooks{
		SocketConnected: func(s *socketio.Socket) {
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
					shown.Rooms = []string{s.ID()} // room_joined tells of the others
				}
				f.state("socket_connected", shown, stamp(now))
			}
		},
		SocketDisconnected: func(s *socketio.Socket, reason socketio.Reason, _ error) {
			ns := s.Namespace().Name()
			if f.own(ns) {
				return
			}
			f.since.Delete(s.ID())
			left := []string{s.ID()} // room_left tells of the others, unless it stays in them
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
		},
		Expired: func(s *socketio.Socket, _ socketio.Expiry) { f.away.Delete(s.ID()) },
		Moved:   func(s *socketio.Socket) { f.away.Delete(s.ID()) },
		ConnectionUpgraded: func(c socketio.Connection) {
			if f.pages.Load() > 0 {
				f.upgraded(c)
			}
		},
		Joined: func(s *socketio.Socket, room string) {
			ns := s.Namespace().Name()
			if f.own(ns) && room == f.ui.room { // it has logged in, and misses nothing from now on
				f.pages.Add(1)
				f.put(item{event: "all_sockets", to: s.ID(), size: 1})
			}
			if _, away := f.away.Load(s.ID()); !away && f.watches(ns) {
				f.state("room_joined", ns, room, s.ID(), stamp(time.Now()))
			}
		},
		Left: func(s *socketio.Socket, room string) {
			ns := s.Namespace().Name()
			if f.own(ns) && room == f.ui.room {
				f.pages.Add(-1)
			}
			if _, away := f.away.Load(s.ID()); !away && f.watches(ns) {
				f.state("room_left", ns, room, s.ID(), stamp(time.Now()))
			}
		},
		Handler: func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
			ns := c.Namespace().Name()
			if e := c.Event(); e != "connect" && e != "disconnect" && f.watches(ns) && f.admit() {
				f.event("event_received", ns, c.ID(), e, c.Args())
			}
			return ctx, nil
		},
		Sent: func(s *socketio.Socket, e *socketio.Emission) {
			if f.watches(e.Namespace) && f.admit() {
				f.event("event_sent", e.Namespace, s.ID(), e.Event, e.Args())
			}
		},
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// admit reports whether the pages get one more event of a client in this second.
func (f *feed) admit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.second) >= time.Second {
		f.second, f.traffic = now, 0
	}
	f.traffic++
	return f.traffic <= maxTraffic
}

// event tells of an event. Its arguments are encoded now: they are the app's.
func (f *feed) event(what, ns, sid, name string, args socketio.Args) {
	list, err := json.Marshal(append(socketio.Args{name}, args...))
	if err == nil && len(list) > maxArgs {
		list, err = json.Marshal([]any{name, fmt.Sprintf("(%d bytes, not shown)", len(list))})
	}
	if err != nil { // such as a value of a parser of one's own
		list, _ = json.Marshal([]any{name, "(not shown: " + err.Error() + ")"})
	}
	f.put(item{event: what, args: socketio.Args{ns, sid, json.RawMessage(list), stamp(time.Now())}, size: 200 + len(list)})
}

// state tells of a change that the page keeps.
func (f *feed) state(event string, args ...any) {
	size := 200
	for _, a := range args {
		if s, ok := a.(string); ok {
			size += len(s)
		} else if _, ok := a.(shownSocket); ok {
			size += 1000
		}
	}
	f.put(item{event: event, args: args, size: size})
}

// put never waits.
func (f *feed) put(it item) {
	f.mu.Lock()
	switch full := len(f.queue) >= maxWaiting || f.size+it.size > maxWaitingBytes; {
	case !full:
		f.queue = append(f.queue, it)
		f.size += it.size
	case it.event != "event_received" && it.event != "event_sent":
		f.stale = true
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// take empties the queue.
func (f *feed) take() (queue []item, stale bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	queue, stale = f.queue, f.stale
	f.queue, f.size, f.stale = nil, 0, false
	return queue, stale
}

// run is the feed's goroutine. It ends with ui.Close.
func (f *feed) run() {
	for {
		select {
		case <-f.ui.closing:
			return
		case <-f.wake:
		}
		queue, stale := f.take()
		for _, it := range queue {
			f.emit(it)
		}
		if !stale {
			continue
		}
		f.emit(item{event: "all_sockets"})
		select { // so that it is not all that is done
		case <-f.ui.closing:
			return
		case <-time.After(time.Second):
		}
	}
}

// emit sends to the pages of this server, which know of its sockets only.
func (f *feed) emit(it item) {
	to := it.to
	if to == "" {
		to = f.ui.room
	}
	var data any = it.args
	if it.event == "all_sockets" {
		data = f.allSockets()
	}
	if err := f.ui.ns.Emit(it.event, data, socketio.Local(), socketio.To(to)); err != nil {
		f.ui.log.Debug("adminui: the pages do not get an event", "event", it.event, "error", err)
	}
}
