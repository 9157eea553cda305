package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Every way to leave runs the disconnect handler once, with the rooms still there and nothing to be sent, and cleans up.
func TestDisconnectReasons(t *testing.T) {
	for _, test := range []struct {
		name  string
		leave func(t *testing.T, srv *socketio.Server, p *peer)
		want  map[eiotest.Mode]socketio.Reason // "" for all
	}{
		{"client leaves the namespace", func(t *testing.T, srv *socketio.Server, p *peer) { p.send(`1`) },
			map[eiotest.Mode]socketio.Reason{"": socketio.ReasonClientDisconnect}},
		{"client closes", func(t *testing.T, srv *socketio.Server, p *peer) { p.c.Close() },
			map[eiotest.Mode]socketio.Reason{eiotest.Polling: socketio.ReasonClientDisconnect, "": socketio.ReasonTransportClose}},
		{"client vanishes", func(t *testing.T, srv *socketio.Server, p *peer) { p.c.Abort() },
			map[eiotest.Mode]socketio.Reason{eiotest.Polling: socketio.ReasonTransportError, "": socketio.ReasonTransportClose}},
		{"socket", func(t *testing.T, srv *socketio.Server, p *peer) {
			s := srv.Socket(p.sid)
			s.Disconnect()
			s.Disconnect()
			p.want(`1`)
			p.quiet()
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonServerDisconnect}},
		{"server", func(t *testing.T, srv *socketio.Server, p *peer) {
			require.NoError(t, srv.Disconnect(p.sid))
			p.want(`1`)
			p.quiet()
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonServerDisconnect}},
		{"handler", func(t *testing.T, srv *socketio.Server, p *peer) {
			p.send(`21["leave"]`)
			p.want(`1`)
			p.quiet() // no acknowledgement after it
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonServerDisconnect}},
		{"connection", func(t *testing.T, srv *socketio.Server, p *peer) {
			s := srv.Socket(p.sid)
			s.CloseConnection()
			s.CloseConnection()
			p.want(`1`)
			p.closed()
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonServerDisconnect}},
		{"parse error", func(t *testing.T, srv *socketio.Server, p *peer) { p.send(`9`); p.closed() },
			map[eiotest.Mode]socketio.Reason{"": socketio.ReasonParseError}},
		{"ping timeout", func(t *testing.T, srv *socketio.Server, p *peer) {
			p.closed()
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonPingTimeout}},
		{"transport error", func(t *testing.T, srv *socketio.Server, p *peer) {
			require.NoError(t, p.c.SendPacket("2"))
			p.closed()
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonTransportError}},
		{"slow client", func(t *testing.T, srv *socketio.Server, p *peer) {
			for s := srv.Socket(p.sid); s.Context().Err() == nil; {
				require.NoError(t, srv.Emit("e", strings.Repeat("x", 1000)))
			}
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonSlowClient}},
		{"shutdown", func(t *testing.T, srv *socketio.Server, p *peer) {
			require.NoError(t, srv.Shutdown(t.Context()))
			p.closed() // without 1, so that clients come back by themselves
		}, map[eiotest.Mode]socketio.Reason{"": socketio.ReasonServerShutdown}},
	} {
		for i, end := range []string{"returns", "error", "panics", "exits"} {
			t.Run(test.name+" handler "+end, func(t *testing.T) {
				modes(t, func(t *testing.T, mode eiotest.Mode) {
					opts := &socketio.Options{AsyncHandlers: i%3 == 1, AlwaysConnect: i%3 == 2, Limits: socketio.Limits{SendQueueLimit: 1000}}
					if test.name == "ping timeout" {
						opts.PingInterval, opts.PingTimeout = time.Second, time.Second
					}
					srv := newServer(t, opts)
					var rec record
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
						require.Empty(t, membersOf(t, srv, "room"))
						rec.add("%s", why)
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
					p := dialWith(t, srv, eiotest.Options{Mode: mode, NoAutoPong: test.name == "ping timeout"})
					p.connect("/")
					s := srv.Socket(p.sid)
					require.NoError(t, s.Join("room"))
					require.NoError(t, s.Context().Err())
					synctestWait() // until the poll is there, whose end the server notices
					test.leave(t, srv, p)
					synctestWait()
					want, ok := test.want[mode]
					if !ok {
						want = test.want[""]
					}
					rec.want(t, string(want))
					sids, rooms, running := srv.Sizes()
					require.Zero(t, sids+rooms+running)
					require.ErrorIs(t, s.Emit("gone", nil), socketio.ErrClosed)
					require.ErrorContains(t, s.Emit("gone", nil), string(want))
					s.Disconnect()
					rec.want(t)
				})
			})
		}
	}
}

// Each namespace of a connection has its own disconnect, whatever the handlers of the others do: defect L5.
func TestNamespacesLeaveTogether(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		for _, ns := range []string{"/", "/a", "/b"} {
			srv.Namespace(ns).On("disconnect", func(c *socketio.Context) {
				rec.add("%s", ns)
				panic("oops")
			})
		}
		p := join(t, srv, mode, "/", "/a", "/b")
		p.send(`1/a,`)
		rec.want(t, "/a")
		p.c.Abort()
		synctestWait()
		require.ElementsMatch(t, []string{"/", "/b"}, rec.take())
	})
}

