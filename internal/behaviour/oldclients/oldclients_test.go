package oldclients_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// newServer returns a server that takes old clients.
func newServer(t *testing.T, opts socketio.Options) *socketio.Server {
	opts.AllowEIO3 = true
	return siotest.NewServer(t, &opts)
}

func run(t *testing.T, f func(t *testing.T, mode eiotest.Mode)) {
	t.Helper()
	eiotest.RunSync(t, f, eiotest.OldModes...)
}

// dial connects an old client, and expects it to be connected to "/".
func dial(t *testing.T, srv http.Handler, mode eiotest.Mode) *siotest.Peer {
	t.Helper()
	p := siotest.Dial(t, srv, mode)
	p.Want("0")
	return p
}

// want expects packets, whose texts are ASCII for clients that poll without binary data.
func want(p *siotest.Peer, mode eiotest.Mode, packets ...string) {
	if mode == eiotest.OldBase64 || mode == eiotest.OldJSONP {
		for i, s := range packets {
			packets[i] = strings.NewReplacer("€", `\u20ac`, "ü", `\u00fc`, "ï", `\u00ef`).Replace(s)
		}
	}
	p.Want(packets...)
}

// The server connects the client to "/" by itself, with a session id that the client knows already.
func TestConnectedWithoutAsking(t *testing.T) {
	run(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, socketio.Options{})
		sids := make(chan string, 1)
		srv.On("connect", func(c *socketio.Context, auth map[string]any) error {
			assert.Nil(t, auth)
			assert.Equal(t, 3, c.Connection().Revision())
			sids <- c.ID()
			return c.Emit("hello", c.Request().URL.Query().Get("token"))
		})
		p := siotest.DialWith(t, srv, eiotest.Options{Mode: mode, Query: url.Values{"token": {"secret"}}})
		p.Want("0", `2["hello","secret"]`)
		sid := <-sids
		assert.Equal(t, p.Client.Handshake().SID, sid)
		assert.True(t, srv.Socket(sid).Connected())
		assert.Equal(t, 1, srv.Stats().Revision3)

		p.Send("0") // which some clients do
		p.Send(`2["unknown",1]`)
		synctest.Wait()
		assert.Equal(t, []string{sid}, siotest.SIDs(srv))
	})
}

// The reference's test "should be able to connect to a namespace with a query", and its session ids.
func TestNamespaceWithQuery(t *testing.T) {
	run(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, socketio.Options{})
		got := make(chan string, 10)
		srv.Namespace("/the-namespace").On("connect", func(c *socketio.Context, auth map[string]any) {
			got <- fmt.Sprint(c.ID(), auth)
		})
		p := dial(t, srv, mode)
		p.Send("0/the-namespace?test=123")
		p.Want("0/the-namespace,")
		assert.Equal(t, "/the-namespace#"+p.Client.Handshake().SID+"map[test:123]", <-got)
		p.Send("1/the-namespace,", "0/the-namespace,")
		p.Want("0/the-namespace,")
		assert.Equal(t, "/the-namespace#"+p.Client.Handshake().SID+"map[]", <-got)
	})
}

// Refusals are ERROR packets with what an old client reads.
func TestRefusals(t *testing.T) {
	run(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, socketio.Options{})
		refuse := func(ns string, err error) {
			srv.Namespace(ns).On("connect", func(*socketio.Context) error { return err })
		}
		refuse("/plain", &socketio.Error{Message: "denied"})
		refuse("/data", &socketio.Error{Message: "denied", Data: map[string]int{"code": 7}})
		refuse("/text", &socketio.Error{Message: "denied", Data: "why"})
		refuse("/other", fmt.Errorf("secret"))
		p := dial(t, srv, mode)
		for ns, want := range map[string]string{
			"/plain": `4/plain,"denied"`, "/data": `4/data,{"code":7}`, "/text": `4/text,"why"`,
			"/other": `4/other,"Connection rejected by server"`, "/nowhere": `4/nowhere,{"message":"Invalid namespace"}`,
		} {
			p.Send("0" + ns)
			p.Want(want)
		}
		assert.EqualValues(t, 5, srv.Stats().ConnectErrors)
	})
}

