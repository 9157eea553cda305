package flask_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// What Flask-SocketIO, python-socketio and their older versions publish, as
// captured from Redis, and what a client here gets of it. SID and ROOM are the
// client's session id and a room it is in.
func TestQueueAccepts(t *testing.T) {
	const end = `, "namespace": "/", "room": null, "skip_sid": null, "callback": null, "host_id": "d46c"}`
	for _, test := range []struct {
		msg  string
		want []string
	}{
		// The data of an event.
		{`{"method": "emit", "event": "e1", "data": [null], "binary": false` + end, []string{`2["e1"]`}},
		{`{"method": "emit", "event": "e4", "data": [1, "two", null], "binary": false` + end, []string{`2["e4",1, "two", null]`}},
		{`{"method": "emit", "event": "e3", "data": [[1, 2]], "binary": false` + end, []string{`2["e3",[1, 2]]`}},
		{`{"method": "emit", "event": "e5", "data": [], "binary": false` + end, []string{`2["e5"]`}},
		{`{"method": "emit", "event": "e5", "data": [ ], "binary": false` + end, []string{`2["e5"]`}},
		{`{"method": "emit", "event": "e6", "data": ["x", "x"], "binary": false` + end, []string{`2["e6","x", "x"]`}},
		{`{"method": "emit", "event": "e7", "data": [[{"a": {"_placeholder": true, "num": 0}}, [{"_placeholder": true, "num": 1}], 3], "AQ==", "Ag=="], "binary": true` + end,
			[]string{`52-["e7",{"a": {"_placeholder": true, "num": 0}}, [{"_placeholder": true, "num": 1}], 3]`, "b:\x01", "b:\x02"}},
		{`{"method": "emit", "event": "e", "data": [[{"_placeholder": true, "num": 0}], ""], "binary": true` + end,
			[]string{`51-["e",{"_placeholder": true, "num": 0}]`, "b:"}},
		{`{"method": "emit", "event": "e", "data": [[1]], "binary": true` + end, []string{`2["e",1]`}}, // no attachments

		// To whom.
		{`{"method": "emit", "event": "e8", "data": [1], "binary": false, "namespace": "/", "room": ["r1", "ROOM", "SID"], "skip_sid": ["other"], "callback": null, "host_id": "d46c"}`, []string{`2["e8",1]`}},
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/", "room": "ROOM", "skip_sid": "SID", "callback": null, "host_id": "d46c"}`, nil},
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/", "room": "ROOM", "skip_sid": ["x", "SID"], "callback": null, "host_id": "d46c"}`, nil},
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/", "room": "ROOM", "host_id": "d46c"}`, []string{`2["e",1]`}},
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/", "room": "SID", "host_id": "d46c"}`, []string{`2["e",1]`}},
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/", "room": "r1", "host_id": "d46c"}`, nil},
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/", "room": [], "host_id": "d46c"}`, nil},
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/", "room": "", "host_id": "d46c"}`, nil},
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/", "room": 5, "host_id": "d46c"}`, []string{`2["e",1]`}}, // a number is a name, too
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/", "room": [4, 5], "host_id": "d46c"}`, []string{`2["e",1]`}},
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/x", "room": null, "host_id": "d46c"}`, nil},
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/"}`, []string{`2["e",1]`}}, // no host: processed by all
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/", "room": null, "host_id": null}`, []string{`2["e",1]`}},
		{`{"host_id": "d46c", "room": null, "namespace": "/", "data": [1], "event": "e", "method": "emit", "unknown": {"x": [1]}}`, []string{`2["e",1]`}},

		// Callbacks of other lengths ask for nothing.
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/", "room": "SID", "callback": ["a", "b"], "host_id": "d46c"}`, []string{`2["e",1]`}},
		{`{"method": "emit", "event": "e", "data": [1], "namespace": "/", "room": "SID", "callback": [], "host_id": "d46c"}`, []string{`2["e",1]`}},

		// Older shapes: the argument is not in a list; no "binary".
		{`{"method": "emit", "event": "e", "data": "foo"` + end, []string{`2["e","foo"]`}},
		{`{"method": "emit", "event": "e", "data": {"a": 1}` + end, []string{`2["e",{"a": 1}]`}},
		{`{"method": "emit", "event": "e", "data": 7` + end, []string{`2["e",7]`}},
		{`{"method": "emit", "event": "e", "data": null` + end, []string{`2["e"]`}},
		{`{"method": "emit", "event": "e", "data": [{"_placeholder": true, "num": 0}, "AQ=="], "binary": true` + end,
			[]string{`51-["e",{"_placeholder": true, "num": 0}]`, "b:\x01"}},
		{`{"method": "emit", "event": "e", "data": ["text", "AQ=="], "binary": true` + end,
			[]string{`51-["e","text"]`, "b:\x01"}},

		// What Python writes and JSON does not have, or hardly anybody reads.
		{`{"method": "emit", "event": "e", "data": [NaN, [-Infinity, {"NaN": Infinity}], "NaN \" Infinity"], "binary": false` + end, []string{`2["e",null, [null, {"NaN": null}], "NaN \" Infinity"]`}},
		{`{"method": "emit", "event": "e", "data": [123456789012345678901234567890, 1e999], "binary": false` + end, []string{`2["e",123456789012345678901234567890, 1e999]`}},
		{`{"method": "emit", "event": "\u00e9\u20ac", "data": ["\ud83d\ude00 \u00e9 \ud800"], "binary": false` + end, []string{`2["\u00e9\u20ac","\ud83d\ude00 \u00e9 \ud800"]`}},
		{"{\"method\": \"emit\", \"event\": \"e\", \"data\": [\"\xff\"]" + end, []string{"2[\"e\",\"\ufffd\"]"}},
		{"\t{ \"method\" :\"emit\",\n\"event\":\"e\" ,\"data\": [ 1 ]" + end + "\n", []string{`2["e",1]`}},

		// Extensions of ours.
		{`{"method": "emit", "event": "e", "data": [null], "argc": 1` + end, []string{`2["e",null]`}},
		{`{"method": "emit", "event": "e", "data": [1], "except": ["ROOM"]` + end, nil},
		{`{"method": "emit", "event": "e", "data": [1], "except": ["SID"]` + end, nil},
		{`{"method": "emit", "event": "e", "data": [1], "except": ["r1"], "volatile": false, "compress": false` + end, []string{`2["e",1]`}},
	} {
		t.Run(test.msg, func(t *testing.T) {
			siotest.InFleet(t, 1, func(t *testing.T, f *siotest.Fleet) {
				p, tap := siotest.Join(t, f.Servers[0], eiotest.WebSocket), siotest.NewTap(f)
				for _, room := range []string{"room", "5"} {
					require.NoError(t, f.Servers[0].JoinRoom(p.SID, room))
				}
				tap.Publish(strings.NewReplacer("SID", p.SID, "ROOM", "room").Replace(test.msg))
				require.Equal(t, test.want, p.Received())
				st := f.Servers[0].BrokerStatus()
				require.EqualValues(t, 0, st.Ignored)
				require.EqualValues(t, 1, st.Received)
				require.Empty(t, tap.Published()) // nothing in return
			})
		})
	}
}

