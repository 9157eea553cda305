package defects_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

type auth struct {
	Token string `json:"token"`
}

// What a handler emitted before it slept, under eventlet without yielding, left when it returned.
func TestDefectL19_EmitsDoNotWaitForTheHandler(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{PingInterval: 5 * time.Second, PingTimeout: 4 * time.Second})
		srv.On("count", func(c *socketio.Context) (string, error) {
			for n := range 3 {
				if err := c.Emit("n", n, socketio.Broadcast()); err != nil {
					return "", err
				}
				time.Sleep(15 * time.Second) // longer than the ping interval and timeout
			}
			return "done", nil
		})
		p, q := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
		start := time.Now()
		p.Send(`21["count"]`)
		for n := range 3 {
			for _, p := range []*siotest.Peer{p, q} {
				p.Want(fmt.Sprintf(`2["n",%d]`, n))
				require.Equal(t, time.Duration(n)*15*time.Second, time.Since(start))
			}
		}
		p.Want(`31["done"]`)
	})
}

// A TypeError inside a connect handler ran it up to four times; a disconnect handler without the reason never ran beside
// an error handler that swallows.
func TestDefectL22_HandlersRunOnce(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.OnError(func(c *socketio.Context, err error) any {
			rec.Add("%s: %v", c.Event(), err)
			return nil
		})
		failure := errors.New("wrong type")
		for ns, handlers := range map[string][2]any{
			"/none": {func(c *socketio.Context) error { rec.Add("connect"); return failure },
				func(c *socketio.Context) { rec.Add("disconnect") }},
			"/auth": {func(c *socketio.Context, a *auth) error { rec.Add("connect %v", a); return failure },
				func(c *socketio.Context, why socketio.Reason) error { rec.Add("disconnect %s", why); return failure }},
		} {
			srv.Namespace(ns).On("connect", handlers[0])
			srv.Namespace(ns).On("disconnect", handlers[1])
		}
		p := siotest.Dial(t, srv, mode)
		p.Send(`0/none,`, `0/auth,`)
		for range 2 {
			require.Contains(t, []string{`4/none,{"message":"Connection rejected by server"}`, `4/auth,{"message":"Connection rejected by server"}`}, p.Next())
		}
		synctest.Wait()
		require.ElementsMatch(t, []string{"connect", "connect: wrong type", "connect <nil>", "connect: wrong type"}, rec.Take())
		p.Send(`0/auth,{"token":"x"}`)
		p.Want(`4/auth,{"message":"Connection rejected by server"}`)
		rec.Want(t, "connect &{x}", "connect: wrong type")

		failure = nil
		p.Connect("/none")
		p.Send(`1/none,`)
		rec.Want(t, "connect", "disconnect")
		p.Connect("/auth")
		failure = errors.New("too late")
		p.Send(`1/auth,`)
		rec.Want(t, "connect <nil>", "disconnect client disconnect", "disconnect: too late")
	})
}

// NaN went out as NaN, which is no JSON: JavaScript clients closed with a parse error.
func TestDefectL25_NotANumberIsNeverSent(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		for ns, result := range map[string]any{"/": nil, "/nan": math.NaN()} {
			n := srv.Namespace(ns)
			n.On("nan", func(c *socketio.Context) float64 { return math.NaN() })
			n.On("inf", func(c *socketio.Context) any { return map[string]any{"x": []any{math.Inf(-1)}} })
			n.On("emit", func(c *socketio.Context) error { return c.Emit("e", math.Inf(1), socketio.Broadcast()) })
			n.On("ok", func(c *socketio.Context) int { return 1 })
			n.OnError(func(c *socketio.Context, err error) any { return result })
		}
		srv.Namespace("/refused").On("connect", func(c *socketio.Context) error {
			return &socketio.Error{Message: "no", Data: math.NaN()}
		})
		p := siotest.Join(t, srv, mode, "/", "/nan")
		p.Send(`21["nan"]`, `22["inf"]`, `23["emit"]`, `24["ok"]`)
		p.Want(`31[]`, `32[]`, `33[]`, `34[1]`)
		p.Send(`2/nan,1["nan"]`, `2/nan,2["inf"]`, `2/nan,3["emit"]`, `2/nan,4["ok"]`)
		p.Want(`3/nan,4[1]`)
		p.Send(`0/refused,`)
		p.Want(`4/refused,{"message":"no"}`)
		_, err := srv.Call(t.Context(), "e", math.NaN())
		require.Error(t, err)
		p.Quiet()
	})
}

