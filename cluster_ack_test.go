package socketio_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestClusterOnAck(t *testing.T) {
	for name, opts := range siotest.Parsers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := siotest.NewFleet(t, 3, opts)
				var r siotest.Record
				answered := func(c *socketio.Context, s string, b []byte) { r.Add("%s %s %q", c.ID(), s, b) }
				a, b, c := siotest.Join(t, f.Servers[0], eiotest.WebSocket), siotest.Join(t, f.Servers[1], eiotest.WebSocket), siotest.Join(t, f.Servers[2], eiotest.WebSocket)

				require.NoError(t, f.Servers[0].Emit("q", 1, socketio.To(b.SID), socketio.OnAck(answered)))
				id := b.WantAckEvent(`["q",1]`)
				b.Send("3" + id + `["text"]`)
				r.Want(t, b.SID+` text ""`)
				b.Send("3" + id + `["again"]`)
				r.Want(t)

				// Binary in the answer.
				require.NoError(t, f.Servers[0].Emit("q", 1, socketio.To(b.SID), socketio.OnAck(answered)))
				id = b.WantAckEvent(`["q",1]`)
				b.Send("61-"+id+`["bin",{"_placeholder":true,"num":0}]`, "b:\x00\xff")
				r.Want(t, b.SID+` bin "\x00\xff"`)

				// Everyone answers, whatever the server.
				require.NoError(t, f.Servers[0].Emit("q", 2, socketio.OnAck(answered)))
				for _, p := range []*siotest.Peer{a, b, c} {
					p.Send("3" + p.WantAckEvent(`["q",2]`) + `["all"]`)
					r.Want(t, p.SID+` all ""`)
				}

				// An answer without arguments, and a handler that fails.
				f.Servers[0].OnError(func(c *socketio.Context, err error) any { r.Add("%v", err); return nil })
				require.NoError(t, f.Servers[0].Emit("q", 3, socketio.To(c.SID), socketio.OnAck(func(c *socketio.Context) error {
					return fmt.Errorf("%s failed", c.Event())
				})))
				c.Send("3" + c.WantAckEvent(`["q",3]`) + `[]`)
				r.Want(t, "q failed")
			})
		})
	}
}

// The Socket of a client that answered from another server does what can be
// done from here.
func TestClusterRemoteSocket(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		p := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		near := siotest.Join(t, f.Servers[0], eiotest.WebSocket)
		var got *socketio.Context
		require.NoError(t, f.Servers[0].Emit("q", nil, socketio.To(p.SID), socketio.OnAck(func(c *socketio.Context) { got = c })))
		p.Send("3" + p.WantAckEvent(`["q"]`) + `[]`)
		synctest.Wait()
		require.NotNil(t, got)
		require.Equal(t, p.SID, got.ID())
		require.Equal(t, "", got.Transport())
		require.Empty(t, got.Request().Header.Get("Cookie"))
		require.NoError(t, got.Context().Err())
		require.Nil(t, got.Rooms())
		got.Session().Set("k", 1)

		require.NoError(t, got.Emit("direct", nil))
		p.Want(`2["direct"]`)
		require.NoError(t, got.Emit("others", nil, socketio.Broadcast(), socketio.SkipSelf()))
		near.Want(`2["others"]`)
		require.NoError(t, got.Join("r"))
		synctest.Wait()
		require.Equal(t, []string{p.SID, "r"}, f.Servers[1].Rooms(p.SID))
		got.Leave("r")
		synctest.Wait()
		require.Equal(t, []string{p.SID}, f.Servers[1].Rooms(p.SID))
		p.Quiet()

		replies := make(chan string, 1)
		go func() {
			reply, err := got.Call(t.Context(), "ask", nil)
			replies <- fmt.Sprintf("%s %v %v", reply.SID, reply.Args(), err)
		}()
		p.Send("3" + p.WantAckEvent(`["ask"]`) + `[7]`)
		require.Equal(t, p.SID+" [7] <nil>", <-replies)

		got.CloseConnection()
		p.Want("1")
	})
}

func TestClusterCall(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		p := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		a := siotest.Join(t, f.Servers[0], eiotest.WebSocket)
		type result struct {
			replies []socketio.Reply
			err     error
		}
		results := make(chan result, 1)
		call := func(ctx context.Context, opts ...socketio.EmitOption) {
			go func() {
				replies, err := f.Servers[0].Call(ctx, "ask", "x", opts...)
				results <- result{replies, err}
			}()
		}

		call(t.Context(), socketio.To(p.SID))
		p.Send("3" + p.WantAckEvent(`["ask","x"]`) + `[42]`)
		got := <-results
		require.NoError(t, got.err)
		require.Len(t, got.replies, 1)
		require.Equal(t, p.SID, got.replies[0].SID)
		require.Equal(t, socketio.Args{42.0}, got.replies[0].Args())

		// From a handler of another client.
		f.Servers[0].On("relay", func(c *socketio.Context) (int, error) {
			return socketio.Call[int](c.Context(), c, "ask", "y", socketio.To(p.SID))
		})
		a.Send(`25["relay"]`)
		p.Send("3" + p.WantAckEvent(`["ask","y"]`) + `[43]`)
		a.Want("35[43]")

		// Nobody answers.
		time.Sleep(3 * time.Second) // the servers know each other
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		call(ctx, socketio.To("nobody"))
		got = <-results
		require.ErrorIs(t, got.err, context.DeadlineExceeded)
		var missing *socketio.CallError
		require.ErrorAs(t, got.err, &missing)
		require.Equal(t, []string{"nobody"}, missing.Missing)
		require.Zero(t, f.Servers[0].RemoteQuestions())

		// This server only.
		call(t.Context(), socketio.To(p.SID), socketio.Local())
		require.Equal(t, result{}, <-results)

		// The broker is away: no use to wait.
		f.Service.Stop()
		require.NoError(t, f.Servers[0].Emit("lost", nil))
		synctest.Wait()
		call(t.Context(), socketio.To(p.SID))
		got = <-results
		require.ErrorIs(t, got.err, socketio.ErrBrokerUnavailable)
		require.Zero(t, f.Servers[0].RemoteQuestions())
	})
}

