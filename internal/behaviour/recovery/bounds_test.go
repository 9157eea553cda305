package recovery_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// More is emitted than SessionLimit: the session of a client that is away ends; one that is connected is lost if it
// has fallen behind. It is never called recovered.
func TestSessionLimit(t *testing.T) {
	opts := socketio.Options{Recovery: &socketio.Recovery{SessionLimit: 20_000}}
	data := strings.Repeat("x", 1000)
	each(t, opts, func(t *testing.T, srv *server, c *siotest.Returner) {
		c.Drop()
		for range 30 {
			srv.emit(t, "e", data)
		}
		synctest.Wait()
		require.Contains(t, srv.rec.Take(), "expired: session limit, away false")
		c.Connect()
		require.False(t, c.Recovered)

		srv.emit(t, "e", 1)
		c.Received()
		for range 30 {
			srv.emit(t, "e", data)
		}
		c.Drop() // nothing of that was looked at
		c.Connect()
		require.Equal(t, c.Client().Ponged() > 0, false)
		require.False(t, c.Recovered)
		require.Equal(t, uint64(1), srv.Stats().Recovery.NotRecovered["offset"])
	})
}

// The budget is used up: the sessions end for which most is kept.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, socketio.Options{Recovery: &socketio.Recovery{SessionLimit: 100_000, Budget: 200_000}})
		var all []*siotest.Returner
		for range 5 {
			c := siotest.NewReturner(t, srv.Server, eiotest.WebSocket).Connect()
			c.Drop()
			all = append(all, c)
		}
		data := strings.Repeat("x", 1000)
		srv.emit(t, "everyone", data) // counts once
		for i, c := range all {
			for range 10 * (i + 1) {
				srv.emit(t, "e", data, socketio.To(c.SID))
			}
		}
		for range 40 {
			srv.emit(t, "e", data, socketio.To(all[0].SID), socketio.To(all[1].SID))
		}
		synctest.Wait()
		require.LessOrEqual(t, srv.Stats().Recovery.KeptBytes, int64(200_000))
		ended := srv.Stats().Recovery.Expired[socketio.ExpiredBudget]
		require.Positive(t, ended)
		recovered := 0
		for _, c := range all {
			c.Connect()
			if c.Recovered {
				recovered++
			}
		}
		require.Equal(t, 5-int(ended), recovered)
	})
}

// What the client surely has is not kept: it has answered a ping.
func TestPongsConfirm(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		data := strings.Repeat("x", 1000)
		for range 2000 { // pings are sent in between
			srv.emit(t, "e", data)
			synctest.Wait()
		}
		require.Less(t, srv.Stats().Recovery.KeptBytes, int64(1_000_000))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.Less(t, srv.Stats().Recovery.KeptBytes, int64(2000))
		c.Received()
		c.Drop()
		srv.emit(t, "e", 1)
		c.Connect()
		require.True(t, c.Recovered)
		c.Want(`["e",1]`)
	})
}

// Private ids and offsets that are forged, foreign or used in another namespace are those of a new client.
func TestForgedAndForeign(t *testing.T) {
	each(t, socketio.Options{Namespaces: []string{"/other"}}, func(t *testing.T, srv *server, c *siotest.Returner) {
		srv.emit(t, "e", 1)
		c.Received()
		sid, pid, offset := c.SID, c.PID, c.Offset
		c.Drop()
		attacker := siotest.NewReturner(t, srv.Server, c.Mode)
		for _, forged := range []string{strings.Repeat("A", len(pid)), pid[:len(pid)-1] + "A", sid, ""} {
			attacker.PID, attacker.Offset = forged, offset
			if forged == pid {
				continue
			}
			attacker.Connect()
			require.False(t, attacker.Recovered)
			require.NotEqual(t, sid, attacker.SID)
			attacker.Drop()
		}
		c.Connect()
		require.True(t, c.Recovered, "nobody else has ended it")

		c.Drop()
		c.Offset = "foreign"
		srv.emit(t, "e", 2)
		c.Connect()
		require.False(t, c.Recovered)
		synctest.Wait() // until OnExpired has returned
		require.Nil(t, srv.Socket(sid), "the session has ended")
		srv.emit(t, "e", 3)
		c.Want(`["e",3]`)

		sid = c.SID
		c.Drop()
		c.Namespace = "/other"
		c.Connect()
		require.False(t, c.Recovered)
		synctest.Wait()
		require.Nil(t, srv.Socket(sid))
		require.NotContains(t, srv.log.String(), pid)
		require.NotContains(t, srv.log.String(), c.PID)
	})
}

