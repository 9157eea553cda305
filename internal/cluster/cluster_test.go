package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/internal/wire/flask"
	"github.com/seed-d124fa34/socketio/parser"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// server is a Cluster with a Host that has clients in "/", which are rooms of their own,
// and Members that know nobody.
type server struct {
	*cluster.Cluster
	id     string
	broker broker.Broker
	logs   bytes.Buffer
	during func(e *wire.Event) // called in Deliver

	mu        sync.Mutex
	clients   []string
	log       []string
	questions []*cluster.Question
	ended     int               // of the questions
	unheard   error             // what Reachable returns
	panics    bool              // in Deliver
	received  func(data string) // a message of the members; nil: nothing happens
}

func (s *server) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

// take returns what has been noted since the last call.
func (s *server) take() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log
	s.log = nil
	return log
}

func (s *server) Interested(e *wire.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.Everyone || slices.ContainsFunc(e.Rooms, func(room string) bool { return slices.Contains(s.clients, room) })
}

func (s *server) Deliver(e *wire.Event, q *cluster.Question) error {
	if s.panics {
		panic("a parser")
	}
	s.note("%s %s", e.Name, e.Args)
	if s.during != nil {
		s.during(e)
	}
	if q != nil {
		s.questions = append(s.questions, q)
		q.Wait(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.ended++
		})
	}
	return nil
}

func (s *server) Apply(c wire.Command) error {
	s.note("%d %s %s", c.Do, c.SID, c.Room)
	return nil
}

func (s *server) WaitIdle(context.Context) error { s.note("idle"); return nil }
func (s *server) Busy() func()                   { return func() {} }
func (s *server) Panicked(v any)                 { s.note("panic: %v", v) }

func (s *server) Connected(resumed bool) {
	if resumed {
		s.note("resumed")
		return
	}
	s.note("connected")
}
func (s *server) Disconnected() { s.note("disconnected") }
func (s *server) ReceiveMissed(data []byte) error {
	s.note("missed member: %s", data)
	return nil
}
func (s *server) Receive(data []byte) error {
	s.note("member: %s", data)
	if s.received != nil {
		s.received(string(data))
	}
	return nil
}
func (s *server) Reachable(string) error { return s.unheard }
func (s *server) Names() []string        { return []string{s.id} }

func (m members) Ask(_ context.Context, q fleet.Question) ([]fleet.Reply, error) {
	m.note("asked %s", q.Content)
	return nil, nil
}

func (m members) Endpoint(context.Context, string) (*url.URL, error) { return nil, nil }

// members is a server as its Cluster's Members: it has another Close.
type members struct{ *server }

func (m members) Close() { m.note("bye") }

// asker notes what it hears.
type asker struct{ *server }

func (a asker) Answered(sid string, args parser.Args) {
	var v any
	if args.Len() > 0 {
		_ = args.Bind(0, &v)
	}
	a.note("%q answers %v", sid, v)
}

func (a asker) Failed(sid string, err error) { a.note("%q fails: %v", sid, err) }

// start starts servers on one service.
func start(t *testing.T, ids ...string) (*brokertest.Memory, []*server) {
	return startOn(t, new(brokertest.Memory), ids...)
}

func startOn(t *testing.T, service *brokertest.Memory, ids ...string) (*brokertest.Memory, []*server) {
	var all []*server
	for _, id := range ids {
		b := service.Connect()
		s := &server{id: id, clients: []string{"client of " + id}, broker: b}
		s.Cluster = cluster.New(cluster.Options{
			Host: s, ID: id, Wire: flask.New(id, "channel"), Broker: b, Codec: parser.New(nil),
			Logger: slog.New(slog.NewTextHandler(&s.logs, nil)), ProbeChannel: "channel", Limit: broker.DefaultQueueLimit, AckTimeout: time.Minute,
			Replay: flask.New("", "channel"), CaptureLimit: captureLimit,
		})
		s.Start(members{s}, "members")
		t.Cleanup(func() {
			require.NoError(t, s.Close(context.Background()))
			require.NoError(t, b.Close())
		})
		require.Equal(t, []string{"connected"}, s.take())
		all = append(all, s)
	}
	return service, all
}

func event(name string, rooms ...string) *wire.Event {
	return &wire.Event{Namespace: "/", Everyone: len(rooms) == 0, Rooms: rooms, Name: []byte(`"` + name + `"`), Payload: wire.Payload{Args: []byte("1")}}
}