func TestQueueAcceptsOperations(t *testing.T) {
	siotest.InFleet(t, 1, func(t *testing.T, f *siotest.Fleet) {
		srv := f.Servers[0]
		var r siotest.Record
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { r.Add("%s", why) })
		p, tap := siotest.Join(t, srv, eiotest.WebSocket), siotest.NewTap(f)
		do := func(msg string) {
			t.Helper()
			tap.Publish(strings.ReplaceAll(msg, "SID", p.SID))
			tap.Published()
		}
		do(`{"method": "enter_room", "sid": "SID", "room": "rr", "namespace": "/", "host_id": "d46c"}`)
		do(`{"method": "enter_room", "sid": "SID", "room": 7, "namespace": "/", "host_id": "d46c"}`)
		do(`{"method": "enter_room", "sid": "SID", "room": "no", "namespace": "/x", "host_id": "d46c"}`)
		do(`{"method": "enter_room", "sid": "other", "room": "no", "namespace": "/", "host_id": "d46c"}`)
		require.Equal(t, []string{p.SID, "7", "rr"}, srv.Rooms(p.SID))
		do(`{"method": "leave_room", "sid": "SID", "room": "rr", "namespace": "/", "host_id": "d46c"}`)
		do(`{"method": "leave_room", "sid": "SID", "room": "never", "namespace": "/", "host_id": "d46c"}`)
		require.Equal(t, []string{p.SID, "7"}, srv.Rooms(p.SID))
		do(`{"method": "close_room", "room": 7, "namespace": "/", "host_id": "d46c"}`)
		do(`{"method": "close_room", "room": "never", "namespace": "/", "host_id": "d46c"}`)
		do(`{"method": "close_room", "room": null, "namespace": "/", "host_id": "d46c"}`)
		require.Equal(t, []string{p.SID}, srv.Rooms(p.SID))
		do(`{"method": "callback", "host_id": "another", "sid": "SID", "namespace": "/", "id": 1, "args": ["r", 2]}`)
		p.Quiet()
		r.Want(t)
		do(`{"method": "disconnect", "sid": "SID", "namespace": "/x", "host_id": "d46c"}`)
		p.Quiet()
		do(`{"method": "disconnect", "sid": "SID", "namespace": "/", "host_id": "d46c"}`)
		p.Want("1")
		r.Want(t, "server disconnect")
		require.EqualValues(t, 1, srv.BrokerStatus().Ignored)   // close_room without a room
		require.EqualValues(t, 11, srv.BrokerStatus().Received) // all but the answer for another
	})
}

