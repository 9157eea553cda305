package flask_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/internal/wire/flask"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// receiver notes what it is told. It is interested in events for everyone and for the
// rooms that it has.
type receiver struct {
	rooms    []string
	asked    int // calls of Interested
	event    *wire.Event
	question *wire.Question
	command  *wire.Command
	answer   *wire.Answer
	canceled string
}

func (r *receiver) Interested(e *wire.Event) bool {
	r.asked++
	return e.Everyone || slices.ContainsFunc(e.Rooms, func(room string) bool { return slices.Contains(r.rooms, room) })
}

func (r *receiver) Event(e *wire.Event, q *wire.Question) error {
	got := *e
	got.Rooms = slices.Clone(e.Rooms)
	r.event, r.question = &got, q
	return nil
}

func (r *receiver) Command(c wire.Command) error { r.command = &c; return nil }
func (r *receiver) Answer(a *wire.Answer) error  { r.answer = a; return nil }
func (r *receiver) Cancel(host, id string)       { r.canceled = host + " " + id }

// read has one server read what another has written.
func read(t testing.TB, r *receiver, m wire.Message) {
	t.Helper()
	require.Equal(t, "channel", m.Channel)
	own, err := flask.New("reader", "channel").Read(m.Channel, m.Data, r)
	require.NoError(t, err, "%s", m.Data)
	require.False(t, own)
}

