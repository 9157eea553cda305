package standby

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/internal/wire/flask"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const (
	host    = "0123456789abcdef0123456789abcdef"
	channel = "channel"
	sid     = "sid"
)

// server is one whose order and history a test makes up.
type server struct {
	*Sequence
	offsets  *recovery.Offsets
	history  []broker.Message
	readings int
}

func newServer() *server {
	offsets := recovery.NewOffsets()
	s := &server{Sequence: NewSequence(offsets), offsets: offsets}
	s.Ready("p000")
	return s
}

// receive has the server receive the next message of the history.
func (s *server) receive(m broker.Message) {
	s.Begin(m.Position)
	s.End()
}

// id returns the id of an event that the server emits now.
func (s *server) id() []byte {
	s.Lock()
	defer s.Unlock()
	return s.Next().Append(nil)
}

// publish appends an event to the history.
func (s *server) publish(from, channel string, e *wire.Event) broker.Message {
	if e.Namespace == "" {
		e.Namespace = "/"
	}
	return s.put(channel, flask.New(from, channel).Event(e).Data)
}

func (s *server) put(channel string, data []byte) broker.Message {
	m := broker.Message{Channel: channel, Data: data, Position: broker.Position(fmt.Sprintf("p%03d", len(s.history)+1))}
	s.history = append(s.history, m)
	return m
}

func named(name string, id []byte) *wire.Event {
	return &wire.Event{Everyone: true, Name: []byte(`"` + name + `"`), ID: id}
}

func (s *server) snapshot(rooms ...string) *Snapshot {
	s.Lock()
	defer s.Unlock()
	return &Snapshot{
		Host: host, Prefix: s.offsets.Prefix(), Base: s.Now(), Now: s.Now().Place,
		Session: &migration.Session{Key: make([]byte, 32), SID: sid, Namespace: "/", Rooms: rooms},
	}
}

// reads returns how the history of the server is read, of which the service keeps what is after a position.
func (s *server) reads(kept broker.Position) HistoryReader {
	return HistoryReader{
		After: func(ctx context.Context, at broker.Position, to broker.Subscriber) error {
			s.readings++
			if at < kept {
				to.Gap(broker.ErrGap)
			}
			for _, m := range s.history {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if m.Position > max(at, kept) {
					to.Handle(m)
				}
			}
			to.Ready(broker.Position(fmt.Sprintf("p%03d", len(s.history))))
			return ctx.Err()
		},
		Any: flask.New("", channel), Host: func(server string) wire.Wire { return flask.New(server, channel) },
		Members: "members", Journal: "journal", Limit: 10_000, Memory: 1 << 24,
		Encode: func(e *wire.Event, asks bool) (migration.Packet, error) {
			return migration.Packet{Offset: string(e.ID), Text: string(e.Name)}, nil
		},
		Moves: func(order []byte) bool { return strings.Contains(string(order), "moves") },
	}
}

// rebuild reads the history since the snapshot.
func (s *server) rebuild(t *testing.T, snap *Snapshot) (*migration.Session, *Order, error) {
	t.Helper()
	form, err := snap.Encode()
	require.NoError(t, err)
	read, err := Decode(form)
	require.NoError(t, err)
	r := NewRebuild(read, "")
	_, later, err := s.reads("").Read(t.Context(), []*Rebuild{r})
	require.NoError(t, err)
	require.Empty(t, later)
	return r.Finish()
}

func names(s *migration.Session) (all []string) {
	for _, p := range s.Packets {
		all = append(all, strings.Trim(p.Text, `"`))
	}
	return all
}

func offset(id []byte) recovery.Offset {
	o, _ := recovery.ParseOffset(string(id))
	return o
}

