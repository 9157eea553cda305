package socketio_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Flask-SocketIO 1.10, case by case, without its traps: who receives what A emits, or the server. A and B are in r1, B
// and C in r2, D is in another namespace, A as well.
func TestRecipients(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		srv.Namespace("/other").On("x", func(c *socketio.Context) {})
		srv.Namespace("/empty").On("x", func(c *socketio.Context) {})
		peers := map[string]*siotest.Peer{}
		sids := map[string]string{}
		for _, name := range []string{"A", "B", "C"} {
			peers[name] = siotest.Join(t, srv, mode)
			sids[name] = peers[name].SID
		}
		peers["D"] = siotest.Join(t, srv, mode, "/other")
		sids["D"] = peers["D"].SID
		sids["A/other"] = peers["A"].Connect("/other")
		for _, in := range []string{"A r1", "B r1", "B r2", "C r2"} {
			name, room, _ := strings.Cut(in, " ")
			require.NoError(t, srv.JoinRoom(sids[name], room))
		}
		require.NoError(t, srv.Namespace("/other").JoinRoom(sids["D"], "r1"))
		require.NoError(t, srv.Namespace("/other").JoinRoom(sids["A/other"], "r1"))
		a := srv.Socket(sids["A"])

		type opts = []socketio.EmitOption
		to, except, skip := socketio.To, socketio.Except, socketio.Skip
		self, all := socketio.SkipSelf(), socketio.Broadcast()
		other := socketio.InNamespace("/other")
		A, B, C := sids["A"], sids["B"], sids["C"]
		for i, test := range []struct {
			from string // "A" the socket, "S" the server
			opts opts
			want string
		}{
			{"A", nil, "A"},
			{"A", opts{all}, "ABC"},
			{"A", opts{all, self}, "BC"},
			{"A", opts{self}, ""},
			{"A", opts{all, self, skip(B)}, "C"}, // both count
			{"A", opts{all, skip(A, B)}, "C"},
			{"A", opts{skip(A)}, ""},
			{"A", opts{skip("unknown")}, "A"},
			{"A", opts{to(B)}, "B"},
			{"A", opts{to(B), all}, "B"},
			{"A", opts{to(A)}, "A"},
			{"A", opts{to(A, B, A)}, "AB"},
			{"A", opts{to("r1")}, "AB"},
			{"A", opts{to("r1"), self}, "B"},
			{"A", opts{to("r1", "r2")}, "ABC"},
			{"A", opts{to("r1"), to("r2")}, "ABC"},
			{"A", opts{to("r1", "r2"), skip(B)}, "AC"},
			{"A", opts{to("r1", "r2", C), except("r1")}, "C"},
			{"A", opts{all, except("r2")}, "A"},
			{"A", opts{all, except(B)}, "AC"},
			{"A", opts{all, except()}, "ABC"},
			{"A", opts{all, except("unknown", "r1"), skip(C)}, ""},
			{"A", opts{to()}, ""}, // defect S4: an empty target is a broadcast
			{"A", opts{to(), to("r2")}, "BC"},
			{"A", opts{to("unknown")}, ""},
			{"A", opts{to(sids["D"])}, ""}, // of another namespace
			{"A", opts{to("r1"), other}, "ad"},
			{"A", opts{other}, "a"}, // the same client; Flask-SocketIO reaches nobody
			{"A", opts{other, self}, ""},
			{"A", opts{other, all}, "ad"},
			{"A", opts{other, all, self}, "d"},
			{"A", opts{nil, all, nil}, "ABC"},
			{"S", nil, "ABC"},
			{"S", opts{all}, "ABC"},
			{"S", opts{skip(B)}, "AC"},
			{"S", opts{skip(B), skip(C)}, "A"},
			{"S", opts{to()}, ""},
			{"S", opts{to("r2")}, "BC"},
			{"S", opts{to("r1", "r2", C)}, "ABC"},
			{"S", opts{except("r1")}, "C"},
			{"S", opts{to("unknown")}, ""},
			{"S", opts{other}, "ad"},
			{"S", opts{socketio.InNamespace("other")}, "ad"},
			{"S", opts{socketio.InNamespace("/unknown")}, ""},
			{"S", opts{to(B), socketio.Local(), socketio.Compress(false), socketio.Compress(true)}, "B"},
		} {
			emit := srv.Emit
			if test.from == "A" {
				emit = a.Emit
			}
			require.NoError(t, emit("e", i, test.opts...), "case %d", i)
			for _, name := range test.want {
				who, ns := strings.ToUpper(string(name)), ""
				if name >= 'a' || name == 'D' {
					ns = "/other,"
				}
				require.Equal(t, fmt.Sprintf(`2%s["e",%d]`, ns, i), peers[who].Next(), "case %d: %s", i, string(name))
			}
		}
		for _, p := range peers {
			p.Quiet()
		}
	})
}

