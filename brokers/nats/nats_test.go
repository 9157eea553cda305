package nats_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokers/nats"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/brokertest/servertest"
	"github.com/seed-d124fa34/socketio/internal/faulty"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// run checks the broker, and that servers on it are one application.
func run(t *testing.T, service brokertest.Service) {
	t.Helper()
	brokertest.Run(t, service)
	servertest.Run(t, service)
}

func newBroker(t *testing.T, url string, options ...natsgo.Option) *nats.Broker {
	t.Helper()
	b, err := nats.New(url, options...)
	require.NoError(t, err)
	return b
}

func TestSingleServer(t *testing.T) {
	s := startNATS(t, nil)
	run(t, brokertest.Service{
		Connect:    func(t *testing.T) broker.Broker { return newBroker(t, s.url()) },
		Stop:       s.Stop,
		Start:      s.Start,
		MaxMessage: 1 << 20,
	})
}

// A broker works if one of several servers is away.
func TestSeveralURLs(t *testing.T) {
	s := startNATS(t, nil)
	run(t, brokertest.Service{
		Connect:    func(t *testing.T) broker.Broker { return newBroker(t, "nats://127.0.0.1:1, "+s.url()) },
		MaxMessage: 1 << 20,
	})
}

func TestBigMessages(t *testing.T) {
	s := startNATS(t, &server.Options{MaxPayload: 16 << 20, MaxPending: 64 << 20})
	run(t, brokertest.Service{
		Connect: func(t *testing.T) broker.Broker { return newBroker(t, s.url()) },
	})
}

func TestWebSocket(t *testing.T) {
	port := freePort(t)
	startNATS(t, &server.Options{Websocket: server.WebsocketOpts{Host: "127.0.0.1", Port: port, NoTLS: true}})
	brokertest.RoundTrip(t, newBroker(t, fmt.Sprintf("ws://127.0.0.1:%d", port)))
}

func TestCredentials(t *testing.T) {
	user, err := nkeys.CreateUser()
	require.NoError(t, err)
	public, err := user.PublicKey()
	require.NoError(t, err)
	s := startNATS(t, &server.Options{
		Users:  []*server.User{{Username: "ann", Password: "p@ss/word"}},
		Nkeys:  []*server.NkeyUser{{Nkey: public}},
		NoSigs: true,
	})
	brokertest.RoundTrip(t, newBroker(t, "nats://ann:p%40ss%2Fword@"+s.addr()))
	brokertest.RoundTrip(t, newBroker(t, s.url(), natsgo.UserInfo("ann", "p@ss/word")))
	brokertest.RoundTrip(t, newBroker(t, s.url(), natsgo.Nkey(public, user.Sign)))

	b := newBroker(t, "nats://ann:secret@"+s.addr())
	defer b.Close()
	err = b.Publish(t.Context(), "c", nil)
	require.ErrorIs(t, err, natsgo.ErrAuthorization)
	require.NotContains(t, err.Error(), "secret")

	token := startNATS(t, &server.Options{Authorization: "t0ken"})
	brokertest.RoundTrip(t, newBroker(t, "nats://t0ken@"+token.addr()))
}

// Publish and Subscribe return an error for what the user may not do, each time.
func TestPermissions(t *testing.T) {
	s := startNATS(t, &server.Options{Users: []*server.User{{Username: "ann", Password: "pw", Permissions: &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{"a"}},
		Subscribe: &server.SubjectPermission{Allow: []string{"a"}},
	}}}})
	b := newBroker(t, "nats://ann:pw@"+s.addr())
	defer b.Close()
	for range 3 {
		require.NoError(t, b.Publish(t.Context(), "a", nil))
		require.ErrorIs(t, b.Publish(t.Context(), "b", nil), natsgo.ErrPermissionViolation)
		err := b.Subscribe(t.Context(), []string{"a", "b"}, func() { t.Error("ready") }, func(string, []byte) {})
		require.ErrorIs(t, err, natsgo.ErrPermissionViolation)
	}
}

func TestURLs(t *testing.T) {
	for _, url := range []string{
		"nats://localhost", "nats://localhost:4222", "tls://u:p%40@nats.example.com", "ws://a:80", "wss://a:443/path", "nats://token@[::1]:4222",
		"nats://a:1,nats://b:2", "nats://a:1, tls://b:2",
	} {
		b, err := nats.New(url)
		require.NoError(t, err, url)
		require.NoError(t, b.Close())
	}
	for url, want := range map[string]string{
		"":                            "no scheme",
		"localhost:4222":              "no scheme",
		"nats://a:1,b:2":              "no scheme",
		"redis://localhost":           `"redis"`,
		"nats://secret:secret@host:x": "port",
		"nats://u:se%zzcret@host":     "percent-encode",
		"nats://secret@":              "no host",
		"nats://":                     "no host",
	} {
		_, err := nats.New(url)
		require.ErrorContains(t, err, want, url)
		require.ErrorContains(t, err, "socketio: nats: ")
		require.NotContains(t, err.Error(), "secret")
	}
	_, err := nats.New("nats://localhost", nil, natsgo.RootCAs("nowhere.pem"))
	require.ErrorContains(t, err, "nowhere.pem")
}