// A client that "/" refuses may still be in other namespaces; without any it is closed.
func TestMainNamespaceRefuses(t *testing.T) {
	run(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, socketio.Options{Namespaces: []string{"/chat"}, ConnectTimeout: 10 * time.Second})
		srv.On("connect", func(*socketio.Context) error { return &socketio.Error{Message: "no"} })
		p, q := siotest.Dial(t, srv, mode), siotest.Dial(t, srv, mode)
		p.Want(`4"no"`)
		q.Want(`4"no"`)
		p.Send("0/chat")
		p.Want("0/chat,")
		<-q.Client.Closed()
		p.Send("0") // now it may ask
		p.Want(`4"no"`)
		assert.Nil(t, p.Client.Err())
	})
}

// Events and acknowledgements are the same, with and without binary data.
func TestEventsAndAcks(t *testing.T) {
	run(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, socketio.Options{})
		srv.On("echo", func(c *socketio.Context, v any) (any, error) { return v, c.Emit("echoed", v) })
		answers := make(chan string, 10)
		srv.On("ask", func(c *socketio.Context) error {
			return c.Emit("question", []byte{1, 2}, socketio.OnAck(func(_ *socketio.Context, v any) { answers <- fmt.Sprint(v) }))
		})
		p := dial(t, srv, mode)
		p.Send(`21["echo","€ \u2028 \n"]`)
		want(p, mode, `2["echoed","€ \u2028 \n"]`, `31["€ \u2028 \n"]`)
		p.Send(`51-2["echo",{"a":{"_placeholder":true,"num":0}}]`, "b:data")
		p.Want(`51-["echoed",{"a":{"_placeholder":true,"num":0}}]`, "b:data", `61-2[{"a":{"_placeholder":true,"num":0}}]`, "b:data")
		p.Send(`50-3["echo","flagged as binary"]`)
		p.Want(`2["echoed","flagged as binary"]`, `33["flagged as binary"]`)
		p.Send(`2["ask"]`)
		id, _, _ := strings.Cut(strings.TrimPrefix(p.Next(), "51-"), "[")
		p.Want("b:\x01\x02")
		p.Send("3" + id + `["yes"]`)
		assert.Equal(t, "yes", <-answers)
		p.Send(`2["ask"]`)
		id, _, _ = strings.Cut(strings.TrimPrefix(p.Next(), "51-"), "[")
		p.Want("b:\x01\x02")
		p.Send("60-"+id+`["flagged"]`, `24["echo",1]`)
		assert.Equal(t, "flagged", <-answers)
		p.Want(`2["echoed",1]`, `34[1]`)
	})
}

// Clients of both revisions are in the same rooms.
func TestMixedRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, socketio.Options{})
		srv.On("connect", func(c *socketio.Context) error { return c.Join("room") })
		var all []*siotest.Peer
		modes := append(eiotest.OldModes[:len(eiotest.OldModes):len(eiotest.OldModes)], eiotest.Modes...)
		for _, mode := range modes {
			if mode.Revision() == 3 {
				all = append(all, dial(t, srv, mode))
			} else {
				all = append(all, siotest.Join(t, srv, mode))
			}
		}
		assert.Len(t, siotest.Members(t, srv, "room"), len(all))
		require.NoError(t, srv.Emit("news", socketio.Args{"ünï", []byte{9}}, socketio.To("room")))
		require.NoError(t, srv.Emit("last", nil))
		for i, p := range all {
			want(p, modes[i], `51-["news","ünï",{"_placeholder":true,"num":0}]`, "b:\x09", `2["last"]`)
		}
		// To one of them by its session id, and a room of that name is nobody else's.
		sid := all[0].Client.Handshake().SID
		require.NoError(t, srv.Emit("one", 1, socketio.To(sid)))
		all[0].Want(`2["one",1]`)
		assert.ErrorIs(t, srv.Socket(all[len(all)-1].SID).Join(sid), socketio.ErrRoomName)
		require.NoError(t, srv.Emit("others", 1, socketio.Skip(sid)))
		for _, p := range all[1:] {
			p.Want(`2["others",1]`)
		}
		assert.Equal(t, len(eiotest.OldModes), srv.Stats().Revision3)
	})
}