func ask(s *server, id uint64, clients map[string]string) *cluster.Ask {
	return &cluster.Ask{ID: id, Namespace: "/", Asker: asker{s}, Clients: clients, Failures: true}
}

// Events and commands reach the other servers, and not their own.
func TestEmitAndDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := start(t, "a", "b", "c")
		require.NoError(t, s[0].Emit(event("e"), nil))
		require.NoError(t, s[0].Emit(event("e", "client of c", "nobody"), nil))
		require.NoError(t, s[0].Do(wire.Command{Do: wire.Leave, Namespace: "/", SID: "sid", Room: "room"}))
		require.NoError(t, s[0].PutTransient("members", []byte("hello")))
		_, err := s[0].Ask(t.Context(), fleet.Question{Content: []byte("1")})
		require.NoError(t, err)
		require.Equal(t, []string{"a"}, s[0].Servers())
		require.ElementsMatch(t, []string{"asked 1", "member: hello"}, s[0].take())
		require.Equal(t, []string{`"e" 1`, "1 sid room", "member: hello"}, s[1].take())
		require.Equal(t, []string{`"e" 1`, `"e" 1`, "1 sid room", "member: hello"}, s[2].take())
		st := s[2].Status()
		require.EqualValues(t, 3, st.Received)
		require.Zero(t, st.Ignored)
	})
}

// Of known clients each is heard of once; nobody else's answer counts.
func TestAskClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := start(t, "a", "b", "c")
		args := parserArgs(t, `37["yes"]`)
		clients := map[string]string{"client of b": "b", "client of c": "c", "left b": "b"}
		require.NoError(t, s[0].Emit(event("e"), ask(s[0], 1, clients)))
		require.Equal(t, []string{`"left b" fails: the client has left`}, s[0].take())
		require.Len(t, s[1].questions, 1)
		for range 2 {
			require.NoError(t, s[1].questions[0].Answered("client of b", args))
			require.NoError(t, s[1].questions[0].Answered("stranger", args))
		}
		require.Equal(t, []string{`"client of b" answers yes`}, s[0].take())
		s[2].questions[0].Failed("client of c", 10)
		require.Equal(t, []string{`"client of c" fails: the client owes 10 acknowledgements`}, s[0].take())
		asks, _ := s[0].Pending()
		require.Zero(t, asks)
		for _, srv := range s[1:] {
			srv.questions[0].Done()
			_, questions := srv.Pending()
			require.Zero(t, questions)
		}
	})
}

// Without a Timeout a question waits until Cancel, which the other servers hear of.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := start(t, "a", "b")
		require.NoError(t, s[0].Emit(event("e"), ask(s[0], 1, map[string]string{"client of b": "b"})))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Zero(t, s[1].ended)
		s[0].Cancel(1)
		s[0].Cancel(1)
		synctest.Wait()
		require.Equal(t, 1, s[1].ended)
		require.NoError(t, s[1].questions[0].Answered("client of b", parserArgs(t, `37[]`)))
		require.Empty(t, s[0].take(), "it is too late")
	})
}

// A Timeout ends both sides.
func TestTimeout(t *testing.T) {
	for _, callerEnds := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			_, s := start(t, "a", "b")
			a := ask(s[0], 1, map[string]string{"client of b": "b"})
			a.Timeout, a.CallerEnds = time.Second, callerEnds
			require.NoError(t, s[0].Emit(event("e"), a))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			require.Equal(t, 1, s[1].ended)
			if callerEnds {
				require.Empty(t, s[0].take())
				before := s[0].Status().Published
				s[0].Cancel(1)
				synctest.Wait()
				require.Equal(t, before, s[0].Status().Published, "they know")
			} else {
				require.Equal(t, []string{`"client of b" fails: ` + cluster.ErrTimeout.Error()}, s[0].take())
			}
			asks, _ := s[0].Pending()
			require.Zero(t, asks)
		})
	}
}

