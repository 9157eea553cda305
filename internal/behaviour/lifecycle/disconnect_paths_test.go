package lifecycle_test

// The disconnect handler runs exactly once, whichever way a client goes and whatever happens at that moment, and never
// for a client that was refused. This table says which test shows it for which way; TestDisconnectPaths keeps it true.

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/behaviour"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

var disconnectPaths = []behaviour.Row{
	{"D01", "the client leaves the namespace", "TestDisconnectReasons TestNamespacesLeaveTogether TestReconnectInNamespace", ""},
	{"D02", "the client closes the connection", "TestDisconnectReasons engineio.TestClientCloses engineio.TestClosePacketOverWebSocket", ""},
	{"D03", "the client vanishes, the network fails", "TestDisconnectReasons engineio.TestClientVanishes engineio.TestNetworkFails", ""},
	{"D04", "the server disconnects one namespace", "TestDisconnectReasons TestDisconnectFromAnyGoroutine", ""},
	{"D05", "the server disconnects all: CloseConnection", "TestDisconnectReasons TestCloseConnectionLeavesEveryNamespace", ""},
	{"D06", "ping timeout", "TestDisconnectReasons engineio.TestPingTimeout", ""},
	{"D07", "transport error", "TestDisconnectReasons engineio.TestFaultyFrames", ""},
	{"D08", "parse error", "TestDisconnectReasons TestProtocolViolations", ""},
	{"D09", "slow client", "TestDisconnectReasons TestSlowClient engineio.TestStalledWebSocket engineio.TestStalledPoll", ""},
	{"D10", "shutdown: drained, timed out, cut off", "TestShutdown TestDrainTimeout TestShutdownCutsOff TestShutdownInAHurry", ""},
	{"D11", "during the connect handler, in each of these ways", "TestDisconnectWhileConnecting TestClientLeavesWhileConnecting TestShutdownDuringConnect", ""},
	{"D12", "during an upgrade, at each step and in each direction", "TestDisconnectDuringUpgrade engineio.TestShutdownDuringAnUpgrade", ""},
	{"D13", "while handlers run, in each of these ways", "TestDisconnectWhileHandlersRun TestWaitingEventsAtTheEnd", ""},
	{"D14", "several at once", "TestDisconnectsAtOnce TestStorm engineio.TestCloseFromEverywhere", ""},
	{"D15", "a refused client: never", "TestConnectRefusals TestDisconnectWhileConnecting TestAlwaysConnectDisconnectInHandler", ""},
	{"D16", "the handler returns an error, panics, ends its goroutine, calls Disconnect", "TestDisconnectReasons TestDisconnectFromAnyGoroutine", ""},
	{"D17", "Options.AsyncHandlers", "TestDisconnectReasons TestDisconnectWhileHandlersRun TestAsyncHandlers", ""},
	{"D18", "Options.AlwaysConnect", "TestDisconnectReasons TestDisconnectWhileConnecting TestAlwaysConnect", ""},
	{"D19", "the connection joins no namespace, or is refused by HTTP", "TestConnectTimeout engineio.TestRefusals", "there is no socket: no handler"},
}

func TestDisconnectPaths(t *testing.T) {
	behaviour.CheckTable(t, disconnectPaths, behaviour.Numbers("D%02d", 19))
}

// departure is a way to go, for the tests that try each of them at some moment.
type departure struct {
	name    string
	leave   func(d *departing)
	reason  socketio.Reason
	polling socketio.Reason // over polling, if that is another one
}

// departing is a client that is about to go.
type departing struct {
	srv *socketio.Server
	tr  *eiotest.Transport
	p   *siotest.Peer
	s   *socketio.Socket
}

var departures = []departure{
	{"leaves the namespace", func(d *departing) { d.p.Send(`1`) }, socketio.ReasonClientDisconnect, ""},
	{"closes", func(d *departing) { d.p.Client.Close() }, socketio.ReasonTransportClose, socketio.ReasonClientDisconnect},
	{"vanishes", func(d *departing) { d.p.Client.Abort() }, socketio.ReasonTransportClose, socketio.ReasonTransportError},
	{"network fails", func(d *departing) { d.tr.CloseConns() }, socketio.ReasonTransportClose, socketio.ReasonTransportError},
	{"Disconnect", func(d *departing) { d.s.Disconnect() }, socketio.ReasonServerDisconnect, ""},
	{"CloseConnection", func(d *departing) { d.s.CloseConnection() }, socketio.ReasonServerDisconnect, ""},
	{"ping timeout", func(d *departing) { time.Sleep(time.Minute) }, socketio.ReasonPingTimeout, ""},
	{"transport error", func(d *departing) { _ = d.p.Client.SendPacket("2") }, socketio.ReasonTransportError, ""},
	{"parse error", func(d *departing) { d.p.Send(`9`) }, socketio.ReasonParseError, ""},
	{"slow client", func(d *departing) {
		for d.s.Context().Err() == nil { // a broadcast that finds no room, since nobody can wait for it
			_ = d.srv.Emit("e", strings.Repeat("x", 100_000))
		}
	}, socketio.ReasonSlowClient, ""},
	{"shutdown", func(d *departing) { siotest.BeginShutdown(context.Background(), d.srv) }, socketio.ReasonServerShutdown, ""},
}

