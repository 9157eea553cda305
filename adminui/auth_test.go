package adminui_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/adminui"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestOptions(t *testing.T) {
	for want, opts := range map[string]adminui.Options{
		"nobody can log in: set Username": {},
		"nobody can log in":               {Username: "admin"},
		"is not a bcrypt hash":            {Username: "admin", PasswordHash: "secret"},
		"both InsecureNoAuth and a login": {InsecureNoAuth: true, Username: "admin", PasswordHash: hash},
		`unknown mode "debug"`:            {InsecureNoAuth: true, Mode: "debug"},
		"SessionKey has 3 bytes":          {Username: "admin", PasswordHash: hash, SessionKey: []byte("key")},
		"cannot be negative":              {InsecureNoAuth: true, StatsInterval: -1},
	} {
		ui, err := adminui.Instrument(siotest.NewServer(t, nil), opts)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "adminui: ")
		require.Nil(t, ui)
	}
}

func TestLogin(t *testing.T) {
	bubble(t, adminui.Options{Mode: adminui.Development, MaxFailures: 100, StatsInterval: time.Hour}, func(t *testing.T, srv *socketio.Server, _ *adminui.UI) {
		for _, a := range []any{
			nil, auth{}, auth{"username": "admin"}, auth{"username": "admin", "password": "wrong"},
			auth{"username": "root", "password": password}, auth{"username": "", "password": password},
			auth{"username": "admin", "password": password + strings.Repeat("x", 100)},
			auth{"username": 1, "password": []string{"x"}},
			auth{"sessionId": ""}, auth{"sessionId": "guess"}, auth{"sessionId": strings.Repeat("A", 75)}, auth{"sessionId": 1},
		} {
			refused(t, srv, a, "invalid credentials")
		}
		require.Empty(t, siotest.SIDs(srv.Namespace("/admin")))

		c, err := tryLogin(t, srv, credentials())
		require.NoError(t, err)
		var session string
		c.Expect("session").Bind(&session)
		var config struct{ SupportedFeatures []string }
		c.Expect("config").Bind(&config)
		require.ElementsMatch(t, []string{"EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT", "AGGREGATED_EVENTS", "ALL_EVENTS"}, config.SupportedFeatures)
		c.Expect("server_stats")
		c.Expect("all_sockets", []any{})

		for range 2 { // again and again, without another one
			c, err = tryLogin(t, srv, auth{"sessionId": session})
			require.NoError(t, err)
			c.Expect("config")
		}
		forged := []byte(session)
		forged[3]++
		refused(t, srv, auth{"sessionId": string(forged)}, "invalid credentials")
		time.Sleep(24 * time.Hour)
		refused(t, srv, auth{"sessionId": session}, "invalid credentials")
	})
}

// Nobody who is not logged in is told anything, or can order anything.
func TestNothingBeforeLogin(t *testing.T) {
	bubble(t, adminui.Options{Mode: adminui.Development}, func(t *testing.T, srv *socketio.Server, _ *adminui.UI) {
		victim := socketiotest.Connect(t, srv, nil)
		stranger := socketiotest.Connect(t, srv, nil)
		_, err := stranger.TryJoin("/admin", auth{"username": "admin", "password": "wrong"})
		require.Error(t, err)
		require.NoError(t, srv.Emit("private", 1, socketio.To(victim.ID())))
		time.Sleep(10 * time.Second)
		stranger.ExpectNothing()
		victim.Expect("private", 1)
	})
}

// With AlwaysConnect a client is in the namespace before its password has been checked: it hears nothing
// nevertheless, and one that is told to leave has heard nothing.
func TestNothingBeforeLoginWithAlwaysConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := socketio.NewServer(&socketio.Options{Logger: silent, AlwaysConnect: true})
		t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
		instrument(t, srv, adminui.Options{Mode: adminui.Development, StatsInterval: time.Second, MaxFailures: 100, ClientIP: func(r *http.Request) string {
			time.Sleep(10 * time.Second) // the check takes its time
			return "a"
		}})
		srv.On("secret", func(*socketio.Context, string) {})
		client := socketiotest.Connect(t, srv, nil)
		admin := socketiotest.Connect(t, srv, &socketiotest.Options{Namespace: "/admin", Auth: credentials()})
		time.Sleep(11 * time.Second)
		require.NotEmpty(t, received(t, admin))

		stranger := socketiotest.Connect(t, srv, &socketiotest.Options{Namespace: "/admin", Auth: auth{"username": "admin", "password": "wrong"}})
		for range 9 {
			client.Emit("secret", "text")
			time.Sleep(time.Second)
		}
		require.Len(t, srv.Namespace("/admin").Cluster().Servers(), 1)
		require.Equal(t, 2, srv.Namespace("/admin").Count(), "it is in the namespace, and waits")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Empty(t, stranger.Received())
		require.Equal(t, 1, srv.Namespace("/admin").Count())
		require.Contains(t, strings.Join(received(t, admin), "\n"), "secret")
	})
}