// A Python server that asks for an acknowledgement gets it as it expects it.
func TestQueueCallback(t *testing.T) {
	for name, opts := range siotest.Parsers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := siotest.NewFleet(t, 1, opts)
				p, tap := siotest.Join(t, f.Servers[0], eiotest.WebSocket), siotest.NewTap(f)
				ask := func(more string) (id string) {
					t.Helper()
					tap.Publish(`{"method": "emit", "event": "q", "data": [{"a": 1}], "binary": false, "namespace": "/", "room": "` + p.SID +
						`", "skip_sid": null, "callback": ["` + p.SID + `", "/", 17]` + more + `, "host_id": "d46c"}`)
					got := p.Next()
					tap.Published()
					id, _, _ = strings.Cut(got[1:], "[")
					require.NotEmpty(t, id, got)
					return id
				}
				reply := func(args string) map[string]any {
					return siotest.JSONMap(t, `{"method":"callback","host_id":"d46c","sid":"`+p.SID+`","namespace":"/","id":17,"from":"`+p.SID+`",`+args+`}`)
				}
				p.Send("3" + ask("") + `["r",2,12345678901234567890]`)
				require.Equal(t, []map[string]any{reply(`"args":["r",2,12345678901234567890]`)}, tap.Published())
				p.Send("3" + ask("") + `[]`)
				require.Equal(t, []map[string]any{reply(`"args":[]`)}, tap.Published())
				// Python has no binary answers: they come as base64 text.
				p.Send("61-"+ask("")+`[{"b":{"_placeholder":true,"num":0}}]`, "b:\x01\xff")
				require.Equal(t, []map[string]any{reply(`"args":[{"b":"Af8="}]`)}, tap.Published())
				// We do.
				p.Send("61-"+ask(`, "bytes": true`)+`[{"b":{"_placeholder":true,"num":0}},1]`, "b:\x01\xff")
				require.Equal(t, []map[string]any{reply(`"binary":true,"args":[[{"b":{"_placeholder":true,"num":0}},1],"Af8="]`)}, tap.Published())
				// A second answer, and one of a client that leaves, are none.
				id := ask("")
				p.Send("1")
				require.Empty(t, tap.Published())
				p.Send("3" + id + `[]`)
				require.Empty(t, tap.Published())
			})
		})
	}
}

