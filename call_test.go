package socketio_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

func TestOnAck(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		srv.Namespace("/x").On("x", func(c *socketio.Context) {})
		p, q := join(t, srv, mode, "/x", "/"), join(t, srv, mode)
		names := map[string]string{p.sid: "p", q.sid: "q"}
		s := srv.Socket(p.sid)
		require.NoError(t, s.Emit("one", 1, socketio.OnAck(func(c *socketio.Context, n int, b []byte) {
			rec.add("%s %s %d %s %v", names[c.ID()], c.Event(), n, b, len(c.Args()))
		})))
		id := p.wantAckEvent(`["one",1]`)
		p.send(`3/x,` + id + `[9]`)                                                         // of another namespace
		q.send(`3` + id + `[8]`)                                                            // of another client
		p.send(`3999[]`, `61-`+id+`[5,{"_placeholder":true,"num":0}]`, `b:x`, `3`+id+`[6]`) // nobody asked; the answer; a second one
		rec.want(t, "p one 5 x 2")
		require.Zero(t, s.PendingAcks())

		// Broadcast: each answer calls it, and one id serves all.
		require.NoError(t, srv.Emit("all", nil, socketio.OnAck(func(c *socketio.Context, v string) { rec.add("%s %s", names[c.ID()], v) })))
		id = p.wantAckEvent(`["all"]`)
		require.Equal(t, id, q.wantAckEvent(`["all"]`))
		p.send(`3` + id + `["from p"]`)
		rec.want(t, "p from p")
		q.send(`3` + id + `["from q"]`)
		rec.want(t, "q from q")

		// A client that leaves without an answer is forgotten.
		require.NoError(t, srv.Emit("never", nil, socketio.OnAck(func(c *socketio.Context) { t.Error("called") })))
		require.Equal(t, 1, s.PendingAcks())
		p.send(`1`)
		synctestWait()
		require.Zero(t, s.PendingAcks())
		require.ErrorIs(t, s.Emit("late", nil, socketio.OnAck(func(c *socketio.Context) {})), socketio.ErrClosed)
		require.Zero(t, s.PendingAcks())
	})
}

// Callbacks of one socket run in order, and neither they nor its events wait for each other.
func TestOnAckOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		var rec record
		srv.On("event", func(c *socketio.Context) { rec.add("event") })
		p := join(t, srv, eiotest.WebSocket)
		var acks []string
		for range 5 {
			require.NoError(t, srv.Emit("q", nil, socketio.OnAck(func(c *socketio.Context, n int) {
				time.Sleep(time.Second)
				rec.add("ack %d", n)
			})))
			acks = append(acks, `3`+p.wantAckEvent(`["q"]`)+`[`+string(rune('0'+len(acks)))+`]`)
		}
		p.send(acks...)
		p.send(`2["event"]`)
		rec.want(t, "event")
		time.Sleep(time.Minute)
		rec.want(t, "ack 0", "ack 1", "ack 2", "ack 3", "ack 4")
	})
}

// What goes wrong in a callback goes to the error handler, and nowhere else.
func TestOnAckErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, nil)
		var rec record
		srv.OnError(func(c *socketio.Context, err error) any { rec.add("%s %v", c.Event(), err); return 1 })
		p := join(t, srv, eiotest.WebSocket)
		for _, h := range []any{
			func(c *socketio.Context, n int) { t.Error("called") },
			func(c *socketio.Context) error { return errors.New("returned") },
			func(c *socketio.Context) { panic("panicked") },
		} {
			require.NoError(t, srv.Emit("q", nil, socketio.OnAck(h)))
			p.send(`3` + p.wantAckEvent(`["q"]`) + `["x"]`)
		}
		synctestWait()
		lines := rec.take()
		require.Len(t, lines, 3)
		require.Equal(t, `q socketio: argument 0 of event "q" does not fit int: json: cannot unmarshal string into Go value of type int`, lines[0])
		require.Equal(t, "q returned", lines[1])
		require.Equal(t, "q socketio: handler panicked: panicked", lines[2])
		p.quiet()
	})
}

func TestCall(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		// Works in a handler although the client's next event waits for it, and in an acknowledgement callback.
		srv.On("ask me", func(c *socketio.Context, n int) (int, error) {
			return socketio.Call[int](c.Context(), c, "double", n)
		})
		p := join(t, srv, mode)
		p.send(`21["ask me",4]`)
		p.send(`3` + p.wantAckEvent(`["double",4]`) + `[8]`)
		p.want(`31[8]`)

		s := srv.Socket(p.sid)
		replies := make(chan any, 1)
		require.NoError(t, s.Emit("q", nil, socketio.OnAck(func(c *socketio.Context) error {
			reply, err := c.Call(t.Context(), "nested", nil)
			replies <- reply.Args()
			return err
		})))
		p.send(`3` + p.wantAckEvent(`["q"]`) + `[]`)
		p.send(`3` + p.wantAckEvent(`["nested"]`) + `[1,"two",{"three":3}]`)
		require.Equal(t, socketio.Args{1.0, "two", map[string]any{"three": 3.0}}, <-replies)

		// Another client, as Flask-SocketIO's call(to=sid).
		q := join(t, srv, mode)
		go func() {
			v, err := socketio.Call[string](t.Context(), s, "other", nil, socketio.To(q.sid))
			require.NoError(t, err)
			replies <- v
		}()
		q.send(`3` + q.wantAckEvent(`["other"]`) + `["yes"]`)
		require.Equal(t, "yes", <-replies)
		go func() {
			v, err := socketio.Call[[]byte](t.Context(), s, "empty", nil)
			require.NoError(t, err)
			replies <- v
		}()
		p.send(`3` + p.wantAckEvent(`["empty"]`) + `[]`)
		require.Equal(t, []byte(nil), <-replies)
	})
}

