package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

// book has what the server knows of its clients, and the faults that it has found.
type book struct {
	settle  time.Duration // how long after its end a socket's callbacks of OnAck may run
	stall   atomic.Int64  // the longest time in which the process did nothing, in ns
	beats   atomic.Int64  // counts beats of a clock that stops while the process does nothing
	promise string        // the promise that is broken now and then
	sockets sync.Map      // *entry by session id, from connect to disconnect

	connects, disconnects, events, asked, answered atomic.Int64

	mu      sync.Mutex // protects the following
	ended   []*entry   // not yet reported to the process of the clients
	reasons map[string]int
	faults  int
	first   []string
}

// entry is one socket.
type entry struct {
	sid, ns string
	auth    workload.SoakAuth

	mu       sync.Mutex // protects the following
	handled  int64      // the last Seq
	rooms    []string
	asks     int64           // questions so far
	open     map[int64]int64 // checksums of the unanswered ones, by Seq
	answered int64
	reason   string
	left     int64  // when, by book.beats
	away     bool   // the client has lost its connection and may be back
	held     func() // emits a message that sabotage delays
}

func newBook() *book { return &book{reasons: map[string]int{}} }

// shown is how many faults are kept in full.
const shown = 20

func (b *book) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults++
	if len(b.first) < shown {
		b.first = append(b.first, fmt.Sprintf(format, args...))
	}
}

func (b *book) connect(c *socketio.Context, auth workload.SoakAuth) error {
	b.connects.Add(1)
	if b.promise == breakMemory {
		go leak()
	}
	if c.Recovered() {
		return b.back(c)
	}
	e := &entry{sid: c.ID(), ns: c.Namespace().Name(), auth: auth, open: map[int64]int64{}}
	if _, was := b.sockets.LoadOrStore(c.ID(), e); was {
		b.fault("%s: connected twice", e)
	}
	return nil
}

func (b *book) disconnect(c *socketio.Context, why socketio.Reason) error {
	b.disconnects.Add(1)
	v, ok := b.sockets.Load(c.ID())
	if !ok {
		b.fault("a disconnect handler ran (%s) for a socket that is not connected", why)
		return nil
	}
	e := v.(*entry)
	e.mu.Lock()
	if e.away {
		b.fault("%s: its disconnect handler ran twice", e)
	}
	e.away, e.reason, e.left = c.Away(), string(why), b.beats.Load()
	gone := !e.away
	e.mu.Unlock()
	b.checkRooms(e, c.Rooms(), "its disconnect handler ran")
	b.mu.Lock()
	b.reasons[string(why)]++
	b.mu.Unlock()
	if gone {
		b.end(e)
	}
	return nil
}

// end notes the end of a socket.
func (b *book) end(e *entry) {
	b.sockets.Delete(e.sid)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = append(b.ended, e)
}

// back is connect for a client that has come back to its session.
func (b *book) back(c *socketio.Context) error {
	v, ok := b.sockets.Load(c.ID())
	if !ok {
		b.fault("a client is recovered that was not there")
		return nil
	}
	e := v.(*entry)
	e.mu.Lock()
	if !e.away {
		b.fault("%s: is recovered before its disconnect handler ran", e)
	}
	e.away = false
	e.mu.Unlock()
	b.checkRooms(e, c.Rooms(), "it was recovered")
	return nil
}

// expired is called for sessions whose client has not come back.
func (b *book) expired(s *socketio.Socket, why socketio.Expiry) {
	v, ok := b.sockets.Load(s.ID())
	if !ok {
		b.fault("a session expired (%s) that was not there", why)
		return
	}
	e := v.(*entry)
	if why != socketio.ExpiredWindow && why != socketio.ExpiredClientDisconnect {
		b.fault("%s: its session expired: %s", e, why)
	}
	e.mu.Lock()
	if !e.away {
		b.fault("%s: its session expired before its disconnect handler ran", e)
	}
	e.left = b.beats.Load()
	e.mu.Unlock()
	b.checkRooms(e, s.Rooms(), "its session expired")
	b.end(e)
}

// checkRooms compares the rooms of a socket with those that it has joined.
func (b *book) checkRooms(e *entry, got []string, when string) {
	e.mu.Lock()
	rooms := append([]string{e.sid}, e.rooms...)
	e.mu.Unlock()
	slices.Sort(rooms[1:])
	if !slices.Equal(got, rooms) {
		b.fault("%s: in rooms %v when %s, joined %v", e, got, when, rooms)
	}
}

// String names the socket in a fault.
func (e *entry) String() string {
	return fmt.Sprintf("client %d.%d in %s", e.auth.Client, e.auth.Life, e.ns)
}

// handle is called first by every handler of an event.
func (b *book) handle(c *socketio.Context, h workload.Head) (*entry, error) {
	b.events.Add(1)
	v, ok := b.sockets.Load(c.ID())
	if !ok {
		b.fault("event %s number %d was handled outside of connect and disconnect", c.Event(), h.Seq)
		return nil, socketio.ErrClosed
	}
	e := v.(*entry)
	e.mu.Lock()
	last := e.handled
	e.handled = h.Seq
	e.mu.Unlock()
	if h.Seq != last+1 {
		b.fault("%s: event %s number %d was handled after number %d", e, c.Event(), h.Seq, last)
	}
	return e, nil
}