// A second CONNECT on the same connection begins a new session: what the client has received of the other one is unknown.
func TestSecondConnectOnOneConnection(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		for _, known := range []bool{true, false} {
			sid, pid := c.SID, c.PID
			if !known {
				c.PID = ""
			}
			c.SendConnect()
			c.Answered()
			require.False(t, c.Recovered)
			require.NotEqual(t, sid, c.SID)
			require.NotEqual(t, pid, c.PID)
			srv.rec.Want(t, "disconnect: client disconnect, away false", "connect false")
		}
	})
}

// A CONNECT while the one before is decided, over the same connection or another one: the last one counts.
func TestConnectAgainWhileItIsDecided(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		gate := make(chan bool)
		srv.On("connect", func(c *socketio.Context) {
			srv.rec.Add("connect %v", c.Recovered())
			<-gate
		})
		c.Drop()
		srv.emit(t, "e", 1)
		srv.rec.Take()
		c.Dial()
		first := c.Client()
		c.SendConnect()
		srv.rec.Want(t, "connect true")
		c.SendConnect() // on the same connection
		synctest.Wait()
		c.Dial()
		c.SendConnect() // on another one
		synctest.Wait()
		require.Error(t, first.Err())
		close(gate)
		c.Answered()
		require.True(t, c.Recovered)
		c.Want(`["e",1]`)
		lines := srv.rec.Take()
		require.Len(t, lines, 2)
		require.Contains(t, lines[0], "away true")
		require.Equal(t, "connect true", lines[1])
	})
}

// The client is lost again while its connect handler runs, or the session is ended then.
func TestLostWhileTheConnectHandlerRuns(t *testing.T) {
	for name, then := range map[string]func(srv *server, c *siotest.Returner){
		"drop":       func(_ *server, c *siotest.Returner) { c.Drop() },
		"disconnect": func(srv *server, c *siotest.Returner) { srv.Socket(c.SID).Disconnect() },
		"leave":      func(_ *server, c *siotest.Returner) { c.Send("1") },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
				gate := make(chan bool)
				srv.On("connect", func(c *socketio.Context) error {
					<-gate
					if c.Recovered() {
						_ = c.Emit("from the handler", nil) // an error if the session has ended
					}
					return nil
				})
				sid := c.SID
				c.Drop()
				srv.emit(t, "e", 1)
				srv.rec.Take()
				c.Dial()
				c.SendConnect()
				synctest.Wait()
				then(srv, c)
				synctest.Wait()
				close(gate)
				synctest.Wait()
				got := srv.rec.Take()
				switch name {
				case "drop":
					require.Len(t, got, 1)
					require.Contains(t, got[0], "away true", "it was accepted, so its disconnect handler runs")
				case "disconnect":
					require.Equal(t, []string{"expired: server disconnect, away false"}, got)
					c.Answered()
					require.NotEmpty(t, c.Refused)
				case "leave":
					require.Equal(t, []string{"disconnect: client disconnect, away true", "expired: client disconnect, away false"}, got)
				}
				c.Drop()
				c.Connect()
				require.Equal(t, name == "drop", c.Recovered)
				if c.Recovered {
					require.Equal(t, sid, c.SID)
					c.Want(`["e",1]`, `["from the handler"]`, `["from the handler"]`)
				}
			})
		})
	}
}

