package socketio_test

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
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// What a handler emitted before it slept, under eventlet without yielding, left when it returned.
func TestDefectL19_EmitsDoNotWaitForTheHandler(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, &socketio.Options{PingInterval: 5 * time.Second, PingTimeout: 4 * time.Second})
		srv.On("count", func(c *socketio.Context) (string, error) {
			for n := range 3 {
				if err := c.Emit("n", n, socketio.Broadcast()); err != nil {
					return "", err
				}
				time.Sleep(15 * time.Second) // longer than the ping interval and timeout
			}
			return "done", nil
		})
		p, q := join(t, srv, mode), join(t, srv, mode)
		start := time.Now()
		p.send(`21["count"]`)
		for n := range 3 {
			for _, p := range []*peer{p, q} {
				p.want(fmt.Sprintf(`2["n",%d]`, n))
				require.Equal(t, time.Duration(n)*15*time.Second, time.Since(start))
			}
		}
		p.want(`31["done"]`)
	})
}

// A TypeError inside a connect handler ran it up to four times; a disconnect handler without the reason never ran beside
// an error handler that swallows.
func TestDefectL22_HandlersRunOnce(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		srv.OnError(func(c *socketio.Context, err error) any {
			rec.add("%s: %v", c.Event(), err)
			return nil
		})
		failure := errors.New("wrong type")
		for ns, handlers := range map[string][2]any{
			"/none": {func(c *socketio.Context) error { rec.add("connect"); return failure },
				func(c *socketio.Context) { rec.add("disconnect") }},
			"/auth": {func(c *socketio.Context, a *auth) error { rec.add("connect %v", a); return failure },
				func(c *socketio.Context, why socketio.Reason) error { rec.add("disconnect %s", why); return failure }},
		} {
			srv.Namespace(ns).On("connect", handlers[0])
			srv.Namespace(ns).On("disconnect", handlers[1])
		}
		p := dial(t, srv, mode)
		p.send(`0/none,`, `0/auth,`)
		for range 2 {
			require.Contains(t, []string{`4/none,{"message":"Connection rejected by server"}`, `4/auth,{"message":"Connection rejected by server"}`}, p.next())
		}
		synctest.Wait()
		require.ElementsMatch(t, []string{"connect", "connect: wrong type", "connect <nil>", "connect: wrong type"}, rec.take())
		p.send(`0/auth,{"token":"x"}`)
		p.want(`4/auth,{"message":"Connection rejected by server"}`)
		rec.want(t, "connect &{x}", "connect: wrong type")

		failure = nil
		p.connect("/none")
		p.send(`1/none,`)
		rec.want(t, "connect", "disconnect")
		p.connect("/auth")
		failure = errors.New("too late")
		p.send(`1/auth,`)
		rec.want(t, "connect <nil>", "disconnect client disconnect", "disconnect: too late")
	})
}

// NaN went out as NaN, which is no JSON: JavaScript clients closed with a parse error.
func TestDefectL25_NotANumberIsNeverSent(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
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
		p := join(t, srv, mode, "/", "/nan")
		p.send(`21["nan"]`, `22["inf"]`, `23["emit"]`, `24["ok"]`)
		p.want(`31[]`, `32[]`, `33[]`, `34[1]`)
		p.send(`2/nan,1["nan"]`, `2/nan,2["inf"]`, `2/nan,3["emit"]`, `2/nan,4["ok"]`)
		p.want(`3/nan,4[1]`)
		p.send(`0/refused,`)
		p.want(`4/refused,{"message":"no"}`)
		_, err := srv.Call(t.Context(), "e", math.NaN())
		require.Error(t, err)
		p.quiet()
	})
}

// Connect and disconnect handlers and callbacks ran in the reader: a slow one held up all packets of its client, PONG
// included, and it was disconnected although alive.
func TestDefectO2_SlowHandlersHoldUpNothing(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		slow := srv.Namespace("/slow")
		sleep := func(c *socketio.Context) {
			rec.add("%s begins", c.Event())
			time.Sleep(time.Hour)
			rec.add("%s ends", c.Event())
		}
		slow.On("connect", sleep)
		slow.On("disconnect", sleep)
		srv.On("ping", func(c *socketio.Context) string { return "pong" })
		p := join(t, srv, mode)
		served := func() {
			t.Helper()
			start := time.Now()
			p.send(`21["ping"]`)
			p.want(`31["pong"]`)
			require.Less(t, time.Since(start), time.Second)
		}
		p.send(`0/slow,`)
		rec.want(t, "connect begins")
		served()
		time.Sleep(50 * time.Minute) // many pings
		served()
		rec.want(t)
		time.Sleep(20 * time.Minute)
		p.connected("/slow")
		p.send(`1/slow,`)
		rec.want(t, "connect ends", "disconnect begins")
		time.Sleep(50 * time.Minute)
		served()
		rec.want(t)
		time.Sleep(20 * time.Minute)
		rec.want(t, "disconnect ends")

		require.NoError(t, srv.Emit("q", nil, socketio.OnAck(sleep)))
		p.send(`3` + p.wantAckEvent(`["q"]`) + `[]`)
		rec.want(t, "q begins")
		time.Sleep(50 * time.Minute)
		served()
		time.Sleep(20 * time.Minute)
		rec.want(t, "q ends")
		served()
	})
}

// emit(broadcast, include_self=False, skip_sid=x) forgot include_self, send forgot skip_sid.
func TestDefectT01_SendIsEmit(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		a, b, c := join(t, srv, mode), join(t, srv, mode), join(t, srv, mode)
		for _, opts := range [][]socketio.EmitOption{
			{socketio.Broadcast(), socketio.SkipSelf(), socketio.Skip(b.sid)},
			{socketio.Skip(b.sid), socketio.Broadcast(), socketio.SkipSelf()},
		} {
			require.NoError(t, srv.Socket(a.sid).Emit("message", 1, opts...))
			require.NoError(t, srv.Socket(a.sid).Send(1, opts...))
			c.want(`2["message",1]`, `2["message",1]`)
		}
		require.NoError(t, srv.Emit("message", 1, socketio.Skip(a.sid, b.sid)))
		require.NoError(t, srv.Send(1, socketio.Skip(a.sid, b.sid)))
		c.want(`2["message",1]`, `2["message",1]`)
		a.quiet()
		b.quiet()
		c.quiet()
	})
}

// The test was "ns in namespaces": the string '/foo' accepted /f and /fo as well.
func TestDefectT08_NamespacesAreNotSubstrings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, &socketio.Options{Namespaces: []string{"/foo", "bar"}})
		ann := enter(t, srv, socketiotest.WebSocket, "/")
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