func (d *departure) want(mode eiotest.Mode) string {
	if mode == eiotest.Polling && d.polling != "" {
		return string(d.polling)
	}
	return string(d.reason)
}

// options are such that everything can happen within a minute.
func (d *departure) options(async, always bool) *socketio.Options {
	o := &socketio.Options{AsyncHandlers: async, AlwaysConnect: always, Limits: socketio.Limits{SendQueueLimit: 100_000}}
	if d.reason == socketio.ReasonPingTimeout {
		o.PingInterval, o.PingTimeout = time.Second, time.Second
	}
	return o
}

// dial connects a client that will go in this way.
func (d *departure) dial(t *testing.T, srv *socketio.Server, mode eiotest.Mode) *departing {
	tr := eiotest.Serve(t, srv, nil)
	p := siotest.DialWith(t, srv, eiotest.Options{Mode: mode, Transport: tr, NoAutoPong: d.reason == socketio.ReasonPingTimeout})
	return &departing{srv: srv, tr: tr, p: p}
}

// everyDeparture runs a test for each way to go, without and with either option that changes when handlers run.
func everyDeparture(t *testing.T, f func(t *testing.T, d departure, mode eiotest.Mode, async, always bool)) {
	for _, d := range departures {
		for i, options := range []string{"", "AsyncHandlers", "AlwaysConnect"} {
			eiotest.RunSyncNamed(t, d.name+" "+options, func(t *testing.T, mode eiotest.Mode) { f(t, d, mode, i == 1, i == 2) })
		}
	}
}

func TestDisconnectWhileHandlersRun(t *testing.T) {
	everyDeparture(t, func(t *testing.T, d departure, mode eiotest.Mode, async, always bool) {
		srv := siotest.NewServer(t, d.options(async, always))
		var rec siotest.Record
		srv.On("slow", func(c *socketio.Context) { time.Sleep(2 * time.Minute); rec.Add("slow") })
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		client := d.dial(t, srv, mode)
		client.s = srv.Socket(client.p.Connect("/"))
		client.p.Send(`2["slow"]`)
		synctest.Wait()
		d.leave(client)
		time.Sleep(5 * time.Minute)
		rec.Want(t, "slow", d.want(mode))
	})
}

func TestDisconnectWhileConnecting(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		everyDeparture(t, func(t *testing.T, d departure, mode eiotest.Mode, async, always bool) {
			if d.reason == socketio.ReasonSlowClient && !always {
				t.Skip("nobody is slow to whom nothing has been sent")
			}
			srv := siotest.NewServer(t, d.options(async, always))
			var rec siotest.Record
			entered := make(chan *socketio.Socket, 1)
			srv.On("connect", func(c *socketio.Context) error {
				entered <- c.Socket
				time.Sleep(2 * time.Minute)
				rec.Add("decided")
				if refuse {
					return errors.New("no")
				}
				return nil
			})
			srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
			client := d.dial(t, srv, mode)
			client.p.Send(`0`)
			client.s = <-entered
			synctest.Wait()
			d.leave(client)
			time.Sleep(5 * time.Minute)
			// Whom the server disconnects before it was told that it is in has been refused.
			if refuse || d.reason == socketio.ReasonServerDisconnect && !always {
				rec.Want(t, "decided")
			} else {
				rec.Want(t, "decided", d.want(mode))
			}
		})
	}
}

// upgrading is a client in the middle of an upgrade, which does nothing by itself.
type upgrading struct {
	t    *testing.T
	srv  *socketio.Server
	s    *socketio.Socket
	raw  *eiotest.Raw
	ws   *websocket.Conn
	step string
}

// send sends a packet by the transport in use.
func (u *upgrading) send(packet string) {
	if u.step == "upgraded" {
		require.NoError(u.t, u.ws.Write(u.t.Context(), websocket.MessageText, []byte(packet)))
		return
	}
	_, err := u.raw.Post(u.t.Context(), packet)
	require.NoError(u.t, err)
}

