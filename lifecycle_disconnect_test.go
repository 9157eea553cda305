package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// Every way to leave runs the disconnect handler once, with the rooms still there and nothing to be sent, and cleans up.
func TestDisconnectReasons(t *testing.T) {
	for _, test := range []struct {
		name  string
		leave func(t *testing.T, srv *socketio.Server, p *siotest.Peer)
		want  map[eiotest.Mode]socketio.Reason // "" for all
	}{
		{"client leaves the namespace", func(t *testing.T, srv *socketio.Server, p *siotest.Peer) { p.Send(`1`) },
			map[eiotest.Mode]socketio.Reason{"": socketio.ReasonClientDisconnect}},
		{"client closes", func(t *testing.T, srv *socketio.Server, p *siotest.Peer) { p.Client.Close() },
			map[eiotest.Mode]socketio.Reason{eiotest.Polling: socketio.ReasonClientDisconnect, "": socketio.ReasonTransportClose}},
		{"client vanishes", func(t *testing.T, srv *socketio.Server, p *siotest.Peer) { p.Client.Abort() },
			map[eiotest.Mode]socketio.Reason{eiotest.Polling: socketio.ReasonTransportError, "": socketio.ReasonTransportClose}},
		{"socket", func(t *testing.T, srv *socketio.Server, p *siotest.Peer) {
			s := srv.Socket(p.SID)
			s.Disconnect()
			s.Disconnect()
			p.Want(`1`)
			p.Quiet()
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonServerDisconnect}},
		{"server", func(t *testing.T, srv *socketio.Server, p *siotest.Peer) {
			require.NoError(t, srv.Disconnect(p.SID))
			p.Want(`1`)
			p.Quiet()
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonServerDisconnect}},
		{"handler", func(t *testing.T, srv *socketio.Server, p *siotest.Peer) {
			p.Send(`21["leave"]`)
			p.Want(`1`)
			p.Quiet() // no acknowledgement after it
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonServerDisconnect}},
		{"connection", func(t *testing.T, srv *socketio.Server, p *siotest.Peer) {
			s := srv.Socket(p.SID)
			s.CloseConnection()
			s.CloseConnection()
			p.Want(`1`)
			p.Closed()
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonServerDisconnect}},
		{"parse error", func(t *testing.T, srv *socketio.Server, p *siotest.Peer) { p.Send(`9`); p.Closed() },
			map[eiotest.Mode]socketio.Reason{"": socketio.ReasonParseError}},
		{"ping timeout", func(t *testing.T, srv *socketio.Server, p *siotest.Peer) {
			p.Closed()
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonPingTimeout}},
		{"transport error", func(t *testing.T, srv *socketio.Server, p *siotest.Peer) {
			require.NoError(t, p.Client.SendPacket("2"))
			p.Closed()
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonTransportError}},
		{"slow client", func(t *testing.T, srv *socketio.Server, p *siotest.Peer) {
			for s := srv.Socket(p.SID); s.Context().Err() == nil; {
				require.NoError(t, srv.Emit("e", strings.Repeat("x", 1000)))
			}
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonSlowClient}},
		{"shutdown", func(t *testing.T, srv *socketio.Server, p *siotest.Peer) {
			require.NoError(t, srv.Shutdown(t.Context()))
			p.Closed() // without 1, so that clients come back by themselves
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonServerShutdown}},
	} {
		for i, end := range []string{"returns", "error", "panics", "exits"} {
			t.Run(test.name+" handler "+end, func(t *testing.T) {
				eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
					opts := &socketio.Options{AsyncHandlers: i%3 == 1, AlwaysConnect: i%3 == 2, Limits: socketio.Limits{SendQueueLimit: 1000}}
					if test.name == "ping timeout" {
						opts.PingInterval, opts.PingTimeout = time.Second, time.Second
					}
					srv := siotest.NewServer(t, opts)
					var rec siotest.Record
					srv.On("leave", func(c *socketio.Context) { c.Disconnect() })
					srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) error {
						var left *socketio.DisconnectError
						require.ErrorAs(t, context.Cause(c.Context()), &left)
						require.Equal(t, why, left.Reason)
						require.ErrorIs(t, c.Emit("late", nil), socketio.ErrClosed)
						require.NoError(t, c.Emit("late", nil, socketio.To(c.ID())))
						require.NoError(t, c.Emit("late", nil, socketio.Broadcast()))
						require.ErrorIs(t, c.Join("late"), socketio.ErrClosed)
						require.Equal(t, socketio.Args{why}, c.Args())
						require.Equal(t, []string{c.ID(), "room"}, c.Rooms())
						require.Empty(t, siotest.Members(t, srv, "room"))
						rec.Add("%s", why)
						switch end {
						case "error":
							return errors.New("oops")
						case "panics":
							panic("oops")
						case "exits":
							runtime.Goexit()
						}
						return nil
					})
					p := siotest.DialWith(t, srv, eiotest.Options{Mode: mode, NoAutoPong: test.name == "ping timeout"})
					p.Connect("/")
					s := srv.Socket(p.SID)
					require.NoError(t, s.Join("room"))
					require.NoError(t, s.Context().Err())
					synctest.Wait() // until the poll is there, whose end the server notices
					test.leave(t, srv, p)
					synctest.Wait()
					want, ok := test.want[mode]
					if !ok {
						want = test.want[""]
					}
					rec.Want(t, string(want))
					sids, rooms, running := srv.Sizes()
					require.Zero(t, sids+rooms+running)
					require.ErrorIs(t, s.Emit("gone", nil), socketio.ErrClosed)
					require.ErrorContains(t, s.Emit("gone", nil), string(want))
					s.Disconnect()
					rec.Want(t)
				})
			})
		}
	}
}