func TestCallErrors(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var inConnect error
		srv.On("connect", func(c *socketio.Context) {
			_, inConnect = c.Call(t.Context(), "q", nil)
			_, err := srv.Call(t.Context(), "q", nil, socketio.To(c.ID()))
			require.ErrorContains(t, err, "connect handler")
		})
		p, q := join(t, srv, mode), join(t, srv, mode)
		require.ErrorContains(t, inConnect, "connect handler")
		s := srv.Socket(p.sid)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := s.Call(ctx, "slow", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.Zero(t, s.PendingAcks())
		id := p.wantAckEvent(`["slow"]`)
		p.send(`3` + id + `[]`) // too late
		_, err = s.Call(ctx, "not sent", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		require.ErrorContains(t, callInt(s, func() { p.send(`3` + p.wantAckEvent(`["typed"]`) + `["x"]`) }), "does not fit int")

		_, err = s.Call(t.Context(), "q", nil, socketio.To("nobody"))
		require.ErrorIs(t, err, socketio.ErrUnknownSocket)
		_, err = s.Call(t.Context(), "q", nil, socketio.Broadcast())
		require.ErrorContains(t, err, "Namespace.Call")
		_, err = s.Call(t.Context(), "q", nil, socketio.InNamespace("/none"))
		require.ErrorIs(t, err, socketio.ErrUnknownSocket)
		_, err = s.Call(t.Context(), "q", nil, socketio.OnAck(func(c *socketio.Context) {}))
		require.ErrorContains(t, err, "OnAck")
		_, err = s.Call(t.Context(), "connect", nil)
		require.ErrorContains(t, err, "reserve")
		_, err = s.Call(t.Context(), "q", func() {})
		require.Error(t, err)
		_, err = srv.Call(t.Context(), "q", nil, socketio.SkipSelf())
		require.ErrorContains(t, err, "SkipSelf")
		_, err = srv.Namespace("/a,b").Call(t.Context(), "q", nil)
		require.ErrorContains(t, err, "comma")
		p.quiet()
		q.quiet()
	})
}

// callInt calls "typed" for an int while answer answers it.
func callInt(s *socketio.Socket, answer func()) error {
	result := make(chan error)
	go func() {
		_, err := socketio.Call[int](context.Background(), s, "typed", nil)
		result <- err
	}()
	answer()
	return <-result
}

// Defect L17: call keeps waiting after the client has left.
func TestCallEndsWhenClientLeaves(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		for name, leave := range map[string]func(p *peer){
			"client": func(p *peer) { p.send(`1`) },
			"server": func(p *peer) { srv.Socket(p.sid).Disconnect() },
			"abort":  func(p *peer) { p.c.Abort() },
		} {
			p := join(t, srv, mode)
			s := srv.Socket(p.sid)
			result := make(chan error)
			go func() {
				_, err := s.Call(context.Background(), "q", nil)
				result <- err
			}()
			p.wantAckEvent(`["q"]`)
			synctestWait()
			leave(p)
			err := <-result
			var left *socketio.DisconnectError
			require.ErrorAs(t, err, &left, name)
			require.ErrorIs(t, err, socketio.ErrClosed)
			_, err = s.Call(context.Background(), "q", nil)
			require.ErrorIs(t, err, socketio.ErrClosed)
		}
	})
}

func TestCallSeveral(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		replies, err := srv.Call(t.Context(), "q", nil)
		require.NoError(t, err)
		require.Empty(t, replies)

		p, q, r := join(t, srv, mode), join(t, srv, mode), join(t, srv, mode)
		type result struct {
			replies []socketio.Reply
			err     error
		}
		results := make(chan result)
		call := func(ctx context.Context, opts ...socketio.EmitOption) {
			go func() {
				replies, err := srv.Call(ctx, "q", 1, opts...)
				results <- result{replies, err}
			}()
		}
		answer := func(p *peer, v string) { p.send(`3` + p.wantAckEvent(`["q",1]`) + `[` + v + `]`) }

		call(t.Context())
		for i, p := range []*peer{p, q, r} {
			synctestWait()
			answer(p, string(rune('0'+i)))
		}
		res := <-results
		require.NoError(t, res.err)
		require.Len(t, res.replies, 3)
		for i, p := range []*peer{p, q, r} {
			require.Equal(t, p.sid, res.replies[i].SID)
			var n int
			require.NoError(t, res.replies[i].Bind(&n, nil))
			require.Equal(t, i, n)
		}

		// One does not answer: the others' answers, and who is missing.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		call(ctx)
		answer(p, "7")
		synctestWait()
		answer(q, "8")
		r.wantAckEvent(`["q",1]`)
		res = <-results
		require.ErrorIs(t, res.err, context.DeadlineExceeded)
		var missing *socketio.CallError
		require.ErrorAs(t, res.err, &missing)
		require.Equal(t, []string{r.sid}, missing.Missing)
		require.Len(t, res.replies, 2)
		require.Equal(t, socketio.Args{7.0}, res.replies[0].Args())
		require.Zero(t, srv.Socket(r.sid).PendingAcks())

		// One leaves: it is not waited for.
		call(t.Context(), socketio.To(q.sid, r.sid), socketio.Except(p.sid))
		r.wantAckEvent(`["q",1]`)
		synctestWait()
		r.send(`1`)
		answer(q, "9")
		res = <-results
		require.ErrorIs(t, res.err, socketio.ErrClosed)
		require.ErrorAs(t, res.err, &missing)
		require.Equal(t, []string{r.sid}, missing.Missing)
		require.Equal(t, q.sid, res.replies[0].SID)
		require.Len(t, res.replies, 1)
		p.quiet()
	})
}