// What one server writes another one reads.
func TestEvent(t *testing.T) {
	w := flask.New("writer", "channel")
	for _, e := range []*wire.Event{
		{Namespace: "/", Everyone: true, Name: []byte(`"e"`)},
		{Namespace: "/a", Rooms: []string{"r"}, Name: []byte(`"e"`), Payload: wire.Payload{Args: []byte(`1,"two",[3]`)}},
		{Namespace: "/", Rooms: []string{"r", `"é\`}, Skip: []string{"s"}, Except: []string{"x", "y"}, Name: []byte(`"e"`), Payload: wire.Payload{Args: []byte("null")}},
		{Namespace: "/", Everyone: true, ID: []byte("abc-_123"), Name: []byte(`"e"`), Payload: wire.Payload{Args: []byte("1")}},
		{Namespace: "/", Everyone: true, Volatile: true, NoCompress: true, Name: []byte(`"e"`), Payload: wire.Payload{
			Args: []byte(`{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}`), Attachments: [][]byte{{0, 255}, {}},
		}},
	} {
		r := &receiver{rooms: []string{"r"}}
		read(t, r, w.Event(e))
		if len(e.Args) == 0 {
			r.event.Args = nil
		}
		if e.Everyone {
			r.event.Rooms = nil
		}
		require.Equal(t, e, r.event)
		require.Nil(t, r.question)
	}
}

func TestQuestion(t *testing.T) {
	w, answers := flask.New("writer", "channel"), flask.New("reader", "channel")
	for _, ask := range []wire.Ask{
		{ID: 1},
		{ID: 2, Timeout: 1500 * time.Millisecond, Failures: true},
		{ID: 1<<53 + 1, Timeout: time.Nanosecond, Home: "reader"},
	} {
		r := &receiver{rooms: []string{"r"}}
		read(t, r, w.Event(&wire.Event{Namespace: "/", Rooms: []string{"r"}, Name: []byte(`"e"`), Ask: &ask}))
		q := r.question
		require.NotNil(t, q)
		require.Equal(t, "writer", q.Host)
		require.Equal(t, fmt.Sprint(ask.ID), q.ID)
		require.Equal(t, (ask.Timeout + time.Millisecond - 1).Truncate(time.Millisecond), q.Timeout)
		require.Equal(t, ask.Failures, q.Failures)
		require.Equal(t, ask.Home, q.Home)
		require.True(t, q.Binary)
		for _, a := range []wire.Answer{
			{From: "sid", Payload: wire.Payload{Args: []byte(`1,{"_placeholder":true,"num":0}`), Attachments: [][]byte{{1}}}},
			{From: "sid"},
			{From: "sid", Failed: true},
			{From: "sid", Failed: true, Limit: 10},
		} {
			back := new(receiver)
			m := answers.Answer(q, a)
			own, err := w.Read(m.Channel, m.Data, back)
			require.NoError(t, err)
			require.False(t, own)
			a.ID, a.Namespace = ask.ID, "/"
			require.Equal(t, &a, back.answer)
			own, err = flask.New("third", "channel").Read(m.Channel, m.Data, back)
			require.NoError(t, err)
			require.True(t, own, "it is for the server that asked alone")
		}
	}
}

// Of clients of one server only that one hears, also of those who have left.
func TestHome(t *testing.T) {
	w := flask.New("writer", "channel")
	for home, hears := range map[string]bool{"reader": true, "other": false} {
		r := &receiver{rooms: []string{"sid"}}
		if hears {
			r.rooms = nil
		}
		read(t, r, w.Event(&wire.Event{Namespace: "/", Rooms: []string{"sid"}, Name: []byte(`"e"`), Ask: &wire.Ask{ID: 1, Home: home}}))
		require.Equal(t, hears, r.event != nil)
	}
}

func TestCommands(t *testing.T) {
	w := flask.New("writer", "channel")
	for _, c := range []wire.Command{
		{Do: wire.Join, Namespace: "/", SID: "sid", Room: "room"},
		{Do: wire.Leave, Namespace: "/a", SID: "sid", Room: "room"},
		{Do: wire.Disconnect, Namespace: "/", SID: "sid"},
		{Do: wire.CloseRoom, Namespace: "/", Room: "room"},
	} {
		r := new(receiver)
		read(t, r, w.Command(c))
		require.Equal(t, &c, r.command)
	}
	r := new(receiver)
	read(t, r, w.Cancel("/", 17))
	require.Equal(t, "writer 17", r.canceled)
}

// A server does not look at what it has published itself, but that it is its own.
func TestOwnMessages(t *testing.T) {
	w, r := flask.New("writer", "channel"), new(receiver)
	for _, m := range []wire.Message{
		w.Event(&wire.Event{Namespace: "/", Everyone: true, Name: []byte(`"e"`)}),
		w.Command(wire.Command{Do: wire.CloseRoom, Namespace: "/", Room: "room"}),
		w.Cancel("/", 1),
	} {
		own, err := w.Read(m.Channel, m.Data, r)
		require.NoError(t, err)
		require.True(t, own)
	}
	require.Equal(t, receiver{}, *r)
}

// An event that reaches no client of this server is not read to its end, if the payload comes
// last. Errors in what is not read are not reported.
func TestEventWithoutRecipientsIsNotReadToItsEnd(t *testing.T) {
	const address = `"method":"emit","host_id":"h","namespace":"/","room":"empty"`
	r := new(receiver)
	own, err := flask.New("reader", "channel").Read("channel", []byte(`{`+address+`,"event":"e","data":broken`), r)
	require.NoError(t, err)
	require.False(t, own)
	require.Equal(t, receiver{asked: 1}, *r)
	_, err = flask.New("reader", "channel").Read("channel", []byte(`{"event":"e","data":broken:,`+address+`}`), r)
	require.Error(t, err)
}

// Messages of Flask-SocketIO and its older versions, and what is no message.
func TestRead(t *testing.T) {
	const end = `, "namespace": "/", "room": null, "skip_sid": null, "callback": null, "host_id": "d46c"}`
	for _, c := range []struct{ msg, args string }{
		{`{"method": "emit", "event": "e", "data": [1, "two", null], "binary": false` + end, `1, "two", null`},
		{`{"method": "emit", "event": "e", "data": [null]` + end, ``},
		{`{"method": "emit", "event": "e", "data": [null], "argc": 1` + end, `null`},
		{`{"method": "emit", "event": "e", "data": {"a": 1}` + end, `{"a": 1}`},
		{`{"method": "emit", "event": "e", "data": [NaN, [-Infinity, "NaN"], 1]` + end, `null, [null, "NaN"], 1`},
		{"{\"method\": \"emit\", \"event\": \"e\", \"data\": [\"\xff\"]" + end, "\"\ufffd\""},
		{`{"method": "emit", "event": "e", "data": [[{"_placeholder": true, "num": 0}], "AQ=="], "binary": true` + end, `{"_placeholder": true, "num": 0}`},
	} {
		r := new(receiver)
		_, err := flask.New("reader", "channel").Read("channel", []byte(c.msg), r)
		require.NoError(t, err, c.msg)
		require.Equal(t, c.args, string(r.event.Args), c.msg)
	}
	for _, msg := range []string{
		``, `x`, `[]`, `{`, `{"method":"emit"}`, `{"method":"what","namespace":"/"}`, "\x80\x04pickle",
		`{"method":"emit","namespace":"/","room":null,"event":"e"}`,
		`{"method":"emit","namespace":"/","room":null,"event":"e","data":[[],5],"binary":true}`,
		`{"method":"emit","namespace":"/","room":null,"event":"e","data":[[],"%"],"binary":true}`,
		`{"method":"emit","namespace":"/","room":null,"event":"e","data":[],"binary":true}`,
		`{"method":"emit","namespace":"/","room":null,"event":"e","data":[],"except":[""]}`,
		`{"method":"enter_room","namespace":"/","sid":"s"}`, `{"method":"close_room","namespace":"/","room":""}`, `{"method":"disconnect","sid":"s"}`,
		`{"method":"callback","host_id":"reader","namespace":"/","id":"x","args":[]}`, `{"method":"callback","host_id":"reader","namespace":"/","id":1}`,
	} {
		r := new(receiver)
		_, err := flask.New("reader", "channel").Read("channel", []byte(msg), r)
		require.Error(t, err, msg)
		require.Nil(t, r.event)
	}
}

// A timeout that is no number, or that no timer takes, is none that does harm.
func TestTimeouts(t *testing.T) {
	for text, want := range map[string]time.Duration{
		`"x"`: -1, `-5`: -1, `null`: -1, `0`: 0, `1`: time.Millisecond, `1e3`: -1, `9223372036854775807`: 365 * 24 * time.Hour,
	} {
		r := new(receiver)
		_, err := flask.New("reader", "channel").Read("channel", []byte(`{"method":"emit","host_id":"h","namespace":"/","room":null,"callback":["r","/",1],"timeout":`+text+`,"event":"e","data":[]}`), r)
		require.NoError(t, err)
		require.Equal(t, want, r.question.Timeout, text)
	}
}

// Whatever arrives, Read returns, and what it passes on fits the message.
func FuzzRead(f *testing.F) {
	w := flask.New("writer", "channel")
	for _, e := range []*wire.Event{
		{Namespace: "/", Everyone: true, Name: []byte(`"e"`), Payload: wire.Payload{Args: []byte("1")}},
		{Namespace: "/a", Rooms: []string{"r", "q"}, Name: []byte(`"e"`), Payload: wire.Payload{Attachments: [][]byte{{1}}}, Ask: &wire.Ask{ID: 5, Home: "reader"}},
	} {
		f.Add(w.Event(e).Data)
	}
	f.Add(w.Cancel("/", 1).Data)
	f.Add([]byte(`{"method":"callback","host_id":"reader","sid":"s","namespace":"/","id":1,"args":[NaN]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &receiver{rooms: []string{"r"}}
		own, err := flask.New("reader", "channel").Read("channel", data, r)
		if (own || err != nil) && (r.event != nil || r.command != nil || r.answer != nil) {
			t.Fatalf("%q is carried out, with %v", data, err)
		}
		if r.event != nil && slices.Contains(r.event.Rooms, "") {
			t.Fatalf("%q is for a room without a name", data)
		}
	})
}

// nobody is a receiver that is interested in nothing.
type nobody struct{ receiver }

func (*nobody) Interested(*wire.Event) bool { return false }

func BenchmarkReadNobody(b *testing.B) {
	payload := strings.Repeat(`{"id":1,"name":"some name here","tags":["a","b"]},`, 80)
	for name, msg := range map[string]string{
		"python": `{"method": "emit", "event": "news", "data": [` + payload + `1], "binary": false, "namespace": "/", "room": "elsewhere", "skip_sid": null, "callback": null, "host_id": "0123456789abcdef0123456789abcdef"}`,
		"go":     `{"method":"emit","host_id":"0123456789abcdef0123456789abcdef","namespace":"/","room":"elsewhere","skip_sid":null,"callback":null,"event":"news","binary":false,"data":[` + payload + `1]}`,
	} {
		b.Run("from="+name, func(b *testing.B) {
			w, r, data := flask.New("reader", "channel"), new(nobody), []byte(msg)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if own, err := w.Read("channel", data, r); own || err != nil {
					b.Fatal(errors.Join(err, errors.New("own")))
				}
			}
		})
	}
}

func BenchmarkEvent(b *testing.B) {
	w := flask.New("writer", "channel")
	e := &wire.Event{Namespace: "/", Rooms: []string{"room"}, Name: []byte(`"news"`), Payload: wire.Payload{Args: []byte(`"` + strings.Repeat("x", 4096) + `"`)}}
	b.ReportAllocs()
	for b.Loop() {
		w.Event(e)
	}
}

// What cannot be an event's id is none; the event arrives nevertheless.
func TestEventID(t *testing.T) {
	for text, want := range map[string]string{
		`"x"`: "x", `null`: "", `""`: "", `7`: "", `["x"]`: "", `"a\"b"`: "", `"` + strings.Repeat("x", wire.MaxEventID) + `"`: strings.Repeat("x", wire.MaxEventID),
		`"` + strings.Repeat("x", wire.MaxEventID+1) + `"`: "",
	} {
		r := new(receiver)
		_, err := flask.New("reader", "channel").Read("channel", []byte(`{"method":"emit","host_id":"h","namespace":"/","room":null,"event_id":`+text+`,"event":"e","data":[]}`), r)
		require.NoError(t, err)
		require.Equal(t, want, string(r.event.ID), text)
	}
}