// Events come in the order of their server, whatever the order in which they got into the history,
// and are for the rooms in which the client was at that place.
func TestOrder(t *testing.T) {
	s := newServer()
	s.receive(s.publish("other", channel, named("before", []byte("other-00A"))))
	s.id() // emitted and confirmed before
	snap := s.snapshot("r")

	first := s.id()                                                       // own, before anything is received
	two := s.publish("other", channel, named("two", []byte("other-00B"))) // of another server
	one := s.publish(host, channel, named("one", first))                  // into the history only now
	room := s.publish("other", channel, &wire.Event{Rooms: []string{"r"}, Name: []byte(`"three"`), ID: []byte("other-00C")})
	s.receive(two)
	s.receive(one)
	fourth := s.id() // before "three" is received
	s.receive(room)
	s.Lock()
	left := Change{Place: s.Now().Place, Room: "r", Left: true}
	joined := Change{Place: s.Now().Place, Room: "x"}
	s.Unlock()
	snap.Changes, snap.Now, snap.Session.Rooms = []Change{left, joined}, left.Place, []string{"x"}
	inX, inR := s.id(), s.id()
	s.publish(host, channel, named("2b", fourth))
	s.publish(host, "journal", &wire.Event{Rooms: []string{"x"}, Name: []byte(`"four"`), ID: inX})
	s.publish(host, channel, &wire.Event{Rooms: []string{"x"}, Name: []byte(`"four"`), ID: inX}) // the same
	s.publish(host, channel, &wire.Event{Rooms: []string{"r"}, Name: []byte(`"no"`), ID: inR})
	s.publish("other", "journal", named("no", []byte("other-00D")))
	s.publish("other", channel, &wire.Event{Everyone: true, Skip: []string{sid}, Name: []byte(`"no"`), ID: []byte("other-00E")})
	s.publish("other", channel, &wire.Event{Everyone: true, Except: []string{"x"}, Name: []byte(`"no"`), ID: []byte("other-00F")})
	s.publish("other", channel, &wire.Event{Everyone: true, Volatile: true, Name: []byte(`"no"`)})
	s.publish("other", channel, &wire.Event{Namespace: "/other", Everyone: true, Name: []byte(`"no"`), ID: []byte("other-00G")})
	s.put(channel, flask.New("other", channel).Command(wire.Command{Do: wire.Join, Namespace: "/", SID: sid, Room: "y"}).Data)
	s.put(channel, flask.New("other", channel).Command(wire.Command{Do: wire.Join, Namespace: "/", SID: "another", Room: "z"}).Data)
	s.put(channel, []byte("nonsense"))
	s.put("members", []byte("nonsense"))
	s.publish("other", channel, &wire.Event{Rooms: []string{"y", "z"}, Name: []byte(`"five"`), ID: []byte("other-00H")})
	s.put(channel, flask.New("other", channel).Command(wire.Command{Do: wire.CloseRoom, Namespace: "/", Room: "x"}).Data)
	s.publish("other", channel, &wire.Event{Rooms: []string{"x", "z"}, Name: []byte(`"no"`), ID: []byte("other-00I")})

	m, order, err := s.rebuild(t, snap)
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two", "2b", "three", "four", "five"}, names(m))
	require.Equal(t, []string{"y"}, m.Rooms)
	for _, known := range [][]byte{first, []byte("other-00B"), fourth, []byte("other-00C"), inX, []byte("unknown")} {
		assert.Equal(t, offset(known), order.KnownOffset(offset(known)))
	}
	assert.Equal(t, offset(inX), order.KnownOffset(offset(inR)), "what was not for the client comes after what was")
	assert.Equal(t, offset(inX), order.KnownOffset(offset(s.id())), "it was not published")

	// What the client has confirmed is left out.
	for start, want := range map[string][]string{
		"":             {"one", "two", "2b", "three", "four", "five"},
		"unknown":      {"one", "two", "2b", "three", "four", "five"},
		string(first):  {"two", "2b", "three", "four", "five"},
		"other-00B":    {"2b", "three", "four", "five"},
		string(fourth): {"three", "four", "five"},
		string(inR):    {"five"},
	} {
		snap.Session.Start = start
		m, order, err := s.rebuild(t, snap)
		require.NoError(t, err)
		require.Equal(t, want, names(m), start)
		if start == string(fourth) {
			assert.Equal(t, offset(first), order.KnownOffset(offset(first)), "it is before what is known")
		}
	}
}

