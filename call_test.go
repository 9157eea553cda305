package socketio_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestOnAck(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.Namespace("/x").On("x", func(c *socketio.Context) {})
		p, q := siotest.Join(t, srv, mode, "/x", "/"), siotest.Join(t, srv, mode)
		names := map[string]string{p.SID: "p", q.SID: "q"}
		s := srv.Socket(p.SID)
		require.NoError(t, s.Emit("one", 1, socketio.OnAck(func(c *socketio.Context, n int, b []byte) {
			rec.Add("%s %s %d %s %v", names[c.ID()], c.Event(), n, b, len(c.Args()))
		})))
		id := p.WantAckEvent(`["one",1]`)
		p.Send(`3/x,` + id + `[9]`)                                                         // of another namespace
		q.Send(`3` + id + `[8]`)                                                            // of another client
		p.Send(`3999[]`, `61-`+id+`[5,{"_placeholder":true,"num":0}]`, `b:x`, `3`+id+`[6]`) // nobody asked; the answer; a second one
		rec.Want(t, "p one 5 x 2")
		require.Zero(t, s.PendingAcks())

		// Broadcast: each answer calls it, and one id serves all.
		require.NoError(t, srv.Emit("all", nil, socketio.OnAck(func(c *socketio.Context, v string) { rec.Add("%s %s", names[c.ID()], v) })))
		id = p.WantAckEvent(`["all"]`)
		require.Equal(t, id, q.WantAckEvent(`["all"]`))
		p.Send(`3` + id + `["from p"]`)
		rec.Want(t, "p from p")
		q.Send(`3` + id + `["from q"]`)
		rec.Want(t, "q from q")

		// A client that leaves without an answer is forgotten.
		require.NoError(t, srv.Emit("never", nil, socketio.OnAck(func(c *socketio.Context) { t.Error("called") })))
		require.Equal(t, 1, s.PendingAcks())
		p.Send(`1`)
		synctest.Wait()
		require.Zero(t, s.PendingAcks())
		require.ErrorIs(t, s.Emit("late", nil, socketio.OnAck(func(c *socketio.Context) {})), socketio.ErrClosed)
		require.Zero(t, s.PendingAcks())
	})
}

// Callbacks of one socket run in order, and neither they nor its events wait for each other.
func TestOnAckOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("event", func(c *socketio.Context) { rec.Add("event") })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		var acks []string
		for range 5 {
			require.NoError(t, srv.Emit("q", nil, socketio.OnAck(func(c *socketio.Context, n int) {
				time.Sleep(time.Second)
				rec.Add("ack %d", n)
			})))
			acks = append(acks, `3`+p.WantAckEvent(`["q"]`)+`[`+string(rune('0'+len(acks)))+`]`)
		}
		p.Send(acks...)
		p.Send(`2["event"]`)
		rec.Want(t, "event")
		time.Sleep(time.Minute)
		rec.Want(t, "ack 0", "ack 1", "ack 2", "ack 3", "ack 4")
	})
}

// What goes wrong in a callback goes to the error handler, and nowhere else.
func TestOnAckErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.OnError(func(c *socketio.Context, err error) any { rec.Add("%s %v", c.Event(), err); return 1 })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		for _, h := range []any{
			func(c *socketio.Context, n int) { t.Error("called") },
			func(c *socketio.Context) error { return errors.New("returned") },
			func(c *socketio.Context) { panic("panicked") },
		} {
			require.NoError(t, srv.Emit("q", nil, socketio.OnAck(h)))
			p.Send(`3` + p.WantAckEvent(`["q"]`) + `["x"]`)
		}
		synctest.Wait()
		lines := rec.Take()
		require.Len(t, lines, 3)
		require.Equal(t, `q socketio: argument 0 of event "q" does not fit int: json: cannot unmarshal string into Go value of type int`, lines[0])
		require.Equal(t, "q returned", lines[1])
		require.Equal(t, "q socketio: handler panicked: panicked", lines[2])
		p.Quiet()
	})
}

func TestCall(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		// Works in a handler although the client's next event waits for it, and in an acknowledgement callback.
		srv.On("ask me", func(c *socketio.Context, n int) (int, error) {
			return socketio.Call[int](c.Context(), c, "double", n)
		})
		p := siotest.Join(t, srv, mode)
		p.Send(`21["ask me",4]`)
		p.Send(`3` + p.WantAckEvent(`["double",4]`) + `[8]`)
		p.Want(`31[8]`)

		s := srv.Socket(p.SID)
		replies := make(chan any, 1)
		require.NoError(t, s.Emit("q", nil, socketio.OnAck(func(c *socketio.Context) error {
			reply, err := c.Call(t.Context(), "nested", nil)
			replies <- reply.Args()
			return err
		})))
		p.Send(`3` + p.WantAckEvent(`["q"]`) + `[]`)
		p.Send(`3` + p.WantAckEvent(`["nested"]`) + `[1,"two",{"three":3}]`)
		require.Equal(t, socketio.Args{1.0, "two", map[string]any{"three": 3.0}}, <-replies)

		// Another client, as Flask-SocketIO's call(to=sid).
		q := siotest.Join(t, srv, mode)
		go func() {
			v, err := socketio.Call[string](t.Context(), s, "other", nil, socketio.To(q.SID))
			require.NoError(t, err)
			replies <- v
		}()
		q.Send(`3` + q.WantAckEvent(`["other"]`) + `["yes"]`)
		require.Equal(t, "yes", <-replies)
		go func() {
			v, err := socketio.Call[[]byte](t.Context(), s, "empty", nil)
			require.NoError(t, err)
			replies <- v
		}()
		p.Send(`3` + p.WantAckEvent(`["empty"]`) + `[]`)
		require.Equal(t, []byte(nil), <-replies)
	})
}

