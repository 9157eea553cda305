package adminui_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/adminui"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

type shown struct {
	ID, ClientID, Transport, Nsp string
	Rooms                        []string
	Data                         map[string]any
	Handshake                    struct {
		Address, URL   string
		Headers, Query map[string]string
		Issued         int64
	}
}

// allSockets is the state that a page gets when it logs in.
func allSockets(t *testing.T, c *socketiotest.Client) (all []shown) {
	t.Helper()
	for {
		if e := c.Next(); e.Name == "all_sockets" {
			e.Bind(&all)
			return all
		}
	}
}

func TestFeed(t *testing.T) {
	bubble(t, adminui.Options{Mode: adminui.Development}, func(t *testing.T, srv *socketio.Server, _ *adminui.UI) {
		srv.On("connect", func(c *socketio.Context) error { return c.Join("lobby") })
		srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
		srv.On("say", func(c *socketio.Context, v any) error { return c.Emit("said", v, socketio.Broadcast()) })
		early := socketiotest.Connect(t, srv, &socketiotest.Options{
			Query:  map[string][]string{"token": {"hush"}, "page": {"7"}},
			Header: http.Header{"Cookie": {"session=hush"}, "User-Agent": {"test"}},
		})
		c, err := tryLogin(t, srv, credentials())
		require.NoError(t, err)
		all := allSockets(t, c)
		require.Len(t, all, 1, "pages do not show themselves")
		s := all[0]
		require.Equal(t, early.ID(), s.ID)
		require.Equal(t, []string{early.ID(), "lobby"}, s.Rooms)
		require.Equal(t, "/", s.Nsp)
		require.Equal(t, "websocket", s.Transport)
		require.Len(t, s.ClientID, 12)
		require.Equal(t, time.Now().UnixMilli(), s.Handshake.Issued)
		require.Equal(t, "(hidden)", s.Handshake.Headers["cookie"])
		require.Equal(t, "test", s.Handshake.Headers["user-agent"])
		require.Equal(t, "(hidden)", s.Handshake.Query["token"])
		require.Equal(t, "7", s.Handshake.Query["page"])
		require.NotContains(t, fmt.Sprint(all), "hush")

		late := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: socketiotest.Polling})
		e := c.Next()
		require.Equal(t, "socket_connected", e.Name)
		var connected shown
		e.Bind(&connected, nil)
		require.Equal(t, []string{late.ID()}, connected.Rooms)
		require.Equal(t, "polling", connected.Transport)
		id := late.ID()
		require.Equal(t, []string{fmt.Sprintf(`room_joined["/","lobby",%q]`, id)}, received(t, c))
		late.Upgrade()
		require.Equal(t, []string{fmt.Sprintf(`socket_updated[{"id":%q,"nsp":"/","transport":"websocket"}]`, id)}, received(t, c))
		late.Emit("join", "den")
		require.Equal(t, []string{
			fmt.Sprintf(`event_received["/",%q,["join","den"]]`, id), fmt.Sprintf(`room_joined["/","den",%q]`, id),
		}, received(t, c))
		late.Emit("say", map[string]any{"n": 1})
		got := received(t, c)
		require.Equal(t, fmt.Sprintf(`event_received["/",%q,["say",{"n":1}]]`, id), got[0])
		require.ElementsMatch(t, []string{
			fmt.Sprintf(`event_sent["/",%q,["said",{"n":1}]]`, id), fmt.Sprintf(`event_sent["/",%q,["said",{"n":1}]]`, early.ID()),
		}, got[1:])
		late.Emit("say", make([]byte, 10_000))
		got = received(t, c)
		require.Contains(t, got[0], "bytes, not shown")
		srv.LeaveRoom(id, "den")
		require.Equal(t, []string{fmt.Sprintf(`room_left["/","den",%q]`, id)}, received(t, c))
		late.Disconnect()
		require.Equal(t, []string{
			fmt.Sprintf(`room_left["/","lobby",%q]`, id), fmt.Sprintf(`room_left["/",%q,%[1]q]`, id),
			fmt.Sprintf(`socket_disconnected["/",%q,"client disconnect"]`, id),
		}, received(t, c))
		page(t, srv).Disconnect()
		require.Empty(t, received(t, c), "nothing of the admin namespace")
	})
}

