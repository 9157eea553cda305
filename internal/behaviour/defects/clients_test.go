package defects_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// stalled connects a client that reads nothing more than it must to get into "/", and returns its socket.
func stalled(t *testing.T, srv *socketio.Server, mode eiotest.Mode) *socketio.Socket {
	t.Helper()
	before := siotest.SIDs(srv)
	raw := eiotest.Raw{Transport: eiotest.Serve(t, srv, &eiotest.TransportOptions{ToClient: 2000}), Path: "/socket.io/"}
	if mode == eiotest.WebSocket {
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		t.Cleanup(func() { ws.CloseNow() })
		require.NoError(t, ws.Write(t.Context(), websocket.MessageText, []byte("40")))
	} else {
		_, _, err := raw.Handshake(t.Context())
		require.NoError(t, err)
		_, err = raw.Post(t.Context(), "40")
		require.NoError(t, err)
	}
	synctest.Wait()
	for _, sid := range siotest.SIDs(srv) {
		if !slices.Contains(before, sid) {
			return srv.Socket(sid)
		}
	}
	t.Fatal("the client is not in")
	return nil
}

// A slow reader took memory without a bound, and its writer waited without a timeout.
func TestDefectL10_StalledClientCostsOthersNothing(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{SendQueueLimit: 50_000}})
		var rec siotest.Record
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		var others []*siotest.Peer
		for _, mode := range eiotest.Modes {
			others = append(others, siotest.Join(t, srv, mode))
		}
		s := stalled(t, srv, mode)
		start := time.Now()
		text := strings.Repeat("x", 1000)
		for range 100 {
			require.NoError(t, srv.Emit("e", text))
			for _, p := range others {
				p.Want(`2["e","` + text + `"]`)
			}
		}
		require.Zero(t, time.Since(start))
		require.ErrorIs(t, s.Emit("e", nil), socketio.ErrClosed)
		rec.Want(t, "slow client")
		require.Len(t, siotest.SIDs(srv), len(others))
	}, eiotest.Polling, eiotest.WebSocket)
}

// One loop looked after all clients, sleeping in between and running their disconnect handlers: a client that had gone
// was noticed up to two timeouts late.
func TestDefectL11_PingTimeoutIsExact(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{PingInterval: 10 * time.Second, PingTimeout: 4 * time.Second})
		var rec siotest.Record
		var mu sync.Mutex
		began := map[string]time.Time{}
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
			if why != socketio.ReasonPingTimeout {
				return // the end of the test
			}
			mu.Lock()
			start := began[c.ID()]
			mu.Unlock()
			rec.Add("%s after %v", why, time.Since(start))
			time.Sleep(time.Minute)
		})
		healthy := siotest.Join(t, srv, mode)
		want := []string{}
		for i := range 5 {
			start := time.Now()
			p := siotest.DialWith(t, srv, eiotest.Options{Mode: mode, NoAutoPong: true})
			sid := p.Connect("/")
			mu.Lock()
			began[sid] = start
			mu.Unlock()
			want = append(want, "ping timeout after 14s")
			time.Sleep(time.Duration(i) * time.Second)
		}
		time.Sleep(5 * time.Minute)
		rec.Want(t, want...)
		require.Equal(t, []string{healthy.SID}, siotest.SIDs(srv))
	})
}

// A client found dead by an emit had its disconnect handlers run by the emitter, in the middle of a broadcast.
func TestDefectL12_EmitRunsNoDisconnectHandler(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{SendQueueLimit: 10_000}})
		var rec siotest.Record
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
			rec.Add("%s", why)
			if why == socketio.ReasonSlowClient {
				time.Sleep(time.Hour)
				rec.Add("end")
			}
		})
		stalled(t, srv, mode)
		p := siotest.Join(t, srv, eiotest.WebSocket)
		stalled(t, srv, mode)
		start := time.Now()
		text := strings.Repeat("x", 1000)
		for range 20 {
			require.NoError(t, srv.Emit("e", text))
			p.Want(`2["e","` + text + `"]`)
		}
		require.Zero(t, time.Since(start))
		rec.Want(t, "slow client", "slow client")
		time.Sleep(2 * time.Hour)
		rec.Want(t, "end", "end")
	}, eiotest.Polling, eiotest.WebSocket)
}

// A frame that is no packet ended the reader: the disconnect handler ran when the ping timeout came.
func TestDefectL15_GarbageDisconnectsAtOnce(t *testing.T) {
	for _, garbage := range []string{"", "x", "{", "7", "€"} {
		t.Run(fmt.Sprintf("%q", garbage), func(t *testing.T) {
			eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
				srv := siotest.NewServer(t, nil)
				var rec siotest.Record
				for _, ns := range []string{"/", "/a"} {
					srv.Namespace(ns).On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
				}
				raw := eiotest.Raw{Transport: eiotest.Serve(t, srv, nil), Path: "/socket.io/"}
				start := time.Now()
				if mode == eiotest.WebSocket {
					ws, _, err := raw.DialWS(t.Context(), nil)
					require.NoError(t, err)
					defer ws.CloseNow()
					for _, frame := range []string{"40", "40/a,", garbage} {
						require.NoError(t, ws.Write(t.Context(), websocket.MessageText, []byte(frame)))
						synctest.Wait()
					}
					for err = nil; err == nil; {
						_, _, err = ws.Read(t.Context())
					}
					require.NotEqual(t, websocket.StatusCode(-1), websocket.CloseStatus(err))
				} else {
					_, _, err := raw.Handshake(t.Context())
					require.NoError(t, err)
					_, err = raw.Post(t.Context(), "40\x1e40/a,")
					require.NoError(t, err)
					synctest.Wait()
					resp, err := raw.Post(t.Context(), garbage)
					require.NoError(t, err)
					require.Equal(t, 400, resp.Status)
					resp, err = raw.Post(t.Context(), "42[]")
					require.NoError(t, err)
					require.Equal(t, 400, resp.Status)
				}
				rec.Want(t, "parse error", "parse error")
				require.Zero(t, time.Since(start))
			}, eiotest.Polling, eiotest.WebSocket)
		})
	}
}

// A client's event called "*" was taken for the catch-all's own name, and its first argument for the event's: so a client
// could make the catch-all see "connect".
func TestDefectS2_EventNamedStar(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("*", func(c *socketio.Context, event string, args ...any) { rec.Add("%q %v", event, args) })
		p := siotest.Join(t, srv, mode)
		p.Send(`2["*","connect",5]`)
		rec.Want(t, `"*" [connect 5]`)
	})
}
