package limits_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/parser"
)

func TestMaxRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{MaxRooms: 2}})
		var inConnect error
		srv.On("connect", func(c *socketio.Context) error {
			require.NoError(t, c.Join("one"))
			require.NoError(t, c.Join("two"))
			inConnect = c.Join("three")
			return nil
		})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		siotest.WantLimit(t, inConnect, "MaxRooms", 2)
		s := srv.Socket(p.SID)
		require.NoError(t, s.Join("two"), "where it is already")
		require.NoError(t, s.Join(p.SID), "its own room does not count")
		siotest.WantLimit(t, s.Join("three"), "MaxRooms", 2)
		siotest.WantLimit(t, srv.JoinRoom(p.SID, "three"), "MaxRooms", 2)
		require.Empty(t, siotest.Members(t, srv, "three"))
		s.Leave("one")
		require.NoError(t, s.Join("three"))
		require.ElementsMatch(t, []string{p.SID, "two", "three"}, s.Rooms())
		require.EqualValues(t, 3, srv.Stats().LimitHits["MaxRooms"])
		require.Equal(t, 2, srv.Stats().Rooms)

		q := siotest.Join(t, srv, eiotest.WebSocket)
		require.Len(t, srv.Rooms(q.SID), 3, "another socket has its own limit")
	})
}

// Clients may choose the names of rooms and namespaces, which the server keeps.
func TestLongNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"*"}})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		s := srv.Socket(p.SID)
		require.NoError(t, s.Join(strings.Repeat("x", 1024)))
		require.ErrorIs(t, s.Join(strings.Repeat("x", 1025)), socketio.ErrRoomName)
		p.Connect("/" + strings.Repeat("x", 1023))
		long := "/" + strings.Repeat("x", 1024)
		p.Send("0" + long + ",")
		p.Want("4" + long + `,{"message":"Invalid namespace"}`)
	})
}

func TestMaxPendingAcks(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{MaxPendingAcks: 2}})
		p := siotest.Join(t, srv, mode)
		s := srv.Socket(p.SID)
		var rec siotest.Record
		onAck := func(n int) socketio.EmitOption { return socketio.OnAck(func(*socketio.Context) { rec.Add("%d", n) }) }
		require.NoError(t, s.Emit("e", 1, onAck(1)))
		ctx, cancel := context.WithCancel(t.Context())
		called := make(chan error, 1)
		go func() {
			_, err := s.Call(ctx, "e", 2)
			called <- err
		}()
		synctest.Wait()
		siotest.WantLimit(t, s.Emit("e", 3, onAck(3)), "MaxPendingAcks", 2)
		_, err := s.Call(t.Context(), "e", 3)
		siotest.WantLimit(t, err, "MaxPendingAcks", 2)
		replies, err := srv.Call(t.Context(), "e", 3)
		siotest.WantLimit(t, err, "MaxPendingAcks", 2)
		require.Empty(t, replies)
		// Others get a broadcast, and what needs no acknowledgement everybody.
		q := siotest.Join(t, srv, mode)
		err = srv.Emit("e", 4, onAck(4)) // not silently
		siotest.WantLimit(t, err, "MaxPendingAcks", 2)
		var missing *socketio.CallError
		require.ErrorAs(t, err, &missing)
		require.Equal(t, []string{p.SID}, missing.Missing)
		require.NoError(t, s.Emit("plain", nil))
		id := p.WantAckEvent(`["e",1]`)
		p.WantAckEvent(`["e",2]`)
		p.Want(`2["plain"]`)
		q.Send("3" + q.WantAckEvent(`["e",4]`) + "[]")
		rec.Want(t, "4")
		require.EqualValues(t, 4, srv.Stats().LimitHits["MaxPendingAcks"])

		// An answer makes room, and so does a call that is given up.
		p.Send("3" + id + "[]")
		rec.Want(t, "1")
		require.NoError(t, s.Emit("e", 5, onAck(5)))
		siotest.WantLimit(t, s.Emit("e", 6, onAck(6)), "MaxPendingAcks", 2)
		cancel()
		require.ErrorIs(t, <-called, context.Canceled)
		require.NoError(t, s.Emit("e", 6, onAck(6)))
		p.WantAckEvent(`["e",5]`)
		p.WantAckEvent(`["e",6]`)
		p.Quiet()
		siotest.WantLimit(t, s.Emit("e", 7, onAck(7)), "MaxPendingAcks", 2) // those two and no more
	})
}

func TestMaxNamespaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{MaxNamespaces: 2}, Namespaces: []string{"*"}})
		p := siotest.Join(t, srv, eiotest.WebSocket, "/", "/a")
		for range 2 {
			p.Send("0/b,")
			p.Want(`4/b,{"message":"Too many namespaces"}`)
		}
		p.Send("1/a,")
		synctest.Wait() // until /a is forgotten
		p.Connect("/b")
		st := srv.Stats()
		require.EqualValues(t, 2, st.LimitHits["MaxNamespaces"])
		require.EqualValues(t, 2, st.ConnectErrors)
		require.Equal(t, map[string]int{"/": 1, "/b": 1}, st.Sockets)
	})
}

// A packet that is as large, deep and full as allowed is handled; one above any limit ends the connection.
func TestPacketLimits(t *testing.T) {
	for name, tt := range map[string]struct {
		limit       string
		fits, above []string
	}{
		"attachments":      {"Packet.Attachments", []string{`52-["e"]`, "b:1", "b:2"}, []string{`53-["e"]`}},
		"attachment bytes": {"Packet.AttachmentBytes", []string{`52-["e"]`, "b:123", "b:456"}, []string{`52-["e"]`, "b:123", "b:4567"}},
		"depth":            {"Packet.Depth", []string{`2["e",[[1]]]`}, []string{`2["e",[[[]]]]`}},
		"id":               {"Packet.IDDigits", []string{`2999["quiet"]`}, []string{`21000["e"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
				srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{Packet: parser.Limits{Attachments: 2, AttachmentBytes: 6, Depth: 3, IDDigits: 3}}})
				var rec siotest.Record
				srv.On("*", func(c *socketio.Context, event string) { rec.Add("event") })
				srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
				p := siotest.Join(t, srv, mode)
				p.Send(tt.fits...)
				if name == "id" {
					p.Want(`3999[]`)
				}
				rec.Want(t, "event")
				require.Zero(t, srv.Stats().LimitHits[tt.limit])
				p.Send(tt.above...)
				rec.Want(t, "parse error")
				p.Closed()
				require.EqualValues(t, 1, srv.Stats().LimitHits[tt.limit])
			})
		})
	}
}

// What is passed on to the transport layer has its effect there.
func TestTransportLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{MaxConnections: 3, MaxConnectionsPerIP: 2, MaxPayload: 1000}, TrustForwarded: true})
		tr := eiotest.Serve(t, srv, nil)
		session := func(ip string) (*eiotest.Raw, error) {
			raw := &eiotest.Raw{Transport: tr, Path: "/socket.io/", Header: http.Header{"X-Forwarded-For": {ip}}}
			_, _, err := raw.Handshake(t.Context())
			return raw, err
		}
		refused := func(resp *eiotest.Response, err error, status int) {
			t.Helper()
			var e *eiotest.RefusedError
			if errors.As(err, &e) {
				resp, err = e.Response, nil
			}
			require.NoError(t, err)
			require.Equal(t, status, resp.Status, resp.Body)
			require.Contains(t, resp.Header.Get(engineio.RefusalHeader), "Options.")
		}
		_, err := session("203.0.113.1")
		require.NoError(t, err)
		b, err := session("203.0.113.1")
		require.NoError(t, err)
		_, err = session("203.0.113.1")
		refused(nil, err, http.StatusTooManyRequests)
		_, err = session("203.0.113.2")
		require.NoError(t, err)
		_, err = session("203.0.113.2")
		refused(nil, err, http.StatusServiceUnavailable)
		resp, err := b.Post(t.Context(), "4"+strings.Repeat("x", 1000))
		refused(resp, err, http.StatusRequestEntityTooLarge)
		for _, limit := range []string{"MaxConnections", "MaxConnectionsPerIP", "MaxPayload"} {
			require.EqualValues(t, 1, srv.Stats().LimitHits[limit], limit)
		}
	})
}

// A burst passes. Faster events are dropped, reported and counted. Events at an ordinary rate pass again.
func TestEventRate(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		var rec siotest.Record
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{EventRate: 10, EventBurst: 5}, Namespaces: []string{"/other"}})
		srv.On("e", func(c *socketio.Context, n int) int { rec.Add("%d", n); return n })
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		p := siotest.Join(t, srv, mode) // one of five
		for i := range 4 {
			p.Send(fmt.Sprintf(`2%d["e",%d]`, i, i))
			p.Want(fmt.Sprintf(`3%d[%d]`, i, i))
		}
		p.Send(`25["e",5]`, `2["e",6]`)
		p.Want(`35[{"error":{"message":"Too many events"}}]`)
		rec.Want(t, "0", "1", "2", "3")
		p.Send("0/other,")
		p.Want(`4/other,{"message":"Too many events"}`)

		time.Sleep(100 * time.Millisecond)
		p.Send(`27["e",7]`, `28["e",8]`)
		p.Want(`37[7]`, `38[{"error":{"message":"Too many events"}}]`)
		time.Sleep(time.Hour)
		for i := range 5 { // no more than the burst, however long the pause
			p.Send(fmt.Sprintf(`2%d["e",%d]`, i, i))
			p.Want(fmt.Sprintf(`3%d[%d]`, i, i))
		}
		p.Send(`25["e",5]`)
		p.Want(`35[{"error":{"message":"Too many events"}}]`)
		st := srv.Stats()
		require.EqualValues(t, 5, st.LimitHits["EventRate"])
		require.Zero(t, st.HandlerErrors)

		// Others have a rate of their own.
		q := siotest.Join(t, srv, mode)
		q.Send(`21["e",1]`)
		q.Want(`31[1]`)
		rec.Want(t, "7", "0", "1", "2", "3", "4", "1")
	})
}

// A client that does not stop is closed, when as many events as the burst have been dropped.
func TestEventRateFlood(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		var rec siotest.Record
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{EventRate: 10}})
		srv.On("e", func(c *socketio.Context) { rec.Add("e") })
		var cause error
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
			rec.Add("%s", why)
			cause = context.Cause(c.Context())
		})
		p := siotest.Join(t, srv, mode)
		for range 19 {
			p.Send(`2["e"]`)
		}
		rec.Want(t, "e", "e", "e", "e", "e", "e", "e", "e", "e")
		require.NotNil(t, srv.Socket(p.SID))
		p.Send(`2["e"]`)
		rec.Want(t, "transport error")
		siotest.WantLimit(t, errors.Unwrap(cause), "EventRate", 10)
		p.Closed()
		require.EqualValues(t, 1, srv.Stats().Closed[socketio.ReasonTransportError])
	})
}

// At twice the rate half of the events are dropped, for ever; nobody is closed for that.
func TestEventRateSustained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{EventRate: 10}})
		handled := 0
		srv.On("e", func(c *socketio.Context) { handled++ })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		for range 20 * 100 {
			p.Send(`2["e"]`)
			time.Sleep(50 * time.Millisecond)
		}
		synctest.Wait()
		require.NotNil(t, srv.Socket(p.SID))
		require.InDelta(t, 1000, handled, 11)
	})
}

// The error handler gets the events that were dropped, in order with the others, and may decide otherwise about the client.
func TestEventRateAndErrorHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec siotest.Record
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{EventRate: 2}})
		srv.On("e", func(c *socketio.Context, n int) { time.Sleep(time.Millisecond); rec.Add("%d", n) })
		srv.OnError(func(c *socketio.Context, err error) any {
			siotest.WantLimit(t, err, "EventRate", 2)
			rec.Add("%s %v", c.Event(), c.Args())
			c.CloseConnection()
			return "slower, please"
		})
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		p.Send(`2["e",1]`, `21["e",2]`)
		time.Sleep(time.Second)
		rec.Want(t, "1", "e [2]", "server disconnect")
	})
}

// Every limit that ends a connection says so in Stats; each ends it with the reason that its documentation has.
func TestLimitHits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{ReceiveQueueLimit: 600}, ConnectTimeout: time.Second})
		block := make(chan struct{})
		srv.On("e", func(c *socketio.Context) { <-block })
		defer close(block)

		siotest.Dial(t, srv, eiotest.WebSocket)
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 1, srv.Stats().LimitHits["ConnectTimeout"])
		require.EqualValues(t, 1, srv.Stats().Closed[socketio.ReasonServerDisconnect])

		p := siotest.Join(t, srv, eiotest.WebSocket)
		synctest.Wait() // the connect handler has returned, and counts no more
		p.Send(`2["e"]`, `2["e"]`)
		synctest.Wait()
		require.Zero(t, srv.Stats().LimitHits["ReceiveQueueLimit"])
		p.Send(`2["e"]`)
		synctest.Wait()
		require.EqualValues(t, 1, srv.Stats().LimitHits["ReceiveQueueLimit"])
		require.Equal(t, 1, srv.Stats().Paused)
		require.Zero(t, srv.Stats().Closed[socketio.ReasonTransportError])
		time.Sleep(time.Minute)
		require.EqualValues(t, 1, srv.Stats().Closed[socketio.ReasonTransportError])
		require.Zero(t, srv.Stats().Paused)
	})
}