// Shutdown ends calls that wait for other servers, and forgets who was asked.
func TestClusterCallDuringShutdown(t *testing.T) {
	siotest.InFleet(t, 1, func(t *testing.T, f *siotest.Fleet) {
		failed := make(chan error, 1)
		go func() {
			_, err := f.Servers[0].Call(t.Context(), "ask", nil, socketio.To("far"))
			failed <- err
		}()
		require.NoError(t, f.Servers[0].Emit("q", nil, socketio.OnAck(func(*socketio.Context) {})))
		time.Sleep(3 * time.Second) // by when it is clear that there are no other servers
		synctest.Wait()
		require.Equal(t, 2, f.Servers[0].RemoteQuestions())
		require.NoError(t, f.Servers[0].Shutdown(t.Context()))
		require.ErrorIs(t, <-failed, socketio.ErrBrokerUnavailable)
		require.Zero(t, f.Servers[0].RemoteQuestions())
		_, err := f.Servers[0].Call(t.Context(), "ask", nil, socketio.To("far"))
		require.ErrorIs(t, err, socketio.ErrBrokerUnavailable)
	})
}

// A callback for clients elsewhere is forgotten in the end.
func TestClusterAckExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 2, &socketio.Options{Cluster: socketio.ClusterOptions{AckTimeout: time.Minute}})
		p := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		var r siotest.Record
		require.NoError(t, f.Servers[0].Emit("q", nil, socketio.OnAck(func(c *socketio.Context) { r.Add("answer") })))
		id := p.WantAckEvent(`["q"]`)
		time.Sleep(59 * time.Second)
		p.Quiet() // pings are answered
		require.Equal(t, 1, f.Servers[0].RemoteQuestions())
		time.Sleep(time.Second)
		synctest.Wait()
		require.Zero(t, f.Servers[0].RemoteQuestions())
		p.Send("3" + id + "[]")
		r.Want(t)
		require.Zero(t, f.Servers[0].BrokerStatus().Ignored)
	})
}

// Shutdown publishes what waits, the emits of disconnect handlers included, and
// leaves no goroutine behind (see TestMain).
func TestClusterShutdownFlushes(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		f.Servers[0].On("disconnect", func(c *socketio.Context) error {
			return c.Emit("bye", nil, socketio.Broadcast())
		})
		siotest.Join(t, f.Servers[0], eiotest.WebSocket)
		p := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		require.NoError(t, f.Servers[0].Shutdown(t.Context()))
		p.Want(`2["bye"]`)
		require.NoError(t, f.Servers[0].Emit("late", nil))
		require.ErrorIs(t, f.Servers[0].JoinRoom(p.SID, "r"), socketio.ErrBrokerUnavailable)
		p.Quiet()
		require.NoError(t, f.Servers[0].Shutdown(t.Context()))
	})
}

// stuckBroker takes no message before its context ends.
type stuckBroker struct{ socketio.Broker }

func (b stuckBroker) Publish(ctx context.Context, channel string, data []byte) error {
	<-ctx.Done()
	return ctx.Err()
}

// Emit does not wait for a broker that hangs, what waits is bounded, and
// Shutdown ends with its context and says what was lost.
func TestClusterEmitNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := new(brokertest.Memory)
		srv := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: stuckBroker{service.Connect()}, QueueLimit: 10_000}, Logger: siotest.Logger(new(siotest.Logs))})
		defer srv.Shutdown(t.Context())
		start := time.Now()
		for range 1000 {
			require.NoError(t, srv.Emit("e", "0123456789"))
		}
		require.Zero(t, time.Since(start))
		st := srv.BrokerStatus()
		require.LessOrEqual(t, st.WaitingBytes, 10_000)
		require.Positive(t, st.Waiting)
		require.Zero(t, st.Published)
		require.Positive(t, st.Dropped)
		published := 1000
		for err := error(nil); err == nil; published++ { // one may still fit
			if err = srv.JoinRoom("far", "room"); err != nil {
				require.ErrorIs(t, err, socketio.ErrBrokerUnavailable)
			}
		}
		require.Less(t, published, 1010)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := srv.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Regexp(t, `^socketio: \d+ messages? not published`, err.Error())
		require.Equal(t, time.Second, time.Since(start))
		require.EqualValues(t, published, srv.BrokerStatus().Dropped)
	})
}