// A session of which anything is uncertain is an error.
func TestUncertainSessionsAreErrors(t *testing.T) {
	for want, change := range map[error]func(s *server){
		ErrEnded: func(s *server) {
			s.put(channel, flask.New("other", channel).Command(wire.Command{Do: wire.Disconnect, Namespace: "/", SID: sid}).Data)
		},
		errTooLarge: func(s *server) {
			s.publish("other", channel, named(strings.Repeat("x", 10_001), []byte("other-00A")))
		},
	} {
		s := newServer()
		snap := s.snapshot()
		change(s)
		_, _, err := s.rebuild(t, snap)
		require.ErrorIs(t, err, want)
	}
	s := newServer()
	s.publish("other", channel, named("e", nil))
	r := NewRebuild(s.snapshot(), "")
	_, later, err := s.reads("p001").Read(t.Context(), []*Rebuild{r})
	require.NoError(t, err)
	require.Empty(t, later)
	_, _, err = r.Finish()
	require.ErrorIs(t, err, broker.ErrGap)
}

// A mark is before a step, and not long before.
func TestMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		for range 2 * maxMarks {
			s.receive(s.put(channel, nil))
			time.Sleep(markEvery)
		}
		s.Lock()
		defer s.Unlock()
		now := s.Now()
		m, ok := s.Before(now.Step())
		require.True(t, ok)
		require.Equal(t, now.Received-1, m.Received)
		_, ok = s.Before(1)
		require.False(t, ok)
		require.Len(t, s.marks, maxMarks)
	})
	var none *Sequence
	none.Lock()
	defer none.Unlock()
}

// Whatever is in the store is read or refused, and what is read can be rebuilt.
func FuzzDecode(f *testing.F) {
	s := newServer()
	snap := s.snapshot("r")
	snap.Changes = []Change{{Place{1, 1}, "r", false}}
	form, err := snap.Encode()
	require.NoError(f, err)
	f.Add(form)
	f.Add([]byte(`{"v":1,"session":null}`))
	f.Fuzz(func(t *testing.T, form []byte) {
		snap, err := Decode(form)
		if err != nil {
			return
		}
		again, err := json.Marshal(snap)
		require.NoError(t, err)
		if _, err = Decode(again); len(again) <= MaxSnapshot {
			require.NoError(t, err)
		}
		r := NewRebuild(snap, "")
		s := newServer()
		s.publish("other", channel, named("e", []byte("other-00A")))
		s.reads("").Read(t.Context(), []*Rebuild{r})
		_, order, err := r.Finish()
		require.NoError(t, err)
		order.KnownOffset(offset([]byte(snap.Session.Start)))
	})
}

func TestDecodeNonsense(t *testing.T) {
	s := newServer()
	for _, change := range []func(*Snapshot){
		func(s *Snapshot) { s.Session = nil },
		func(s *Snapshot) { s.Session.Key = nil },
		func(s *Snapshot) { s.Prefix = "" },
		func(s *Snapshot) { s.Base.At = "" },
		func(s *Snapshot) { s.Base.Received = 1 },
	} {
		snap := s.snapshot()
		change(snap)
		form, err := snap.Encode()
		require.NoError(t, err)
		_, err = Decode(form)
		require.ErrorIs(t, err, errNoForm)
	}
	for _, form := range []string{"", "{}", "[]", `{"v":2}`, strings.Repeat("x", MaxSnapshot+1)} {
		_, err := Decode([]byte(form))
		require.Error(t, err)
	}
	snap := s.snapshot(strings.Repeat("x", MaxSnapshot))
	_, err := snap.Encode()
	require.ErrorIs(t, err, errTooLarge)
}

// source is a session of a test.
type source struct {
	mu      sync.Mutex
	form    string
	version uint64
	taken   int
	written int
}

func (s *source) Snapshot() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written++
	if s.form == "" {
		return nil
	}
	return []byte(s.form)
}

func (s *source) Version() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

func (s *source) Taken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken++
}

func (s *source) set(form string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.form = form
}

func TestPlacesAreOrdered(t *testing.T) {
	places := []Place{{2, 1}, {1, 2}, {1, 1}, {0, 5}}
	slices.SortFunc(places, Place.Compare)
	require.Equal(t, []Place{{0, 5}, {1, 1}, {1, 2}, {2, 1}}, places)
	require.False(t, errors.Is(ErrEnded, ErrUncertain))
}