func TestDisconnectDuringUpgrade(t *testing.T) {
	steps := []string{"opened", "probed", "upgraded"}
	for _, tt := range []struct {
		name   string
		steps  []string
		leave  func(u *upgrading)
		reason socketio.Reason
	}{
		{"client leaves the namespace", steps, func(u *upgrading) { u.send("41") }, socketio.ReasonClientDisconnect},
		{"client closes", steps, func(u *upgrading) { u.send("1") }, socketio.ReasonClientDisconnect},
		{"client drops the poll", steps[:2], func(u *upgrading) {
			ctx, cancel := context.WithCancel(u.t.Context())
			go func() { _, _ = u.raw.Get(ctx) }()
			synctest.Wait()
			cancel()
		}, socketio.ReasonTransportError},
		{"client drops the WebSocket", steps[2:], func(u *upgrading) { _ = u.ws.CloseNow() }, socketio.ReasonTransportClose},
		{"client drops the WebSocket and falls silent", steps[:2], func(u *upgrading) { _ = u.ws.CloseNow() }, socketio.ReasonPingTimeout},
		{"client falls silent", steps, func(u *upgrading) {}, socketio.ReasonPingTimeout},
		{"parse error", steps, func(u *upgrading) { u.send("49") }, socketio.ReasonParseError},
		{"Disconnect", steps, func(u *upgrading) { u.s.Disconnect() }, socketio.ReasonServerDisconnect},
		{"CloseConnection", steps, func(u *upgrading) { u.s.CloseConnection() }, socketio.ReasonServerDisconnect},
		{"shutdown", steps, func(u *upgrading) { siotest.BeginShutdown(context.Background(), u.srv) }, socketio.ReasonServerShutdown},
	} {
		for _, step := range tt.steps {
			t.Run(tt.name+" "+step, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					srv := siotest.NewServer(t, &socketio.Options{PingInterval: time.Second, PingTimeout: time.Second})
					var rec siotest.Record
					srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
					u := &upgrading{t: t, srv: srv, step: step}
					u.raw = &eiotest.Raw{Transport: eiotest.Serve(t, srv, nil), Path: "/socket.io/"}
					_, _, err := u.raw.Handshake(t.Context())
					require.NoError(t, err)
					_, err = u.raw.Post(t.Context(), "40")
					require.NoError(t, err)
					_, err = u.raw.Get(t.Context())
					require.NoError(t, err)
					u.s = srv.Socket(siotest.SIDs(srv)[0])
					u.ws, _, err = u.raw.DialWS(t.Context(), nil)
					require.NoError(t, err)
					defer u.ws.CloseNow()
					if step != "opened" {
						require.NoError(t, u.ws.Write(t.Context(), websocket.MessageText, []byte("2probe")))
						_, _, err = u.ws.Read(t.Context())
						require.NoError(t, err)
					}
					if step == "upgraded" { // its arrival is not waited for
						require.NoError(t, u.ws.Write(t.Context(), websocket.MessageText, []byte("5")))
					}
					tt.leave(u)
					time.Sleep(time.Minute)
					rec.Want(t, string(tt.reason))
					require.Nil(t, srv.Socket(u.s.ID()))
					siotest.WantForgotten(t, srv)
				})
			})
		}
	}
}

// Client and server end it at the same time: one of them wins.
func TestDisconnectsAtOnce(t *testing.T) {
	const rounds = 60
	ends := []func(d *departing, s *socketio.Socket){
		func(d *departing, _ *socketio.Socket) { d.p.Client.Close() },
		func(d *departing, _ *socketio.Socket) { d.p.Client.Abort() },
		func(d *departing, _ *socketio.Socket) { _ = d.p.Client.Send(`1`) },
		func(d *departing, _ *socketio.Socket) { _ = d.p.Client.Send(`9`) },
		func(d *departing, s *socketio.Socket) { s.Disconnect() },
		func(d *departing, s *socketio.Socket) { s.CloseConnection() },
		func(d *departing, _ *socketio.Socket) { _ = d.srv.Disconnect(d.p.SID) },
		func(d *departing, _ *socketio.Socket) { _ = d.srv.Shutdown(context.Background()) },
	}
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		for round := range rounds {
			srv := siotest.NewServer(t, &socketio.Options{AsyncHandlers: round%3 == 0, AlwaysConnect: round%3 == 1})
			var mu sync.Mutex
			left := map[string]int{}
			for _, ns := range []string{"/a", "/"} {
				srv.Namespace(ns).On("disconnect", func(c *socketio.Context) {
					mu.Lock()
					defer mu.Unlock()
					left[ns]++
				})
			}
			d := &departing{srv: srv, p: siotest.Join(t, srv, mode, "/a", "/")}
			s := srv.Socket(d.p.SID)
			var all sync.WaitGroup
			for i, end := range ends {
				// Each with the next one and the one after that, in turn; in some rounds all of them.
				if k := (round - i + len(ends)) % len(ends); k < 3 && i != len(ends)-1 || round%10 == 9 {
					all.Go(func() { end(d, s) })
				}
			}
			all.Wait()
			require.NoError(t, srv.Shutdown(t.Context())) // whoever is still there, and waits for the handlers
			mu.Lock()
			require.Equal(t, map[string]int{"/a": 1, "/": 1}, left, "round %d", round)
			mu.Unlock()
			d.p.Client.Abort()
		}
	})
}
