package adminui

import (
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
	// maxTraffic is how many events from and to clients the pages get in a second.
	maxTraffic = 1000
	// maxArgs is how many bytes of an event's arguments the pages get.
	maxArgs = 8 << 10
)

// feed sends the pages what happens. The hooks append to a bounded queue, and one
// goroutine, run, emits what is in it: so nothing waits for a page, and the pages get
// everything in order. When the queue is full, events of clients are dropped; instead of
// anything else that is dropped, the pages get the whole state again. A page that does not
// read is closed like any slow client, and gets the whole state when it is back.
type feed struct {
	ui    *UI
	pages atomic.Int64 // pages that have logged in; the hooks do nothing while there are none
	wake  chan struct{}
	since sync.Map // session id to the time when the socket connected
	away  sync.Map // session ids of sockets that have lost their connection and may come back: the pages do not show them

	mu      sync.Mutex
	queue   []item
	size    int
	stale   bool      // all pages need the whole state
	traffic int       // events of clients in the present second
	second  time.Time // when the present second began
}

// item is one event for the pages, encoded.
type item struct {
	event string
	args  socketio.Args
	size  int
	to    string // a page; "": all
}

func newFeed(ui *UI) *feed { return &feed{ui: ui, wake: make(chan struct{}, 1)} }

// own reports whether a namespace is that of the pages. The pages do not show it.
func (f *feed) own(ns string) bool { return ns == f.ui.ns.Name() }

// watches reports whether a page shows a namespace.
func (f *feed) watches(ns string) bool { return f.pages.Load() > 0 && !f.own(ns) }

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

// event puts an event of a client into the queue. It encodes the arguments at once, because they belong to
// the application, which may change them.
func (f *feed) event(what, ns, sid, name string, args socketio.Args) {
	list, err := json.Marshal(append(socketio.Args{name}, args...))
	if err == nil && len(list) > maxArgs {
		list, err = json.Marshal([]any{name, fmt.Sprintf("(%d bytes, not shown)", len(list))})
	}
	if err != nil { // for example a value that only the application's parser can encode
		list, _ = json.Marshal([]any{name, "(not shown: " + err.Error() + ")"})
	}
	f.put(item{event: what, args: socketio.Args{ns, sid, json.RawMessage(list), stamp(time.Now())}, size: 200 + len(list)})
}

// state puts a change of the state that the pages show into the queue.
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

// put appends to the queue. It never waits.
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

// run is the feed's goroutine. It ends when UI.Close is called.
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
		select { // a pause, so that a server under load does not send its state all the time
		case <-f.ui.closing:
			return
		case <-time.After(time.Second):
		}
	}
}

// emit sends to the pages that are connected to this server: they get the sockets of this server only.
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