func TestSubjects(t *testing.T) {
	for channel, want := range map[string]string{
		"flask-socketio":         "flask-socketio",
		"flask-socketio#servers": "flask-socketio#servers",
		"a.b.c":                  "a.b.c",
		"":                       "%",
		"%":                      "%25",
		".a..b.":                 "%2Ea.%2Eb%2E",
		"$SYS.x":                 "%24SYS.x",
		"a$":                     "a$",
		"a b\r\n*.>":             "a%20b%0D%0A%2A.%3E",
		"ü":                      "%C3%BC",
	} {
		require.Equal(t, want, nats.Subject(channel))
	}
}

// Different channels have different subjects, and NATS takes all of them.
func FuzzSubject(f *testing.F) {
	f.Add("a.b", "a%2Eb")
	f.Add("..", ".%2E")
	f.Add("", "%")
	f.Add("$", ">")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := nats.Subject(a), nats.Subject(b)
		if (x == y) != (a == b) {
			t.Errorf("%q and %q are %q and %q", a, b, x, y)
		}
		if !server.IsValidLiteralSubject(x) || strings.HasPrefix(x, "$") {
			t.Errorf("%q is %q, which is no subject", a, x)
		}
	})
}

// Subscribe returns when its connection has gone silent without being closed.
func TestHalfOpenConnection(t *testing.T) {
	s := startNATS(t, nil)
	proxy, err := faulty.NewProxy(s.addr(), 1)
	require.NoError(t, err)
	defer proxy.Close()
	b := newBroker(t, "nats://"+proxy.Addr())
	defer b.Close()
	b.SetPing(200 * time.Millisecond)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- b.Subscribe(t.Context(), []string{"c"}, func() { close(ready) }, func(string, []byte) {})
	}()
	<-ready
	require.NoError(t, b.Publish(t.Context(), "c", nil))
	select { // the answers to the pings keep it alive
	case err := <-ended:
		t.Fatalf("the subscription ended with %v although the connection works", err)
	case <-time.After(time.Second):
	}
	proxy.Silence(faulty.Both)
	select {
	case err := <-ended:
		require.ErrorIs(t, err, natsgo.ErrStaleConnection)
	case <-time.After(20 * time.Second):
		t.Fatal("the subscription goes on although nothing comes")
	}

	// Publish ends with its context, and Close does not wait at all.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	require.Eventually(t, func() bool { return b.Publish(ctx, "c", []byte("x")) != nil }, 10*time.Second, 10*time.Millisecond)
	require.Less(t, time.Since(start), 10*time.Second)
}

// The subscription of a subscriber that does not keep up ends: no message is left out before that.
func TestSlowSubscriber(t *testing.T) {
	s := startNATS(t, &server.Options{MaxPending: 1 << 30})
	b := newBroker(t, s.url())
	defer b.Close()
	ready, ended := make(chan struct{}), make(chan error, 1)
	release := make(chan struct{})
	next := 0
	go func() {
		ended <- b.Subscribe(t.Context(), []string{"c"}, func() { close(ready) }, func(_ string, data []byte) {
			<-release
			if i := int(data[0]); i != next {
				t.Errorf("message %d came when %d was due", i, next)
			}
			next++
		})
	}()
	<-ready
	message := make([]byte, 1<<20)
	for i := range 100 {
		message[0] = byte(i)
		require.NoError(t, b.Publish(t.Context(), "c", message))
	}
	select {
	case err := <-ended:
		t.Fatalf("the subscription ended with %v while a message was handled", err)
	case <-time.After(500 * time.Millisecond):
	}
	close(release)
	select {
	case err := <-ended:
		require.ErrorContains(t, err, "does not keep up")
	case <-time.After(20 * time.Second):
		t.Fatal("the subscription goes on")
	}
	require.Less(t, next, 100)
}

// Dialing and the handshake end when the context ends, and with Close.
func TestDialingEnds(t *testing.T) {
	silent, err := faulty.NewProxy(startNATS(t, nil).addr(), 1)
	require.NoError(t, err)
	defer silent.Close()
	silent.Silence(faulty.Both) // it accepts connections, but the server's greeting does not arrive
	b := newBroker(t, "nats://"+silent.Addr())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	require.ErrorIs(t, b.Publish(ctx, "c", nil), context.DeadlineExceeded)
	require.ErrorIs(t, b.Subscribe(ctx, []string{"c"}, func() {}, func(string, []byte) {}), context.DeadlineExceeded)
	ended := make(chan error, 1)
	go func() {
		ended <- b.Subscribe(t.Context(), []string{"c"}, func() {}, func(string, []byte) {})
	}()
	time.Sleep(50 * time.Millisecond)
	require.NoError(t, b.Close())
	if err := <-ended; !errors.Is(err, broker.ErrClosed) {
		t.Errorf("Subscribe: %v", err)
	}
	require.Less(t, time.Since(start), 30*time.Second)
}