// Each namespace of a connection has its own disconnect, whatever the handlers of the others do: defect L5.
func TestNamespacesLeaveTogether(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		for _, ns := range []string{"/", "/a", "/b"} {
			srv.Namespace(ns).On("disconnect", func(c *socketio.Context) {
				rec.Add("%s", ns)
				panic("oops")
			})
		}
		p := siotest.Join(t, srv, mode, "/", "/a", "/b")
		p.Send(`1/a,`)
		rec.Want(t, "/a")
		p.Client.Abort()
		synctest.Wait()
		require.ElementsMatch(t, []string{"/", "/b"}, rec.Take())
	})
}

// The connection stays, the same client may come back, and what was in flight is ignored: decision 3.
func TestReconnectInNamespace(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) { rec.Add("connect") })
		srv.On("event", func(c *socketio.Context) { rec.Add("event") })
		srv.On("disconnect", func(c *socketio.Context) { time.Sleep(time.Second); rec.Add("disconnect") })
		srv.Namespace("/other").On("event", func(c *socketio.Context) string { return "still here" })
		p := siotest.Join(t, srv, mode, "/other", "/")
		first := p.SID
		srv.Socket(first).Disconnect()
		p.Want(`1`)
		p.Send(`2["event"]`, `31[]`, `1`) // sent before the 1 arrived
		second := p.Connect("/")          // waits for the first one's disconnect handler
		require.NotEqual(t, first, second)
		p.Send(`2["event"]`)
		rec.Want(t, "connect", "disconnect", "connect", "event")
		p.Send(`2/other,1["event"]`)
		p.Want(`3/other,1["still here"]`)
		p.Send(`1`, `1`, `2["event"]`)
		time.Sleep(2 * time.Second)
		rec.Want(t, "disconnect")
	})
}

// What arrived before the client went is handled first, in order, and then it has left; what waits when the server
// sends it away is dropped.
func TestWaitingEventsAtTheEnd(t *testing.T) {
	for _, byServer := range []bool{false, true} {
		t.Run(fmt.Sprint("by server ", byServer), func(t *testing.T) {
			eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
				srv := siotest.NewServer(t, nil)
				var rec siotest.Record
				srv.On("event", func(c *socketio.Context, n int) {
					time.Sleep(time.Second)
					rec.Add("event %d", n)
				})
				srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
				p := siotest.Join(t, srv, mode)
				p.Send(`2["event",1]`, `2["event",2]`, `2["event",3]`)
				synctest.Wait()
				if byServer {
					require.NoError(t, srv.Disconnect(p.SID))
					time.Sleep(10 * time.Second)
					rec.Want(t, "event 1", "server disconnect")
					return
				}
				p.Send(`1`)
				time.Sleep(10 * time.Second)
				rec.Want(t, "event 1", "event 2", "event 3", "client disconnect")
			})
		})
	}
}