// A client leaves one namespace, or is sent away, and stays in the others.
func TestDisconnect(t *testing.T) {
	run(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, socketio.Options{})
		var rec siotest.Record
		for _, ns := range []string{"/", "/chat"} {
			srv.Namespace(ns).On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s %s", c.Namespace().Name(), why) })
			srv.Namespace(ns).On("leave", func(c *socketio.Context) { c.Disconnect() })
		}
		p := dial(t, srv, mode)
		p.Send("0/chat")
		p.Want("0/chat,")
		p.Send("1")
		synctest.Wait()
		p.Send(`2/chat,["leave"]`)
		p.Want("1/chat,")
		synctest.Wait()
		rec.Want(t, "/ client disconnect", "/chat server disconnect")
		assert.Empty(t, srv.Stats().Sockets)
		p.Send("0/chat")
		p.Want("0/chat,")
		p.Client.Close()
	})
}

// The session id of a namespace is the same each time on a connection. The socket that leaves does not take the next one along.
func TestSameSessionIDAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, socketio.Options{})
		chat := srv.Namespace("/chat")
		chat.On("disconnect", func(c *socketio.Context) { time.Sleep(time.Second) })
		chat.On("me", func(c *socketio.Context) string { return c.ID() })
		p := dial(t, srv, eiotest.OldWebSocket)
		p.Send("0/chat")
		p.Want("0/chat,")
		sid := "/chat#" + p.Client.Handshake().SID
		first := chat.Socket(sid)
		for range 3 {
			p.Send("1/chat,", "0/chat")
			p.Want("0/chat,")
			second := chat.Socket(sid)
			require.NotNil(t, second)
			assert.NotSame(t, first, second)
			assert.True(t, second.Connected())
			require.NoError(t, chat.Emit("x", nil, socketio.To(sid)))
			p.Want(`2/chat,["x"]`)
			first = second
		}
		time.Sleep(time.Minute)
		assert.Equal(t, []string{sid}, slices.Collect(func(yield func(string) bool) {
			for s := range chat.Sockets() {
				yield(s.ID())
			}
		}))
	})
}

// Whatever the connect handler does, nothing precedes its decision, and an end in between is an ordinary one.
func TestConnectHandlerCloses(t *testing.T) {
	run(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, socketio.Options{})
		srv.On("connect", func(c *socketio.Context) { c.CloseConnection() })
		p, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Path: "/socket.io/", Transport: eiotest.Serve(t, srv, nil)})
		if err == nil { // an upgrade may come too late
			<-p.Closed()
			p.Abort()
		}
	})
}

// Shutdown closes old clients without telling them to leave, so that they come again.
func TestShutdown(t *testing.T) {
	run(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, socketio.Options{})
		p := dial(t, srv, mode)
		require.NoError(t, srv.Shutdown(t.Context()))
		<-p.Client.Closed()
	})
}

// Without the option nothing changes but the words of the refusal.
func TestRefusedByDefault(t *testing.T) {
	run(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Path: "/socket.io/", Transport: eiotest.Serve(t, srv, nil)})
		assert.ErrorContains(t, err, "Options.AllowEIO3")
		assert.EqualValues(t, 1, srv.Stats().Refused["version"])
	})
}