func TestEmitData(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		p := siotest.Join(t, srv, mode)
		s := srv.Socket(p.SID)
		type doc struct {
			Name string   `json:"name"`
			Data []byte   `json:"data"`
			More [][]byte `json:"more"`
		}
		changed := map[string]int{"x": 1}
		for _, data := range []any{nil, socketio.Args{}, 1, "é<>&", []int{1, 2}, socketio.Args{1, nil, "x"}, changed,
			[]byte("bin"), doc{"n", []byte("1"), [][]byte{[]byte("2"), []byte("3")}}, map[string]any{"d": []byte("4")}} {
			require.NoError(t, s.Emit("e", data))
		}
		changed["x"] = 2
		require.NoError(t, s.Send("hi"))
		require.NoError(t, srv.Send([]int{1}, socketio.Compress(false)))
		p.Want(`2["e"]`, `2["e"]`, `2["e",1]`, `2["e","é<>&"]`, `2["e",[1,2]]`, `2["e",1,null,"x"]`, `2["e",{"x":1}]`,
			`51-["e",{"_placeholder":true,"num":0}]`, `b:bin`,
			`53-["e",{"name":"n","data":{"_placeholder":true,"num":0},"more":[{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}]}]`,
			`b:1`, `b:2`, `b:3`,
			`51-["e",{"d":{"_placeholder":true,"num":0}}]`, `b:4`,
			`2["message","hi"]`, `2["message",[1]]`)
	})
}

func TestEmitErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		p := siotest.Join(t, srv, eiotest.WebSocket)
		s := srv.Socket(p.SID)
		for _, event := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
			require.ErrorContains(t, s.Emit(event, nil), event)
			require.ErrorContains(t, srv.Emit(event, nil), "reserve")
		}
		for _, data := range []any{func() {}, make(chan int), math.NaN(), socketio.Args{1, math.Inf(1)}} {
			require.ErrorContains(t, s.Emit("e", data), `emit "e"`)
			require.Error(t, srv.Emit("e", data))
			require.Error(t, srv.Namespace("/nobody").Emit("e", data))
		}
		require.ErrorContains(t, srv.Emit("e", nil, socketio.SkipSelf()), "SkipSelf")
		require.ErrorContains(t, srv.Namespace("*").Emit("e", nil), "by its name")
		require.ErrorContains(t, srv.Namespace("/a,b").Emit("e", nil), "comma")
		require.ErrorContains(t, srv.Emit("e", nil, socketio.InNamespace("/a?b")), "question mark")
		require.ErrorIs(t, s.Emit("e", nil, socketio.InNamespace("/not there")), socketio.ErrUnknownSocket)
		p.Quiet()
	})
}

// Emits of one goroutine arrive in order, each packet with its attachments in one piece (defect L9), whoever else emits.
func TestEmitOrderAndAtomicity(t *testing.T) {
	eiotest.Run(t, func(t *testing.T, mode eiotest.Mode) {
		const writers, each = 4, 50
		srv := siotest.NewServer(t, nil)
		p := siotest.Join(t, srv, mode)
		s := srv.Socket(p.SID)
		for w := range writers {
			go func() {
				for i := range each {
					data := socketio.Args{w, i, []byte(fmt.Sprint(w, i)), []byte("second")}
					if w%2 == 0 {
						s.Emit("e", data)
					} else {
						srv.Emit("e", data)
					}
				}
			}()
		}
		next := make([]int, writers)
		for range writers * each {
			var w, i int
			_, err := fmt.Sscanf(p.Next(), `52-["e",%d,%d,`, &w, &i)
			require.NoError(t, err)
			require.Equal(t, next[w], i)
			next[w]++
			p.Want("b:"+fmt.Sprint(w, i), "b:second")
		}
	})
}

func TestSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{SendQueueLimit: 1000}})
		var rec siotest.Record
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		q := siotest.Join(t, srv, eiotest.WebSocket)
		raw := eiotest.Raw{Transport: eiotest.Serve(t, srv, nil), Path: "/socket.io/"} // polls only when told to
		_, _, err := raw.Handshake(t.Context())
		require.NoError(t, err)
		_, err = raw.Post(t.Context(), "40")
		require.NoError(t, err)
		synctest.Wait()
		var s *socketio.Socket
		for _, sid := range siotest.SIDs(srv) {
			if sid != q.SID {
				s = srv.Socket(sid)
			}
		}
		for range 2 {
			require.NoError(t, srv.Emit("e", strings.Repeat("x", 300)))
			q.Want(`2["e","` + strings.Repeat("x", 300) + `"]`)
		}
		require.ErrorIs(t, s.Emit("e", strings.Repeat("x", 300)), socketio.ErrSendQueueFull)
		require.NoError(t, s.Context().Err(), "who emits to one client can wait")
		require.NoError(t, srv.Emit("e", strings.Repeat("x", 300))) // nobody can
		q.Want(`2["e","` + strings.Repeat("x", 300) + `"]`)
		rec.Want(t, "slow client")
		require.ErrorIs(t, s.Emit("e", 1), socketio.ErrClosed)
		require.NoError(t, srv.Emit("e", 1))
		q.Want(`2["e",1]`)
	})
}

