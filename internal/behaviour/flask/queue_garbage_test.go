package flask_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// What is no message, or cannot be carried out, is counted and logged, and does
// no harm. Not every one is logged: they may be many.
func TestQueueGarbage(t *testing.T) {
	garbage := []string{
		"", "{", "[]", "null", "7", `"x"`, "\x00", "}{", `{"method"}`, `{"method": }`, `{"method": "emit"`, `{"method":"emit",}`, `{"a":1} x`,
		`{"foo": 1}`, `{"method": "bogus", "host_id": "x"}`, `{"method": 7}`, `{"method": null}`,
		"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x06method\x94\x8c\x04emit\x94s.",
		`{"method": "emit", "event": "e", "data": [1], "room": null}`,
		`{"method": "emit", "event": "e", "data": [1], "namespace": null, "room": null}`,
		`{"method": "emit", "event": "e", "data": [1], "namespace": 5, "room": null}`,
		`{"method": "emit", "data": [1], "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "e", "namespace": "/", "room": null}`,
		`{"method": "emit", "event": null, "data": [], "namespace": "/", "room": null}`,
		`{"method": "emit", "event": ["e"], "data": [], "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "connect", "data": [], "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "e", "data": [1,], "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "e", "data": [1}, "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "e", "data": ["\x"], "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "e", "data": [xNaN], "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "e", "data": "x", "binary": true, "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "e", "data": [], "binary": true, "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "e", "data": [[], 7], "binary": true, "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "e", "data": [[], "no base64!"], "binary": true, "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "e", "data": [[{"_placeholder": true, "num": 1}], "AQ=="], "binary": true, "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "e", "data": [[{"_placeholder": true, "num": -1}], "AQ=="], "binary": true, "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "e", "data": [` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `], "namespace": "/", "room": null}`,
		`{"method": "enter_room", "sid": "SID", "room": null, "namespace": "/"}`,
		`{"method": "enter_room", "sid": "SID", "room": "", "namespace": "/"}`,
		`{"method": "enter_room", "sid": "SID", "room": "x"}`,
		`{"method": "disconnect", "sid": "SID"}`,
		`{"method": "callback", "host_id": "HOST", "id": "x", "args": []}`,
		`{"method": "callback", "host_id": "HOST", "id": 1}`,
	}
	synctest.Test(t, func(t *testing.T) {
		var l siotest.Logs
		f := siotest.NewFleet(t, 1, &socketio.Options{Logger: siotest.Logger(&l)})
		srv, tap := f.Servers[0], siotest.NewTap(f)
		p := siotest.Join(t, srv, eiotest.WebSocket)
		require.NoError(t, srv.Emit("q", nil, socketio.OnAck(func(*socketio.Context) { t.Error("called") })))
		host := tap.Published()[0]["host_id"].(string)
		p.Received()
		for i, msg := range garbage {
			tap.Publish(strings.NewReplacer("SID", p.SID, "HOST", host).Replace(msg))
			synctest.Wait()
			require.EqualValues(t, i+1, srv.BrokerStatus().Ignored, "%.100s", msg)
		}
		require.Equal(t, []string{p.SID}, srv.Rooms(p.SID))
		p.Quiet()
		require.Equal(t, 1, strings.Count(l.String(), "is ignored"), l.String())
		tap.Publish(`{"method": "emit", "event": "e", "data": [1], "namespace": "/", "room": null}`)
		p.Want(`2["e",1]`)
	})
	synctest.Test(t, func(t *testing.T) {
		var l siotest.Logs
		f := siotest.NewFleet(t, 1, &socketio.Options{Logger: siotest.Logger(&l)})
		siotest.NewTap(f).Publish("\x80\x04\x95")
		synctest.Wait()
		require.Contains(t, l.String(), "python-socketio before 5.14")
	})
}

// Nobody's messages make a server panic, send what is no packet, or anything
// to those they are not for.
func FuzzQueue(f *testing.F) {
	sample := base64.StdEncoding.EncodeToString([]byte("attachment"))
	for _, seed := range []string{
		`{"method": "emit", "event": "e", "data": [1, {"a": [NaN, -Infinity]}], "binary": false, "namespace": "/", "room": null, "skip_sid": null, "callback": null, "host_id": "d46c"}`,
		`{"method":"emit","host_id":"x","namespace":"/","room":["r","s"],"skip_sid":["t"],"callback":["r","/",1],"bytes":true,"except":["z"],"argc":1,"event":"e","binary":true,"data":[[{"_placeholder":true,"num":0}],"` + sample + `"]}`,
		`{"method": "callback", "host_id": "d46c", "sid": "x", "namespace": "/", "id": 1, "args": ["r", 2]}`,
		`{"method": "enter_room", "sid": "x", "room": "rr", "namespace": "/", "host_id": "d46c"}`,
		`{"method": "disconnect", "sid": "x", "namespace": "/", "host_id": "d46c"}`,
		`{"method": "close_room", "room": 5, "namespace": "/", "host_id": "d46c"}`,
		"\x80\x04\x95", "", "{}", `{"method":"emit","data":"\ud800","event":"\"","namespace":"/"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			fl := siotest.NewFleet(t, 1, nil)
			srv := fl.Servers[0]
			p := siotest.Join(t, srv, eiotest.WebSocket)
			tap := siotest.NewTap(fl)
			before := srv.BrokerStatus()
			tap.Publish(string(data))
			synctest.Wait()
			after := srv.BrokerStatus()
			if after.Ignored > before.Ignored+1 || after.Received > before.Received+1 {
				t.Fatalf("one message counts as %+v", after)
			}
			for _, m := range p.Received() { // the client would have closed the connection over a bad packet
				if !strings.HasPrefix(m, "2") && !strings.HasPrefix(m, "5") && !strings.HasPrefix(m, "b:") {
					t.Fatalf("the client got %q", m)
				}
				if body, ok := strings.CutPrefix(m, "2"); ok && !json.Valid([]byte(strings.TrimLeft(body, "0123456789"))) {
					t.Fatalf("the client got %q", m)
				}
			}
			require.NoError(t, srv.Emit("after", nil, socketio.To(p.SID)))
			p.Want(`2["after"]`)
		})
	})
}