// Recovery is for those that can come back: the old ones beside them get the same events without what it takes, and have
// left when their connection has ended.
func TestNoRecovery(t *testing.T) {
	run(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, socketio.Options{Recovery: &socketio.Recovery{Window: time.Hour}})
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) error { return c.Join("room") })
		srv.On("disconnect", func(c *socketio.Context) { rec.Add("disconnect, away %v", c.Away()) })
		old, fresh := dial(t, srv, mode), siotest.NewReturner(t, srv, mode.Current()).Connect()
		for _, to := range []socketio.EmitOption{socketio.To("room"), socketio.To(old.Client.Handshake().SID)} {
			require.NoError(t, srv.Emit("news", socketio.Args{"a", []byte{1}}, to))
			old.Want(`51-["news","a",{"_placeholder":true,"num":0}]`, "b:\x01")
		}
		synctest.Wait()
		require.NoError(t, srv.Emit("more", 1, socketio.To("room")))
		old.Want(`2["more",1]`)
		fresh.Want(`["news","a",{"_placeholder":true,"num":0}] b:`+"\x01", `["more",1]`)
		old.Client.Abort()
		time.Sleep(time.Minute)
		rec.Want(t, "disconnect, away false")
		fresh.Drop()
		time.Sleep(time.Minute)
		rec.Want(t, "disconnect, away true")
		time.Sleep(2 * time.Hour)
		rec.Want(t)
	})
}

// What several servers do together they do for old clients, too: rooms, selection by session id, and acknowledgements.
func TestAcrossServers(t *testing.T) {
	run(t, func(t *testing.T, mode eiotest.Mode) {
		f := siotest.NewFleet(t, 2, &socketio.Options{AllowEIO3: true})
		for _, srv := range f.Servers {
			srv.On("connect", func(c *socketio.Context) error { return c.Join("room") })
			srv.On("ask", func(c *socketio.Context, sid, question string) (socketio.Args, error) {
				reply, err := c.Call(c.Context(), "question", question, socketio.To(sid))
				return reply.Args(), err
			})
		}
		old, fresh := dial(t, f.Servers[0], mode), siotest.Join(t, f.Servers[1], mode.Current())
		sid := old.Client.Handshake().SID
		require.NoError(t, f.Servers[1].Emit("news", socketio.Args{"ü", []byte{1}}, socketio.To("room")))
		want(old, mode, `51-["news","ü",{"_placeholder":true,"num":0}]`, "b:\x01")
		fresh.Want(`51-["news","ü",{"_placeholder":true,"num":0}]`, "b:\x01")

		ask := func(from, to *siotest.Peer, sid string) {
			from.Send(`27["ask","` + sid + `","why"]`)
			id := to.WantAckEvent(`["question","why"]`)
			to.Send("3" + id + `["yes"]`)
			from.Want(`37["yes"]`)
		}
		ask(fresh, old, sid)
		ask(old, fresh, fresh.SID)
		require.NoError(t, f.Servers[1].Emit("only", 1, socketio.To(sid)))
		old.Want(`2["only",1]`)
		require.NoError(t, f.Servers[1].Emit("others", 1, socketio.Skip(sid)))
		fresh.Want(`2["others",1]`)
		synctest.Wait()
		old.Quiet()
	})
}

// Hooks see the revision, and each step once.
func TestHooks(t *testing.T) {
	run(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, socketio.Options{Namespaces: []string{"/chat"}})
		var rec siotest.Record
		srv.AddHooks(socketio.Hooks{
			ConnectionOpened:   func(c socketio.Connection) { rec.Add("opened %d", c.Revision()) },
			ConnectionUpgraded: func(c socketio.Connection) { rec.Add("upgraded %d", c.Revision()) },
			ConnectionClosed:   func(c socketio.Connection, _ socketio.Reason, _ error) { rec.Add("closed %d", c.Revision()) },
			Refused:            func(c socketio.Connection, ns string, _ *socketio.Error) { rec.Add("refused %s", ns) },
			SocketConnected:    func(s *socketio.Socket) { rec.Add("connected %s", s.Namespace().Name()) },
		})
		p := dial(t, srv, mode)
		p.Send("0/chat", "0/nowhere")
		p.Next()
		p.Next()
		p.Client.Close()
		synctest.Wait()
		lines := rec.Take()
		slices.Sort(lines)
		expected := []string{"closed 3", "connected /", "connected /chat", "opened 3", "refused /nowhere"}
		if mode == eiotest.OldUpgrade {
			expected = append(expected, "upgraded 3")
		}
		assert.Equal(t, expected, lines)
	})
}