// What python-socketio answers when we ask, and what it might.
func TestQueueAnswers(t *testing.T) {
	siotest.InFleet(t, 1, func(t *testing.T, f *siotest.Fleet) {
		var r siotest.Record
		tap := siotest.NewTap(f)
		near := siotest.Join(t, f.Servers[0], eiotest.WebSocket)
		for _, test := range []struct{ msg, want string }{
			{`{"method": "callback", "host_id": "HOST", "sid": "far", "namespace": "/", "id": ID, "args": ["r", 2]}`, ` [r 2]`},
			{`{"method": "callback", "host_id": "HOST", "sid": "far", "namespace": "/", "id": ID, "args": []}`, ` []`},
			{`{"method": "callback", "host_id": "HOST", "sid": "far", "namespace": "/", "id": ID, "args": [null]}`, ` [<nil>]`},
			{`{"method": "callback", "host_id": "HOST", "sid": "far", "namespace": "/", "id": ID, "args": [NaN]}`, ` [<nil>]`},
			{`{"method": "callback", "host_id": "HOST", "sid": "far", "namespace": "/", "id": ID, "args": [["\ud800"]]}`, " [[\ufffd]]"},
			{`{"method": "callback", "host_id": "HOST", "sid": "x", "from": "NEAR", "namespace": "/", "id": ID, "args": [[{"_placeholder": true, "num": 0}], "Af8="], "binary": true}`, `NEAR [[1 255]]`},
			// Not ours, or not asked.
			{`{"method": "callback", "host_id": "another", "sid": "far", "namespace": "/", "id": ID, "args": [1]}`, ``},
			{`{"method": "callback", "sid": "far", "namespace": "/", "id": ID, "args": [1]}`, ``},
			{`{"method": "callback", "host_id": "HOST", "sid": "far", "namespace": "/x", "id": ID, "args": [1]}`, ``},
			{`{"method": "callback", "host_id": "HOST", "sid": "far", "namespace": "/", "id": 99999, "args": [1]}`, ``},
		} {
			require.NoError(t, f.Servers[0].Emit("q", nil, socketio.To("far"), socketio.OnAck(func(c *socketio.Context) {
				r.Add("%s %v", c.ID(), c.Args())
			})))
			m := tap.Published()[0]
			back := m["callback"].([]any)
			require.Equal(t, "far", back[0])
			require.Equal(t, "/", back[1])
			tap.Publish(strings.NewReplacer("NEAR", near.SID, "HOST", m["host_id"].(string), "ID", back[2].(json.Number).String()).Replace(test.msg))
			if test.want == "" {
				r.Want(t)
			} else {
				r.Want(t, strings.Replace(test.want, "NEAR", near.SID, 1))
			}
			tap.Published()
		}
		require.Zero(t, f.Servers[0].BrokerStatus().Ignored)
	})
}