// A server without an admin page, whose clients may choose their namespace, on the same broker: what the pages
// are told is not for its clients.
func TestStrangersOnAnotherServerHearNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := new(brokertest.Memory)
		server := func(o socketio.Options) *socketio.Server {
			o.Logger, o.Cluster.Broker = silent, service.Connect()
			srv := socketio.NewServer(&o)
			t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
			return srv
		}
		one, two, open := server(socketio.Options{}), server(socketio.Options{}), server(socketio.Options{Namespaces: []string{"*"}})
		open.Namespace("*").On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
		instrument(t, one, adminui.Options{})
		instrument(t, two, adminui.Options{})
		stranger := socketiotest.Connect(t, open, &socketiotest.Options{Namespace: "/admin"})
		for _, room := range []string{"admin", "adminui", "/admin"} {
			stranger.Call("join", room)
		}
		admin, err := tryLogin(t, two, credentials())
		require.NoError(t, err)
		admin.Received()
		time.Sleep(10 * time.Second)
		stranger.ExpectNothing()
		require.GreaterOrEqual(t, len(admin.Received()), 8, "it is told of both servers")
	})
}

func TestSessionsOfServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := []byte(strings.Repeat("k", 32))
		var servers []*socketio.Server
		for _, opts := range []adminui.Options{{SessionKey: key}, {SessionKey: key}, {}} {
			srv := siotest.NewServer(t, nil)
			instrument(t, srv, opts)
			servers = append(servers, srv)
		}
		c, err := tryLogin(t, servers[0], credentials())
		require.NoError(t, err)
		var session string
		c.Expect("session").Bind(&session)
		_, err = tryLogin(t, servers[1], auth{"sessionId": session})
		require.NoError(t, err)
		refused(t, servers[2], auth{"sessionId": session}, "invalid credentials")
	})
}

func TestFailures(t *testing.T) {
	address := "a"
	opts := adminui.Options{ClientIP: func(*http.Request) string { return address }}
	bubble(t, opts, func(t *testing.T, srv *socketio.Server, _ *adminui.UI) {
		c, err := tryLogin(t, srv, credentials())
		require.NoError(t, err)
		var session string
		c.Expect("session").Bind(&session)
		wrong := auth{"username": "admin", "password": "wrong"}
		for range 5 {
			refused(t, srv, wrong, "invalid credentials")
		}
		refused(t, srv, wrong, "too many failed logins: wait a minute")
		refused(t, srv, credentials(), "too many failed logins: wait a minute")
		_, err = tryLogin(t, srv, auth{"sessionId": session})
		require.NoError(t, err, "who is logged in stays")
		address = "b"
		page(t, srv)
		address = "a"
		time.Sleep(time.Minute)
		page(t, srv)
	})
}

// A guesser has more than one address of IPv6.
func TestFailuresOfANetwork(t *testing.T) {
	address := ""
	opts := adminui.Options{ClientIP: func(*http.Request) string { return address }, MaxFailures: 1}
	bubble(t, opts, func(t *testing.T, srv *socketio.Server, _ *adminui.UI) {
		wrong := auth{"username": "admin", "password": "wrong"}
		for _, same := range [][]string{
			{"2001:db8::1", "2001:db8::2", "[2001:db8::3]:80"}, {"2001:db8:0:1::1"},
			{"192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1:80"}, {"192.0.2.2"}, {"proxy:ann"},
		} {
			want := "invalid credentials"
			for _, address = range same {
				refused(t, srv, wrong, want)
				want = "too many failed logins: wait a minute"
			}
		}
	})
}

func TestNoAuth(t *testing.T) {
	bubble(t, adminui.Options{InsecureNoAuth: true, Namespace: "ops"}, func(t *testing.T, srv *socketio.Server, _ *adminui.UI) {
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Namespace: "/ops"})
		c.Expect("config")
		_, err := tryLogin(t, srv, nil)
		require.Error(t, err)
	})
}