// The namespaces of a connection share the session values, after the return, too.
func TestNamespacesOfOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, socketio.Options{Namespaces: []string{"/a"}})
		p := siotest.Dial(t, srv.Server, eiotest.WebSocket)
		pids := map[string]string{}
		connect := func(ns string) string {
			packet, prefix := "0", ""
			if ns != "/" {
				prefix = ns + ","
			}
			if pids[ns] != "" {
				p.Send(packet + prefix + `{"pid":"` + pids[ns] + `"}`)
			} else {
				p.Send(packet + prefix)
			}
			got := p.Next()
			before := pids[ns]
			_, rest, _ := strings.Cut(got, `"pid":"`)
			pids[ns] = strings.TrimSuffix(rest, `"}`)
			if before != "" {
				require.Equal(t, before, pids[ns])
			}
			_, rest, _ = strings.Cut(got, `"sid":"`)
			return rest[:27]
		}
		main, a := connect("/"), connect("/a")
		srv.Socket(main).Session().Set("n", 1)
		p.Client.Abort()
		synctest.Wait()
		srv.emit(t, "e", 1)
		p = siotest.Dial(t, srv.Server, eiotest.Polling)
		require.Equal(t, a, connect("/a"))
		require.Equal(t, main, connect("/"))
		srv.Socket(main).Session().Set("n", 2)
		require.Equal(t, 2, srv.Namespace("/a").Socket(a).Session().Get("n"))
		require.Contains(t, p.Next(), `2["e",1`)
	})
}

// Shutdown ends the sessions of clients that are away.
func TestShutdown(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		srv.emit(t, "q", nil, socketio.OnAck(func(_ *socketio.Context, err error) { srv.rec.Add("%v", err) }))
		synctest.Wait() // it is written: over long-polling the server notices a drop by the next request only
		c.Drop()
		srv.rec.Take()
		require.NoError(t, srv.Shutdown(context.Background()))
		got := srv.rec.Take()
		require.Contains(t, got, "expired: server shutdown, away false")
		require.Len(t, got, 2)
		siotest.WantForgotten(t, srv.Server)
	})
}

// With AsyncHandlers the events of a lost connection end before its disconnect handler runs.
func TestAsyncHandlers(t *testing.T) {
	each(t, socketio.Options{AsyncHandlers: true}, func(t *testing.T, srv *server, c *siotest.Returner) {
		srv.On("slow", func(c *socketio.Context) string {
			time.Sleep(time.Second)
			srv.rec.Add("slow")
			return "done"
		})
		c.Send(`21["slow"]`, `22["slow"]`)
		synctest.Wait()
		c.Drop()
		c.Connect()
		require.True(t, c.Recovered)
		require.Empty(t, c.Received(), "nobody waits for the acknowledgements")
		lines := srv.rec.Take()
		require.Equal(t, []string{"slow", "slow"}, lines[:2])
		require.Equal(t, "connect true", lines[3])
	})
}

// Other packet formats have their offsets, too.
func TestOwnParser(t *testing.T) {
	opts := *siotest.Parsers["own"]
	each(t, opts, func(t *testing.T, srv *server, c *siotest.Returner) {
		srv.emit(t, "e", socketio.Args{1, "text"})
		synctest.Wait() // a volatile event is not queued behind others
		srv.emit(t, "v", "text", socketio.Volatile())
		synctest.Wait()
		srv.emit(t, "v", 1, socketio.Volatile())
		srv.emit(t, "q", "text", socketio.OnAck(func(*socketio.Context) {}))
		c.Want(`["e",1,"text"]`, `["v","text",null]`, `["v",1]`, `?["q","text"]`)
		c.Drop()
		srv.emit(t, "e", []byte{1})
		srv.emit(t, "missed", nil, socketio.OnAck(func(*socketio.Context) {}))
		c.Auth = map[string]any{"k": 1}
		c.Connect()
		require.True(t, c.Recovered)
		c.Want(`["e",{"_placeholder":true,"num":0}] b:`+"\x01", `?["missed"]`)
	})
}

func TestOptions(t *testing.T) {
	for text, r := range map[string]*socketio.Recovery{
		"Recovery.Window":       {Window: -1},
		"Recovery.SessionLimit": {SessionLimit: -1},
		"Recovery.Budget":       {SessionLimit: 10, Budget: 9},
		"":                      {Budget: -1},
	} {
		err := (&socketio.Options{Recovery: r}).Validate()
		if text == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, text)
	}
}