// What we publish, member by member: it is what Flask-SocketIO reads.
func TestQueuePublishes(t *testing.T) {
	for name, opts := range siotest.Parsers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := siotest.NewFleet(t, 1, opts)
				srv, tap := f.Servers[0], siotest.NewTap(f)
				ann := siotest.Join(t, srv, eiotest.WebSocket)
				socket := srv.Socket(ann.SID)
				m := f.Emitter(nil)
				synctest.Wait()
				tap.Published()
				emit := func(rest string) string {
					for key, value := range map[string]string{
						"data": "[]", "binary": "false", "namespace": `"/"`, "room": "null", "skip_sid": "null", "callback": "null",
					} {
						if !strings.Contains(rest, `"`+key+`":`) {
							rest += `,"` + key + `":` + value
						}
					}
					return `{"method":"emit",` + rest + `}`
				}
				to := socketio.To
				type opts []socketio.EmitOption
				for _, test := range []struct {
					data any
					opts opts
					want string
				}{
					{nil, nil, `"event":"e"`},
					{socketio.Args{}, nil, `"event":"e"`},
					{"x", nil, `"event":"e","data":["x"]`},
					{[]int{1, 2}, nil, `"event":"e","data":[[1,2]]`},
					{socketio.Args{1, "two", nil}, nil, `"event":"e","data":[1,"two",null]`},
					{socketio.Args{nil}, nil, `"event":"e","data":[null],"argc":1`},
					{map[string]any{"a": []byte{1}}, nil, `"event":"e","binary":true,"data":[[{"a":{"_placeholder":true,"num":0}}],"AQ=="]`},
					{1, opts{to("r1", "r2")}, `"event":"e","data":[1],"room":["r1","r2"]`},
					{1, opts{to(`r"é`)}, `"event":"e","data":[1],"room":"r\"é"`},
					{1, opts{to("r"), socketio.Skip("s1", "s2")}, `"event":"e","data":[1],"room":"r","skip_sid":["s1","s2"]`},
					{1, opts{socketio.InNamespace("chat")}, `"event":"e","data":[1],"namespace":"/chat"`},
					{1, opts{socketio.Except("r3"), socketio.Volatile(), socketio.Compress(false)}, `"event":"e","data":[1],"except":["r3"],"volatile":true,"compress":false`},
					{1, opts{socketio.Broadcast()}, `"event":"e","data":[1]`},
				} {
					for _, emitter := range []interface {
						Emit(string, any, ...socketio.EmitOption) error
					}{srv, m} {
						require.NoError(t, emitter.Emit("e", test.data, test.opts...))
						require.Equal(t, siotest.JSONMap(t, emit(test.want)), tap.One())
					}
				}
				require.NoError(t, srv.Send("hi"))
				require.Equal(t, siotest.JSONMap(t, emit(`"event":"message","data":["hi"]`)), tap.One())
				require.NoError(t, m.Send("hi"))
				require.Equal(t, siotest.JSONMap(t, emit(`"event":"message","data":["hi"]`)), tap.One())

				require.NoError(t, socket.Emit("e", 1, socketio.Broadcast(), socketio.SkipSelf()))
				require.Equal(t, siotest.JSONMap(t, emit(`"event":"e","data":[1],"skip_sid":["`+ann.SID+`"]`)), tap.One())
				require.NoError(t, socket.Emit("e", 1, to("r"), socketio.SkipSelf(), socketio.Skip("x")))
				require.Equal(t, siotest.JSONMap(t, emit(`"event":"e","data":[1],"room":"r","skip_sid":["x","`+ann.SID+`"]`)), tap.One())
				require.NoError(t, srv.Emit("e", 1, to("r", ann.SID))) // she is here, and nowhere else
				require.Equal(t, siotest.JSONMap(t, emit(`"event":"e","data":[1],"room":"r"`)), tap.One())
				require.NoError(t, srv.Emit("e", nil, to("far"), socketio.OnAck(func(*socketio.Context) {})))
				got := tap.One()
				require.Regexp(t, `^\[far / \d+\]$`, fmt.Sprint(got["callback"]))
				delete(got, "callback")
				require.Equal(t, siotest.JSONMap(t, emit(`"event":"e","room":"far","bytes":true,"timeout":60000,"callback":null`)), with(got, "callback", nil))

				for _, nothing := range []opts{{to()}, {to(ann.SID)}, {socketio.Local()}} {
					require.NoError(t, srv.Emit("e", 1, nothing...))
				}
				require.NoError(t, socket.Emit("e", 1))
				require.NoError(t, srv.JoinRoom(ann.SID, "x"))
				require.NoError(t, srv.LeaveRoom(ann.SID, "x"))
				require.NoError(t, m.Emit("e", 1, to()))
				require.Empty(t, tap.Published())

				for _, do := range []interface {
					JoinRoom(sid, room string) error
					LeaveRoom(sid, room string) error
					Disconnect(sid string) error
				}{srv, m} {
					require.NoError(t, do.JoinRoom("far", "rr"))
					require.Equal(t, siotest.JSONMap(t, `{"method":"enter_room","sid":"far","room":"rr","namespace":"/"}`), tap.One())
					require.NoError(t, do.LeaveRoom("far", "rr"))
					require.Equal(t, siotest.JSONMap(t, `{"method":"leave_room","sid":"far","room":"rr","namespace":"/"}`), tap.One())
					require.NoError(t, do.Disconnect("far"))
					require.Equal(t, siotest.JSONMap(t, `{"method":"disconnect","sid":"far","namespace":"/"}`), tap.One())
				}
				srv.Namespace("/chat").CloseRoom("rr")
				require.Equal(t, siotest.JSONMap(t, `{"method":"close_room","room":"rr","namespace":"/chat"}`), tap.One())
				require.NoError(t, m.Namespace("chat").CloseRoom("rr"))
				require.Equal(t, siotest.JSONMap(t, `{"method":"close_room","room":"rr","namespace":"/chat"}`), tap.One())
			})
		})
	}
}

func with(m map[string]any, key string, value any) map[string]any {
	m[key] = value
	return m
}

// Invalid UTF-8, which Python does not read, is not published.
func TestQueuePublishesUTF8(t *testing.T) {
	siotest.InFleet(t, 1, func(t *testing.T, f *siotest.Fleet) {
		tap := siotest.NewTap(f)
		require.NoError(t, f.Servers[0].Emit("e", json.RawMessage("\"\xff\""), socketio.To("r\xff")))
		synctest.Wait()
		require.Contains(t, tap.Raw(), "\"data\":[\"\ufffd\"]")
		require.Equal(t, "r\ufffd", tap.One()["room"])
	})
}