// Connect and disconnect handlers and callbacks ran in the reader: a slow one held up all packets of its client, PONG
// included, and it was disconnected although alive.
func TestDefectO2_SlowHandlersHoldUpNothing(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		slow := srv.Namespace("/slow")
		sleep := func(c *socketio.Context) {
			rec.Add("%s begins", c.Event())
			time.Sleep(time.Hour)
			rec.Add("%s ends", c.Event())
		}
		slow.On("connect", sleep)
		slow.On("disconnect", sleep)
		srv.On("ping", func(c *socketio.Context) string { return "pong" })
		p := siotest.Join(t, srv, mode)
		served := func() {
			t.Helper()
			start := time.Now()
			p.Send(`21["ping"]`)
			p.Want(`31["pong"]`)
			require.Less(t, time.Since(start), time.Second)
		}
		p.Send(`0/slow,`)
		rec.Want(t, "connect begins")
		served()
		time.Sleep(50 * time.Minute) // many pings
		served()
		rec.Want(t)
		time.Sleep(20 * time.Minute)
		p.Connected("/slow")
		p.Send(`1/slow,`)
		rec.Want(t, "connect ends", "disconnect begins")
		time.Sleep(50 * time.Minute)
		served()
		rec.Want(t)
		time.Sleep(20 * time.Minute)
		rec.Want(t, "disconnect ends")

		require.NoError(t, srv.Emit("q", nil, socketio.OnAck(sleep)))
		p.Send(`3` + p.WantAckEvent(`["q"]`) + `[]`)
		rec.Want(t, "q begins")
		time.Sleep(50 * time.Minute)
		served()
		time.Sleep(20 * time.Minute)
		rec.Want(t, "q ends")
		served()
	})
}

// emit(broadcast, include_self=False, skip_sid=x) forgot include_self, send forgot skip_sid.
func TestDefectT01_SendIsEmit(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		a, b, c := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
		for _, opts := range [][]socketio.EmitOption{
			{socketio.Broadcast(), socketio.SkipSelf(), socketio.Skip(b.SID)},
			{socketio.Skip(b.SID), socketio.Broadcast(), socketio.SkipSelf()},
		} {
			require.NoError(t, srv.Socket(a.SID).Emit("message", 1, opts...))
			require.NoError(t, srv.Socket(a.SID).Send(1, opts...))
			c.Want(`2["message",1]`, `2["message",1]`)
		}
		require.NoError(t, srv.Emit("message", 1, socketio.Skip(a.SID, b.SID)))
		require.NoError(t, srv.Send(1, socketio.Skip(a.SID, b.SID)))
		c.Want(`2["message",1]`, `2["message",1]`)
		a.Quiet()
		b.Quiet()
		c.Quiet()
	})
}

// The test was "ns in namespaces": the string '/foo' accepted /f and /fo as well.
func TestDefectT08_NamespacesAreNotSubstrings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"/foo", "bar"}})
		ann := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: socketiotest.WebSocket, Namespace: "/"})
		for _, ns := range []string{"/f", "/fo", "/foob", "/foobar", "/foo/", "/FOO", "/b", "/*"} {
			_, err := ann.TryJoin(ns, nil)
			var refused *socketiotest.ConnectError
			require.ErrorAs(t, err, &refused, ns)
			require.Equal(t, "Invalid namespace", refused.Message)
		}
		ann.Join("/foo", nil)
		ann.Join("/bar", nil)
	})
}