// Where it is not known who is asked, everybody may answer, who says so once.
func TestAskARoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s := start(t, "a", "b")
		python := service.Connect()
		defer python.Close()
		answer := func(from string) {
			require.NoError(t, python.Publish(t.Context(), "channel", []byte(`{"method":"callback","host_id":"a","sid":"room","namespace":"/","id":1,"args":[]`+from+`}`)))
		}
		a := ask(s[0], 1, nil)
		a.Timeout = time.Second
		require.NoError(t, s[0].Emit(event("e"), a))
		for range 2 {
			answer("")
			answer(`,"from":"x"`)
		}
		require.Equal(t, []string{`"" answers <nil>`, `"x" answers <nil>`, `"" answers <nil>`}, s[0].take())
		time.Sleep(2 * time.Second)
		require.Empty(t, s[0].take(), "who has not answered is not known")

		a.ID, a.PerhapsOne = 1, true
		require.NoError(t, s[0].Emit(event("e"), a))
		time.Sleep(2 * time.Second)
		require.Equal(t, []string{`"" fails: ` + cluster.ErrTimeout.Error()}, s[0].take())
	})
}

// Of a name that may be a room's, the first answer counts.
func TestAskAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s := start(t, "a")
		python := service.Connect()
		defer python.Close()
		a := ask(s[0], 1, nil)
		a.Named = "name"
		require.NoError(t, s[0].Emit(event("e", "name"), a))
		for i := range 2 {
			require.NoError(t, python.Publish(t.Context(), "channel", fmt.Appendf(nil, `{"method":"callback","host_id":"a","sid":"name","namespace":"/","id":1,"args":[%d]}`, i)))
		}
		require.Equal(t, []string{`"name" answers 0`}, s[0].take())
	})
}

// An outage ends what known clients are asked, and so does the loss of their server.
// Those who do not know that they are asked no more hear of it when they hear of the
// loss.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, s := start(t, "a", "b")
		errGone := errors.New("gone")
		clients := map[string]string{"client of b": "b"}
		require.NoError(t, s[0].Emit(event("e"), ask(s[0], 1, clients)))
		timed := ask(s[0], 2, clients)
		timed.Timeout = time.Hour
		require.NoError(t, s[0].Emit(event("e"), timed))
		s[0].Lost("c", errGone, true)
		require.Empty(t, s[0].take())
		s[0].Lost("b", errGone, true)
		require.Equal(t, []string{`"client of b" fails: gone`, `"client of b" fails: gone`}, s[0].take())
		s[1].Lost("a", errGone, false)
		require.Equal(t, 1, s[1].ended, "the other one has a timeout")
		s[1].Lost("a", errGone, true)
		require.Equal(t, 2, s[1].ended)

		require.NoError(t, s[0].Emit(event("e"), ask(s[0], 3, clients)))
		require.NoError(t, s[0].Emit(event("e"), ask(s[0], 4, nil)))
		synctest.Wait()
		service.Stop()
		require.Equal(t, []string{"disconnected", `"client of b" fails: ` + cluster.ErrUnavailable.Error()}, s[0].take())
		asks, _ := s[0].Pending()
		require.Equal(t, 1, asks, "a room may still answer")
		service.Start()
		time.Sleep(10 * time.Second)

		s[0].take()
		s[0].unheard = errGone
		require.NoError(t, s[0].Emit(event("e"), ask(s[0], 5, clients)))
		require.Equal(t, []string{`"client of b" fails: gone`}, s[0].take())
	})
}

// Close ends what waits for answers; nothing is asked from then on.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := start(t, "a")
		require.NoError(t, s[0].Emit(event("e"), ask(s[0], 1, map[string]string{"x": ""})))
		require.NoError(t, s[0].Close(t.Context()))
		require.Equal(t, []string{"bye", `"x" fails: ` + cluster.ErrClosed.Error(), "idle"}, s[0].take())
		require.ErrorIs(t, s[0].Emit(event("e"), ask(s[0], 2, nil)), cluster.ErrUnavailable)
		require.ErrorIs(t, s[0].Emit(event("e"), nil), cluster.ErrUnavailable)
	})
}

// Neither a message that is none nor a panic of a parser ends the subscription.
func TestBadMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := start(t, "a", "b")
		require.NoError(t, s[0].PutTransient("channel", []byte("nonsense")))
		s[1].panics = true
		require.NoError(t, s[0].Emit(event("e"), nil))
		require.Equal(t, []string{"panic: a parser"}, s[1].take())
		s[1].panics = false
		require.NoError(t, s[0].Emit(event("e"), nil))
		require.Equal(t, []string{`"e" 1`}, s[1].take())
		require.EqualValues(t, 2, s[1].Status().Ignored)
	})
}

func parserArgs(t *testing.T, packet string) parser.Args {
	p, err := parser.DecodeAll(parser.New(nil), parser.Limits{}, []byte(packet), nil)
	require.NoError(t, err)
	return p.Args
}