// A client that has lost its connection is not shown until it is back in its session, with its rooms.
func TestFeedOfRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{AllowEIO3: true, Recovery: new(socketio.Recovery)})
		instrument(t, srv, adminui.Options{Mode: adminui.Development})
		c := page(t, srv)
		ann := socketiotest.Connect(t, srv, nil)
		id := ann.ID()
		require.NoError(t, srv.JoinRoom(id, "den"))
		received(t, c)
		ann.Drop()
		synctest.Wait()
		require.NoError(t, srv.JoinRoom(id, "attic"))
		require.NoError(t, srv.LeaveRoom(id, "den"))
		require.Equal(t, []string{
			fmt.Sprintf(`room_left["/",%q,%[1]q]`, id), fmt.Sprintf(`room_left["/","den",%q]`, id),
			fmt.Sprintf(`socket_disconnected["/",%q,"transport close"]`, id),
		}, received(t, c))
		require.Empty(t, allSockets(t, loggedIn(t, srv)))

		ann = ann.Reconnect()
		e := c.Next()
		require.Equal(t, "socket_connected", e.Name)
		var back shown
		e.Bind(&back, nil)
		require.Equal(t, []string{id, "attic"}, back.Rooms)
		require.Equal(t, map[string]any{"revision": 4.0, "recovered": true}, back.Data)
		require.Empty(t, received(t, c))

		old := socketiotest.Connect(t, srv, &socketiotest.Options{EIO3: true})
		var other shown
		c.Next().Bind(&other, nil)
		require.Equal(t, old.ID(), other.ID)
		require.Equal(t, map[string]any{"revision": 3.0}, other.Data)
		ann.Drop()
		synctest.Wait()
		received(t, c)
		time.Sleep(5 * time.Minute)
		for _, line := range received(t, c) {
			require.NotContains(t, line, id, "the page has forgotten it")
		}
	})
}

// loggedIn is a page that has not looked at how things are.
func loggedIn(t *testing.T, srv *socketio.Server) *socketiotest.Client {
	t.Helper()
	c, err := tryLogin(t, srv, credentials())
	require.NoError(t, err)
	return c
}