// The connection stays, the same client may come back, and what was in flight is ignored: decision 3.
func TestReconnectInNamespace(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		srv.On("connect", func(c *socketio.Context) { rec.add("connect") })
		srv.On("event", func(c *socketio.Context) { rec.add("event") })
		srv.On("disconnect", func(c *socketio.Context) { time.Sleep(time.Second); rec.add("disconnect") })
		srv.Namespace("/other").On("event", func(c *socketio.Context) string { return "still here" })
		p := join(t, srv, mode, "/other", "/")
		first := p.sid
		srv.Socket(first).Disconnect()
		p.want(`1`)
		p.send(`2["event"]`, `31[]`, `1`) // sent before the 1 arrived
		second := p.connect("/")          // waits for the first one's disconnect handler
		require.NotEqual(t, first, second)
		p.send(`2["event"]`)
		rec.want(t, "connect", "disconnect", "connect", "event")
		p.send(`2/other,1["event"]`)
		p.want(`3/other,1["still here"]`)
		p.send(`1`, `1`, `2["event"]`)
		time.Sleep(2 * time.Second)
		rec.want(t, "disconnect")
	})
}

// What arrived before the client went is handled first, in order, and then it has left; what waits when the server
// sends it away is dropped.
func TestWaitingEventsAtTheEnd(t *testing.T) {
	for _, byServer := range []bool{false, true} {
		t.Run(fmt.Sprint("by server ", byServer), func(t *testing.T) {
			modes(t, func(t *testing.T, mode eiotest.Mode) {
				srv := newServer(t, nil)
				var rec record
				srv.On("event", func(c *socketio.Context, n int) {
					time.Sleep(time.Second)
					rec.add("event %d", n)
				})
				srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.add("%s", why) })
				p := join(t, srv, mode)
				p.send(`2["event",1]`, `2["event",2]`, `2["event",3]`)
				synctestWait()
				if byServer {
					require.NoError(t, srv.Disconnect(p.sid))
					time.Sleep(10 * time.Second)
					rec.want(t, "event 1", "server disconnect")
					return
				}
				p.send(`1`)
				time.Sleep(10 * time.Second)
				rec.want(t, "event 1", "event 2", "event 3", "client disconnect")
			})
		})
	}
}

// Disconnect may be called anywhere: in an acknowledgement callback, a disconnect handler, another goroutine.
func TestDisconnectAnywhere(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
			c.Disconnect()
			rec.add("%s", why)
		})
		p := join(t, srv, mode)
		require.NoError(t, srv.Socket(p.sid).Emit("bye", nil, socketio.OnAck(func(c *socketio.Context) { c.Disconnect() })))
		p.send("3" + p.wantAckEvent(`["bye"]`) + `[]`)
		p.want(`1`)
		rec.want(t, "server disconnect")
		p.connect("/")
		done := make(chan struct{})
		go func() { srv.Socket(p.sid).Disconnect(); close(done) }()
		<-done
		p.want(`1`)
		rec.want(t, "server disconnect")
	})
}

// A handler that answers a client that has gone is no failure.
func TestHandlerOfGoneClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log logs
		srv := newServer(t, &socketio.Options{Logger: logger(&log)})
		srv.OnError(func(c *socketio.Context, err error) any { t.Errorf("error handler called: %v", err); return nil })
		srv.On("slow", func(c *socketio.Context) error {
			<-c.Context().Done()
			return fmt.Errorf("wrapped: %w", c.Emit("late", nil))
		})
		p := join(t, srv, eiotest.WebSocket)
		p.send(`21["slow"]`, `1`)
		p.quiet()
		require.Empty(t, log.String())
	})
}

func TestContextCarriesRequest(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		srv.On("connect", func(c *socketio.Context) {
			rec.add("%s %s", c.Request().Header.Get("X-User"), c.Request().URL.Path)
		})
		p := dialWith(t, srv, eiotest.Options{Mode: mode, Header: map[string][]string{"X-User": {"ann"}}})
		p.connect("/")
		rec.want(t, "ann /socket.io/")
		ctx := srv.Socket(p.sid).Context()
		require.NoError(t, ctx.Err())
		p.c.Abort()
		<-ctx.Done()
		require.ErrorIs(t, context.Cause(ctx), socketio.ErrClosed)
		require.True(t, strings.HasPrefix(context.Cause(ctx).Error(), "socketio: "))
	})
}

// CloseConnection ends every namespace of a client, in one go.
func TestCloseConnectionLeavesEveryNamespace(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		for _, ns := range []string{"/", "/a", "/b"} {
			srv.Namespace(ns).On("disconnect", func(c *socketio.Context, why socketio.Reason) {
				rec.add("%s %s", c.Namespace().Name(), why)
			})
		}
		p := join(t, srv, mode, "/", "/a", "/b")
		other := join(t, srv, mode)
		synctestWait() // the connect handlers' goroutines have ended: the order below is that of the namespaces
		require.NoError(t, srv.Emit("last", nil))
		srv.Namespace("/b").Socket(p.sid).CloseConnection()
		p.want(`2["last"]`, `1`, `1/a,`, `1/b,`)
		p.closed()
		synctestWait()
		require.ElementsMatch(t, []string{"/ server disconnect", "/a server disconnect", "/b server disconnect"}, rec.take())
		other.want(`2["last"]`)
		other.quiet()
	})
}

// What is emitted while the server disconnects a client comes before its DISCONNECT packet or not at all.
func TestNothingFollowsDisconnect(t *testing.T) {
	srv := newServer(t, &socketio.Options{Limits: socketio.Limits{SendQueueLimit: 100 << 20}})
	p := dial(t, srv, eiotest.WebSocket) // without a bubble, so that the goroutines race
	for range 300 {
		p.send("0")
		got := p.next()
		require.True(t, strings.HasPrefix(got, "0"), "after DISCONNECT: %s", got)
		s := srv.Socket(sidsOf(srv)[0])
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for s.Emit("e", nil) == nil {
				}
			})
		}
		wg.Go(s.Disconnect)
		for m := p.next(); m != "1"; m = p.next() {
			require.Equal(t, `2["e"]`, m)
		}
		wg.Wait()
	}
}