func TestCallErrors(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var inConnect error
		srv.On("connect", func(c *socketio.Context) {
			_, inConnect = c.Call(t.Context(), "q", nil)
			_, err := srv.Call(t.Context(), "q", nil, socketio.To(c.ID()))
			require.ErrorContains(t, err, "connect handler")
		})
		p, q := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
		require.ErrorContains(t, inConnect, "connect handler")
		s := srv.Socket(p.SID)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := s.Call(ctx, "slow", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.Zero(t, s.PendingAcks())
		id := p.WantAckEvent(`["slow"]`)
		p.Send(`3` + id + `[]`) // too late
		_, err = s.Call(ctx, "not sent", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		require.ErrorContains(t, callInt(s, func() { p.Send(`3` + p.WantAckEvent(`["typed"]`) + `["x"]`) }), "does not fit int")

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
		p.Quiet()
		q.Quiet()
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
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		for name, leave := range map[string]func(p *siotest.Peer){
			"client": func(p *siotest.Peer) { p.Send(`1`) },
			"server": func(p *siotest.Peer) { srv.Socket(p.SID).Disconnect() },
			"abort":  func(p *siotest.Peer) { p.Client.Abort() },
		} {
			p := siotest.Join(t, srv, mode)
			s := srv.Socket(p.SID)
			result := make(chan error)
			go func() {
				_, err := s.Call(context.Background(), "q", nil)
				result <- err
			}()
			p.WantAckEvent(`["q"]`)
			synctest.Wait()
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
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		replies, err := srv.Call(t.Context(), "q", nil)
		require.NoError(t, err)
		require.Empty(t, replies)

		p, q, r := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
		results := make(chan callResult)
		call := func(ctx context.Context, opts ...socketio.EmitOption) {
			go func() {
				replies, err := srv.Call(ctx, "q", 1, opts...)
				results <- callResult{replies, err}
			}()
		}
		answer := func(p *siotest.Peer, v string) { p.Send(`3` + p.WantAckEvent(`["q",1]`) + `[` + v + `]`) }

		call(t.Context())
		for i, p := range []*siotest.Peer{p, q, r} {
			synctest.Wait()
			answer(p, string(rune('0'+i)))
		}
		res := <-results
		require.NoError(t, res.err)
		require.Len(t, res.replies, 3)
		for i, p := range []*siotest.Peer{p, q, r} {
			require.Equal(t, p.SID, res.replies[i].SID)
			var n int
			require.NoError(t, res.replies[i].Bind(&n, nil))
			require.Equal(t, i, n)
		}

		// One does not answer: the others' answers, and who is missing.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		call(ctx)
		answer(p, "7")
		synctest.Wait()
		answer(q, "8")
		r.WantAckEvent(`["q",1]`)
		res = <-results
		require.ErrorIs(t, res.err, context.DeadlineExceeded)
		var missing *socketio.CallError
		require.ErrorAs(t, res.err, &missing)
		require.Equal(t, []string{r.SID}, missing.Missing)
		require.Len(t, res.replies, 2)
		require.Equal(t, socketio.Args{7.0}, res.replies[0].Args())
		require.Zero(t, srv.Socket(r.SID).PendingAcks())

		// One leaves: it is not waited for.
		call(t.Context(), socketio.To(q.SID, r.SID), socketio.Except(p.SID))
		r.WantAckEvent(`["q",1]`)
		synctest.Wait()
		r.Send(`1`)
		answer(q, "9")
		res = <-results
		require.ErrorIs(t, res.err, socketio.ErrClosed)
		require.ErrorAs(t, res.err, &missing)
		require.Equal(t, []string{r.SID}, missing.Missing)
		require.Equal(t, q.SID, res.replies[0].SID)
		require.Len(t, res.replies, 1)
		p.Quiet()
	})
}

// A client that has come in can be asked and waited for at once, also by a goroutine that is quicker than the one that
// lets it in.
func TestSocketIsUsedWhileItIsLetIn(t *testing.T) {
	for name, opts := range map[string]*socketio.Options{"plain": nil, "recovery": {Recovery: &socketio.Recovery{}}} {
		t.Run(name, func(t *testing.T) {
			srv := siotest.NewServer(t, opts)
			sockets := make(chan *socketio.Socket, 1)
			var release func()
			srv.On("connect", func(c *socketio.Context) {
				release = c.HoldSending() // in its midst, if the client can come back
				sockets <- c.Socket
			})
			p := siotest.Dial(t, srv, eiotest.WebSocket)
			p.Send("0")
			s := <-sockets
			held := sync.OnceFunc(release)
			defer held()
			require.Eventually(t, func() bool { return srv.Count() == 1 }, 20*time.Second, time.Millisecond)
			require.True(t, s.Connected())
			require.Equal(t, []*socketio.Socket{s}, s.Connection().Sockets())
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			if err := s.Flush(ctx); opts != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
			held()
			require.NoError(t, s.Flush(t.Context()))
		})
	}
}