// A flood of events costs a page's queue no more than its bound; what the page keeps is told again, whole.
func TestFeedIsBounded(t *testing.T) {
	bubble(t, adminui.Options{Mode: adminui.Development}, func(t *testing.T, srv *socketio.Server, _ *adminui.UI) {
		client := socketiotest.Connect(t, srv, nil)
		c := page(t, srv)
		for range 3000 {
			require.NoError(t, srv.Emit("tick", nil))
		}
		require.Len(t, received(t, c), 1000, "a second's")
		time.Sleep(time.Second)
		require.NoError(t, srv.Emit("tick", nil))
		require.Len(t, received(t, c), 1)

		for i := range 4000 { // more than wait: those of one goroutine, all in no time
			require.NoError(t, srv.JoinRoom(client.ID(), fmt.Sprintf("room%d", i)))
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		rooms := map[string]bool{}
		for _, e := range c.Received() {
			switch e.Name {
			case "room_joined":
				rooms[e.Values()[1].(string)] = true
			case "all_sockets":
				var all []shown
				e.Bind(&all)
				for _, room := range all[0].Rooms[1:] {
					rooms[room] = true
				}
			}
		}
		require.Len(t, rooms, 4000)
	})
}

func TestProduction(t *testing.T) {
	bubble(t, adminui.Options{}, func(t *testing.T, srv *socketio.Server, _ *adminui.UI) {
		srv.On("echo", func(c *socketio.Context, v any) error { return c.Emit("echo", v) })
		c, err := tryLogin(t, srv, credentials())
		require.NoError(t, err)
		c.Expect("session")
		e := c.Expect("config")
		require.NotContains(t, e.Args.String(), "ALL_EVENTS")
		c.Expect("server_stats")
		client := socketiotest.Connect(t, srv, nil)
		client.Emit("echo", "x")
		client.Expect("echo", "x")
		synctest.Wait()
		client.Drop()
		time.Sleep(2 * time.Second)
		e = c.Expect("server_stats")
		var st struct {
			ServerID, Hostname string
			PID, ClientsCount  int
			Uptime             float64
			Namespaces         []struct{ Name string }
			AggregatedEvents   []struct {
				Type, SubType    string
				Count, Timestamp int64
			}
		}
		e.Bind(&st)
		require.Contains(t, st.ServerID, st.Hostname)
		require.NotZero(t, st.PID)
		require.Equal(t, 1, st.ClientsCount)
		require.EqualValues(t, 2, st.Uptime)
		require.Empty(t, st.Namespaces)
		counts := map[string]int64{}
		for _, a := range st.AggregatedEvents {
			counts[a.Type+a.SubType] += a.Count
			require.Equal(t, time.Now().Unix()*1000, a.Timestamp)
		}
		require.EqualValues(t, 2, counts["rawConnection"])
		require.EqualValues(t, 1, counts["rawDisconnectiontransport close"])
		require.NotZero(t, counts["bytesIn"])
		require.NotZero(t, counts["packetsOut"])
		require.Empty(t, received(t, c))
	})
}

func TestCommands(t *testing.T) {
	bubble(t, adminui.Options{}, func(t *testing.T, srv *socketio.Server, _ *adminui.UI) {
		srv.Namespace("/chat").On("e", func(*socketio.Context) {})
		a, b := socketiotest.Connect(t, srv, nil), socketiotest.Connect(t, srv, nil)
		chat := a.Join("/chat", nil)
		c := page(t, srv)
		c.Call("join", "/", "den", a.ID())
		require.Equal(t, []string{a.ID(), "den"}, srv.Rooms(a.ID()))
		c.Call("join", "/", "all", nil)
		require.ElementsMatch(t, []string{a.ID(), b.ID()}, siotest.Members(t, srv, "all"))
		c.Call("emit", "/", "den", "hello", 1, "x")
		a.Expect("hello", 1, "x")
		c.Call("emit", "/", nil, "everyone")
		a.Expect("everyone")
		b.Expect("everyone")
		b.ExpectNothing()
		c.Call("emit", "/chat", nil, "chatting")
		chat.Expect("chatting")
		c.Call("leave", "/", "all")
		require.Empty(t, siotest.Members(t, srv, "all"))
		c.Call("leave", "/", "den", a.ID())
		require.Empty(t, siotest.Members(t, srv, "den"))
		require.Contains(t, c.Call("join", "/", "", a.ID()).String(), "error")
		require.Contains(t, c.Call("emit", "/", nil, "connect").String(), "reserves")
		c.Call("_disconnect", "/", false, a.ID())
		require.Equal(t, "io server disconnect", a.WaitDisconnect())
		require.True(t, chat.Connected())
		c.Call("_disconnect", "/chat", true, chat.ID())
		require.Equal(t, "io server disconnect", chat.WaitDisconnect())
		c.Call("_disconnect", "/", false)
		b.WaitDisconnect()
		for _, ns := range []string{"/admin", "admin"} {
			require.Contains(t, c.Call("_disconnect", ns, true).String(), "do not apply to the admin namespace")
		}
		require.True(t, c.Connected())
	})
}

func TestReadOnly(t *testing.T) {
	bubble(t, adminui.Options{ReadOnly: true, Mode: adminui.Development}, func(t *testing.T, srv *socketio.Server, _ *adminui.UI) {
		a := socketiotest.Connect(t, srv, nil)
		c, err := tryLogin(t, srv, credentials())
		require.NoError(t, err)
		c.Expect("session")
		c.Expect("config", map[string]any{"supportedFeatures": []string{"AGGREGATED_EVENTS", "ALL_EVENTS"}})
		for _, args := range [][]any{
			{"join", "/", "den", a.ID()}, {"leave", "/", a.ID()}, {"emit", "/", a.ID(), "x"}, {"_disconnect", "/", true, a.ID()}, {"_disconnect", "/", false},
		} {
			require.Contains(t, c.Call(args[0].(string), args[1:]...).String(), "read-only")
		}
		a.ExpectNothing()
		require.Equal(t, []string{a.ID()}, srv.Rooms(a.ID()))
		require.True(t, a.Connected())
	})
}

// A page that does not read is cut off; nobody waits for it.
func TestSlowPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := socketio.NewServer(&socketio.Options{Logger: silent, Limits: socketio.Limits{SendQueueLimit: 1 << 20}})
		t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
		instrument(t, srv, adminui.Options{Mode: adminui.Development})
		raw := &eiotest.Raw{Transport: eiotest.Serve(t, srv, nil), Path: "/socket.io/"}
		_, _, err := raw.Handshake(t.Context())
		require.NoError(t, err)
		_, err = raw.Post(t.Context(), fmt.Sprintf(`40/admin,{"username":"admin","password":%q}`, password))
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, siotest.SIDs(srv.Namespace("/admin")), 1)
		a := socketiotest.Connect(t, srv, nil)
		big := strings.Repeat("x", 7000)
		start := time.Now()
		for range 200 {
			require.NoError(t, srv.Emit("tick", big))
			a.Expect("tick", big)
		}
		require.Equal(t, start, time.Now())
		synctest.Wait()
		require.EqualValues(t, 1, srv.Stats().Closed[socketio.ReasonSlowClient])
		require.Empty(t, siotest.SIDs(srv.Namespace("/admin")))
	})
}

func TestClose(t *testing.T) {
	bubble(t, adminui.Options{Mode: adminui.Development}, func(t *testing.T, srv *socketio.Server, ui *adminui.UI) {
		c := page(t, srv)
		a := socketiotest.Connect(t, srv, nil)
		ui.Close()
		ui.Close()
		require.Equal(t, "io server disconnect", c.WaitDisconnect())
		refused(t, srv, credentials(), "the admin UI has been closed")
		require.True(t, a.Connected())
	})
}