// Disconnect may be called anywhere: in an acknowledgement callback, a disconnect handler, another goroutine.
func TestDisconnectFromAnyGoroutine(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
			c.Disconnect()
			rec.Add("%s", why)
		})
		p := siotest.Join(t, srv, mode)
		require.NoError(t, srv.Socket(p.SID).Emit("bye", nil, socketio.OnAck(func(c *socketio.Context) { c.Disconnect() })))
		p.Send("3" + p.WantAckEvent(`["bye"]`) + `[]`)
		p.Want(`1`)
		rec.Want(t, "server disconnect")
		p.Connect("/")
		done := make(chan struct{})
		go func() { srv.Socket(p.SID).Disconnect(); close(done) }()
		<-done
		p.Want(`1`)
		rec.Want(t, "server disconnect")
	})
}

// A handler that answers a client that has gone is no failure.
func TestHandlerOfGoneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log siotest.Logs
		srv := siotest.NewServer(t, &socketio.Options{Logger: siotest.Logger(&log)})
		srv.OnError(func(c *socketio.Context, err error) any { t.Errorf("error handler called: %v", err); return nil })
		srv.On("slow", func(c *socketio.Context) error {
			<-c.Context().Done()
			return fmt.Errorf("wrapped: %w", c.Emit("late", nil))
		})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		p.Send(`21["slow"]`, `1`)
		p.Quiet()
		require.Empty(t, log.String())
	})
}

func TestContextCarriesRequest(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) {
			rec.Add("%s %s", c.Request().Header.Get("X-User"), c.Request().URL.Path)
		})
		p := siotest.DialWith(t, srv, eiotest.Options{Mode: mode, Header: map[string][]string{"X-User": {"ann"}}})
		p.Connect("/")
		rec.Want(t, "ann /socket.io/")
		ctx := srv.Socket(p.SID).Context()
		require.NoError(t, ctx.Err())
		p.Client.Abort()
		<-ctx.Done()
		require.ErrorIs(t, context.Cause(ctx), socketio.ErrClosed)
		require.True(t, strings.HasPrefix(context.Cause(ctx).Error(), "socketio: "))
	})
}

// CloseConnection ends every namespace of a client, in one go.
func TestCloseConnectionLeavesEveryNamespace(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		for _, ns := range []string{"/", "/a", "/b"} {
			srv.Namespace(ns).On("disconnect", func(c *socketio.Context, why socketio.Reason) {
				rec.Add("%s %s", c.Namespace().Name(), why)
			})
		}
		p := siotest.Join(t, srv, mode, "/", "/a", "/b")
		other := siotest.Join(t, srv, mode)
		synctest.Wait() // the connect handlers' goroutines have ended: the order below is that of the namespaces
		require.NoError(t, srv.Emit("last", nil))
		srv.Namespace("/b").Socket(p.SID).CloseConnection()
		p.Want(`2["last"]`, `1`, `1/a,`, `1/b,`)
		p.Closed()
		synctest.Wait()
		require.ElementsMatch(t, []string{"/ server disconnect", "/a server disconnect", "/b server disconnect"}, rec.Take())
		other.Want(`2["last"]`)
		other.Quiet()
	})
}

// What is emitted while the server disconnects a client comes before its DISCONNECT packet or not at all.
func TestNothingFollowsDisconnect(t *testing.T) {
	srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{SendQueueLimit: 100 << 20}})
	p := siotest.Dial(t, srv, eiotest.WebSocket) // without a bubble, so that the goroutines race
	for range 300 {
		p.Send("0")
		got := p.Next()
		require.True(t, strings.HasPrefix(got, "0"), "after DISCONNECT: %s", got)
		s := srv.Socket(siotest.SIDs(srv)[0])
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for s.Emit("e", nil) == nil {
				}
			})
		}
		wg.Go(s.Disconnect)
		for m := p.Next(); m != "1"; m = p.Next() {
			require.Equal(t, `2["e"]`, m)
		}
		wg.Wait()
	}
}