// check compares the checksum of a payload.
func check[T string | []byte](b *book, e *entry, what string, h workload.Head, payload T) {
	if sum := workload.SoakSum(payload); sum != h.Sum {
		b.fault("%s: %s %d arrived with %d bytes and checksum %x, sent with %x", e, what, h.Seq, len(payload), sum, h.Sum)
	}
}

// ask notes a question to the client.
func (b *book) ask(e *entry, h workload.Head) workload.Head {
	b.asked.Add(1)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asks++
	h.Seq = e.asks
	e.open[h.Seq] = h.Sum
	return h
}

// answer notes its answer.
func answer[T string | []byte](b *book, e *entry, h workload.Head, payload T) {
	b.answered.Add(1)
	e.mu.Lock()
	sum, ok := e.open[h.Seq]
	delete(e.open, h.Seq)
	e.answered++
	e.mu.Unlock()
	switch {
	case !ok:
		b.fault("%s: question %d was answered twice or never asked", e, h.Seq)
	case sum != h.Sum:
		b.fault("%s: question %d was answered with another one's checksum", e, h.Seq)
	}
	check(b, e, "answer", h, payload)
}

// beat is the time between two beats. On a busy machine time passes in which the process cannot run.
const beat = 100 * time.Millisecond

// keepTime beats until the context ends.
func (b *book) keepTime(ctx context.Context) {
	t := time.NewTicker(beat)
	defer t.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			b.beats.Add(1)
			now := time.Now()
			b.stall.Store(max(b.stall.Load(), int64(now.Sub(last)-beat)))
			last = now
		}
	}
}

// takeEnded returns the sockets that have ended before the time to settle, each once.
func (b *book) takeEnded() []workload.SoakEnded {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []workload.SoakEnded
	b.ended = slices.DeleteFunc(b.ended, func(e *entry) bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		if time.Duration(b.beats.Load()-e.left)*beat < b.settle {
			return false
		}
		all = append(all, workload.SoakEnded{SID: e.sid, NS: e.ns, SoakAuth: e.auth, Handled: e.handled, Answered: e.answered, Reason: e.reason})
		return true
	})
	return all
}

func (b *book) status(srv *socketio.Server) workload.SoakStatus {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s := workload.SoakStatus{
		HeapLive: int64(m.HeapAlloc), HeapInUse: int64(m.HeapInuse), Goroutines: runtime.NumGoroutine(), Descriptors: descriptors(),
		Connects: b.connects.Load(), Disconnects: b.disconnects.Load(),
		Stats:  statsOf(srv),
		Stall:  b.stall.Load(),
		Events: b.events.Load(), Asked: b.asked.Load(), Answered: b.answered.Load(),
	}
	for _, v := range b.sockets.Range {
		e := v.(*entry)
		e.mu.Lock()
		if !e.away {
			s.Sockets++
		}
		e.mu.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Reasons, s.Faults, s.First = maps.Clone(b.reasons), b.faults, slices.Clone(b.first)
	return s
}

func statsOf(srv *socketio.Server) workload.SoakStats {
	st := srv.Stats()
	s := workload.SoakStats{Rooms: st.Rooms, Connections: st.Polling + st.WebSocket, QueuedBytes: st.QueuedBytes,
		Opened: st.Opened, Panics: st.Panics, ConnectErrors: st.ConnectErrors}
	for _, n := range st.Sockets {
		s.Sockets += n
	}
	for _, n := range st.Closed {
		s.Closed += n
	}
	for _, n := range st.LimitHits {
		s.LimitHits += n
	}
	return s
}

// descriptors returns how many files are open.
func descriptors() int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(names) - 1 // the folder itself
}

// index returns the members of all rooms.
func index(srv *socketio.Server, rooms int) workload.SoakIndex {
	all := workload.SoakIndex{}
	for _, name := range workload.SoakNamespaces {
		ns := srv.Namespace(name)
		of := map[string][]string{"": nil} // everyone, also if there is nobody
		for s := range ns.Sockets() {
			of[""] = append(of[""], s.ID())
		}
		for i := range rooms {
			room := workload.SoakRoom(i)
			if sids, err := ns.Members(room); err == nil && len(sids) > 0 {
				of[room] = sids
			}
		}
		all[name] = of
	}
	return all
}

// logHandler returns a log handler for which warnings are faults, because clients of the soak do nothing
// that deserves one.
func (b *book) logHandler() slog.Handler { return logHandler{b} }

type logHandler struct{ b *book }

func (logHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (h logHandler) WithAttrs([]slog.Attr) slog.Handler             { return h }
func (h logHandler) WithGroup(string) slog.Handler                  { return h }
func (h logHandler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	h.b.fault("log: %s", text)
	return nil
}