// What a connect handler emits is held, and bounded as everything that waits to be sent.
func TestHeldEmits(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{SendQueueLimit: 1000}})
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) error {
			require.NoError(t, c.Emit("dropped", 1, socketio.Volatile()))
			require.NoError(t, c.Emit("e", strings.Repeat("x", 300)))
			return c.Emit("e", 2)
		})
		srv.Namespace("/more").On("connect", func(c *socketio.Context) {
			require.NoError(t, c.Emit("e", strings.Repeat("x", 600)))
			require.ErrorIs(t, c.Emit("e", strings.Repeat("x", 600)), socketio.ErrSendQueueFull)
			require.NoError(t, c.Emit("e", 1))
		})
		srv.Namespace("/more").On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		p := siotest.Dial(t, srv, mode)
		p.Connect("/")
		p.Want(`2["e","`+strings.Repeat("x", 300)+`"]`, `2["e",2]`)
		more := p.Connect("/more")
		p.Want(`2/more,["e","`+strings.Repeat("x", 600)+`"]`, `2/more,["e",1]`)
		srv.Namespace("/more").Socket(more).CloseConnection()
		rec.Want(t, "server disconnect")
	})
}

// JS 158: volatile events reach those who can take them now.
func TestVolatile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		p := siotest.Join(t, srv, eiotest.WebSocket)
		synctest.Wait()
		require.NoError(t, srv.Emit("v", 1, socketio.Volatile()))
		p.Want(`2["v",1]`)
		raw := eiotest.Raw{Transport: eiotest.Serve(t, srv, nil), Path: "/socket.io/"}
		_, _, err := raw.Handshake(t.Context())
		require.NoError(t, err)
		_, err = raw.Post(t.Context(), "40")
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, srv.Emit("v", 2, socketio.Volatile(), socketio.OnAck(func(c *socketio.Context) {})))
		p.WantAckEvent(`["v",2]`)
		for _, sid := range siotest.SIDs(srv) {
			want := 0
			if sid == p.SID {
				want = 1
			}
			require.Equal(t, want, srv.Socket(sid).PendingAcks())
		}
		resp, err := raw.Get(t.Context())
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(resp.Body, "40{"), resp.Body)
		require.NotContains(t, resp.Body, `["v"`)
	})
}

// A struct without exported fields would be sent as {}: an error value, mostly.
func TestNothingOfAStructWouldBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		srv.On("ask", func(*socketio.Context) (any, error) { return errors.New("boom"), nil })
		srv.OnError(func(_ *socketio.Context, err error) any { return err.Error() })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		s := srv.Socket(p.SID)
		for name, data := range map[string]any{
			"struct": sealed{}, "pointer": &sealed{}, "error": errors.New("boom"), "wrapped": fmt.Errorf("x: %w", errors.New("boom")),
			"argument": socketio.Args{1, sealed{}}, "slice": []sealed{{}}, "map": map[string]*sealed{"a": {}},
			"in any": map[string]any{"error": errors.New("boom")}, "in a list": []any{1, sealed{}},
			"field": struct{ Err error }{errors.New("boom")},
		} {
			require.ErrorContains(t, s.Emit("e", data), "it has no exported field", name)
			require.ErrorContains(t, srv.Emit("e", data), "it has no exported field", name)
		}
		p.Quiet()
		p.Send(`21["ask"]`)
		p.Want(`31["socketio: acknowledge \"ask\": parser: cannot encode argument 0: nothing of a *errors.errorString would be sent: it has no exported field; send err.Error()"]`)
		at := time.Unix(0, 0).UTC()
		for _, ok := range []struct {
			data any
			want string
		}{
			{struct{}{}, `{}`}, {&struct{}{}, `{}`}, {[]sealed{}, `[]`}, {(*sealed)(nil), `null`}, {at, `"1970-01-01T00:00:00Z"`},
			{map[string]any{"at": &at}, `{"at":"1970-01-01T00:00:00Z"}`}, {big.NewInt(7), `7`}, {[]any{nil, (*sealed)(nil)}, `[null,null]`},
			{struct {
				Err error `json:"err,omitempty"`
			}{}, `{}`},
		} {
			require.NoError(t, s.Emit("e", ok.data))
			p.Want(`2["e",` + ok.want + `]`)
		}
	})
}
