package socketio_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// balanced is a fleet whose servers hand over to each other, behind a balancer that sends each request to the next.
type balanced struct {
	*siotest.Fleet
	front *eiotest.Transport

	mu        sync.Mutex
	nth       int
	stick     bool
	addresses map[string]*eiotest.Transport // host:port
	handed    int
}

func newBalanced(t *testing.T, n int, opts *socketio.Options) *balanced {
	t.Helper()
	b := &balanced{Fleet: siotest.NewFleet(t, 0, nil), addresses: map[string]*eiotest.Transport{}}
	for range n {
		b.add(opts)
	}
	b.front = eiotest.Serve(t, http.HandlerFunc(b.serve), nil)
	return b
}

func (b *balanced) add(opts *socketio.Options) *socketio.Server {
	b.T.Helper()
	var o socketio.Options
	if opts != nil {
		o = *opts
	}
	address := fmt.Sprintf("10.0.0.%d:8080", len(b.Servers))
	o.Cluster.PeerURL, o.Cluster.PeerTransport = "http://"+address, b
	srv := b.Fleet.Add(&o)
	tr := eiotest.Serve(b.T, srv, nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addresses[address] = tr
	return srv
}

// RoundTrip sends what is handed over.
func (b *balanced) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	b.handed++
	tr := b.addresses[r.URL.Host]
	b.mu.Unlock()
	if tr == nil {
		return nil, fmt.Errorf("connection refused by %s", r.URL.Host)
	}
	return tr.RoundTrip(r)
}

func (b *balanced) serve(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	srv := b.Servers[b.nth%len(b.Servers)]
	if !b.stick {
		b.nth++
	}
	b.mu.Unlock()
	srv.ServeHTTP(w, r)
}

// to has the balancer send all requests to one server.
func (b *balanced) to(i int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nth, b.stick = i, true
}

func (b *balanced) join(mode eiotest.Mode) *siotest.Peer {
	b.T.Helper()
	p := siotest.DialWith(b.T, nil, eiotest.Options{Mode: mode, Transport: b.front})
	if mode.Revision() == 3 {
		p.Want("0")
	} else {
		p.Connect("/")
	}
	return p
}

// raw opens a polling session at a server.
func (b *balanced) raw(at int) *eiotest.Raw {
	b.T.Helper()
	b.to(at)
	raw := &eiotest.Raw{Transport: b.front, Path: "/socket.io/"}
	_, _, err := raw.Handshake(b.T.Context())
	require.NoError(b.T, err)
	return raw
}

// Clients of all kinds behind a balancer that knows of no sessions: connected, with rooms, events and acknowledgements
// across servers. Their session ids are not published, but for those of old clients, whose sockets have no others.
func TestPeers(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		b := newBalanced(t, 0, nil)
		var published bytes.Buffer
		lossy(b.Fleet, func(data []byte) bool { published.Write(data); return false })
		opts := &socketio.Options{Path: "/socket.io", AllowEIO3: true}
		for range 3 {
			srv := b.add(opts)
			srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
			srv.On("say", func(c *socketio.Context, room, text string) (string, error) {
				return "said " + text, c.Emit("said", text, socketio.To(room))
			})
		}
		var all []*siotest.Peer
		for range 4 {
			p := b.join(mode)
			p.Send(`20["join","room"]`)
			p.Want(`30[]`)
			all = append(all, p)
		}
		for i, p := range all {
			for j := range 5 {
				text := fmt.Sprint(i, ".", j)
				p.Send(`21["say","room","` + text + `"]`)
				for _, other := range all {
					want := []string{`2["said","` + text + `"]`}
					if other == p {
						want = append(want, `31["said `+text+`"]`)
					}
					other.Want(want...)
				}
			}
		}
		time.Sleep(2 * time.Minute)
		for _, p := range all {
			p.Quiet()
			p.Client.Close()
		}
		synctest.Wait()
		var handed, refused uint64
		for _, srv := range b.Servers {
			st := srv.Stats()
			handed += st.HandedOver
			refused += st.Refused["unknown session"] + st.Refused["peer"]
			assert.Empty(t, st.Sockets)
			assert.Zero(t, srv.BrokerStatus().Ignored)
		}
		assert.Zero(t, refused)
		assert.Equal(t, mode.Current() != eiotest.WebSocket, handed > 0)
		assert.Contains(t, published.String(), "10.0.0.1:8080/socket.io/")
		for _, p := range all {
			sid := p.Client.Handshake().SID
			if mode.Revision() == 3 {
				continue
			}
			require.Len(t, sid, 22+1+32)
			assert.NotContains(t, published.String(), sid[:22])
		}
	})
}

// Sessions of servers without the option are refused as ever, and by such servers, too.
func TestPeersNeedTheOption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBalanced(t, 1, nil)
		b.Fleet.Add(nil)
		time.Sleep(3 * time.Second)
		for at := range 2 {
			raw := b.raw(at)
			require.Len(t, raw.SID, []int{55, 22}[at])
			b.to(1 - at)
			begin := time.Now()
			resp, err := raw.Get(t.Context())
			require.NoError(t, err)
			require.Equal(t, 400, resp.Status)
			detail := resp.Header.Get(engineio.RefusalHeader)
			require.Contains(t, detail, "session ID unknown: the session has ended, or another server process holds it")
			require.Contains(t, detail, "Options.PeerURL")
			require.Zero(t, time.Since(begin))
		}
		require.Zero(t, b.handed)
	})
}

// Who asks for sessions that do not exist is refused at once, or, for a server that nobody has heard of, a little later,
// and has nothing published.
func TestPeersAndGuessedSIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBalanced(t, 2, nil)
		raw := b.raw(0)
		time.Sleep(3 * time.Second)
		b.to(1)
		random := strings.Repeat("A", 22)
		before := b.Servers[1].BrokerStatus().Published
		for sid, wait := range map[string]time.Duration{
			random: 0, random + ".": 0, random + ".x": 0, random + raw.SID[22:]: 0,
			random + "." + strings.Repeat("0", 32): time.Second,
		} {
			begin := time.Now()
			one := *raw
			one.SID = sid
			resp, err := one.Get(t.Context())
			require.NoError(t, err)
			require.Equal(t, 400, resp.Status)
			require.Contains(t, resp.Header.Get(engineio.RefusalHeader), "session ID unknown: the session has ended")
			require.Equal(t, wait, time.Since(begin), sid)
		}
		require.Equal(t, before, b.Servers[1].BrokerStatus().Published)
		require.EqualValues(t, 1, b.Servers[1].Stats().HandedOver)

		// Only so many wait.
		raw.SID = random + "." + strings.Repeat("1", 32)
		answers := make(chan time.Duration, 1100)
		begin := time.Now()
		for range cap(answers) {
			go func() {
				resp, err := raw.Get(t.Context())
				if assert.NoError(t, err) {
					assert.Equal(t, 400, resp.Status)
				}
				answers <- time.Since(begin)
			}()
		}
		waited := 0
		for range cap(answers) {
			if <-answers > 0 {
				waited++
			}
		}
		require.Equal(t, 1000, waited)
	})
}

// A server that has just begun waits for what it has not heard yet, and others wait for it.
func TestPeersOfANewServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBalanced(t, 1, nil)
		raw := b.raw(0)
		b.add(nil)
		b.to(1)
		begin := time.Now()
		resp, err := raw.Post(t.Context(), "40")
		require.NoError(t, err)
		require.Equal(t, 200, resp.Status, resp.Body)
		require.Less(t, time.Since(begin), time.Second)

		// It serves clients before it is on the broker.
		time.Sleep(time.Minute)
		late := &slowToSubscribe{until: make(chan struct{})}
		b.Wrap = func(inner socketio.Broker) socketio.Broker { late.Broker = inner; return late }
		o := &socketio.Options{Cluster: socketio.ClusterOptions{PeerURL: "http://10.0.0.2:8080", PeerTransport: b, Broker: b.Wrap(b.Service.Connect())}}
		srv := siotest.NewServer(t, o)
		t.Cleanup(func() { require.NoError(t, o.Cluster.Broker.Close()) })
		b.Servers = append(b.Servers, srv)
		b.addresses["10.0.0.2:8080"] = eiotest.Serve(t, srv, nil)
		raw = b.raw(2)
		b.to(0)
		begin = time.Now()
		time.AfterFunc(500*time.Millisecond, func() { close(late.until) })
		resp, err = raw.Post(t.Context(), "40")
		require.NoError(t, err)
		require.Equal(t, 200, resp.Status, resp.Body)
		require.Equal(t, 500*time.Millisecond, time.Since(begin))
	})
}

// slowToSubscribe is a Broker whose subscription takes a while.
type slowToSubscribe struct {
	socketio.Broker
	until chan struct{}
}

func (s *slowToSubscribe) Subscribe(ctx context.Context, channels []string, ready func(), handle func(string, []byte)) error {
	select {
	case <-s.until:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.Broker.Subscribe(ctx, channels, ready, handle)
}

// Without the broker, servers that are known are handed to as before; about others nothing can be known.
func TestPeersWhileTheBrokerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBalanced(t, 2, nil)
		p := b.join(eiotest.Polling)
		synctest.Wait()
		b.Service.Stop()
		time.Sleep(time.Minute)
		for i := range 5 {
			require.NoError(t, b.Servers[0].Emit("e", i))
			require.NoError(t, b.Servers[1].Emit("e", i))
			p.Want(fmt.Sprintf(`2["e",%d]`, i))
		}
		b.to(1)
		raw := &eiotest.Raw{Transport: b.front, Path: "/socket.io/", SID: strings.Repeat("A", 22) + "." + strings.Repeat("0", 32)}
		begin := time.Now()
		resp, err := raw.Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, 503, resp.Status)
		require.Contains(t, resp.Header.Get(engineio.RefusalHeader), "the broker is not available")
		require.Zero(t, time.Since(begin))
		require.EqualValues(t, 1, b.Servers[1].Stats().Refused["peer"])
	})
}

// Servers that end: nothing is handed to one that has shut down, a dead one is found out at once, and then forgotten.
func TestPeersThatEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBalanced(t, 3, nil)
		raws := []*eiotest.Raw{b.raw(0), b.raw(1)}
		time.Sleep(3 * time.Second)
		b.mu.Lock()
		delete(b.addresses, "10.0.0.0:8080") // it crashed
		b.mu.Unlock()
		b.to(2)
		begin := time.Now()
		resp, err := raws[0].Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, 502, resp.Status)
		require.Contains(t, resp.Header.Get(engineio.RefusalHeader), "cannot be reached (Options.PeerURL)")
		require.Zero(t, time.Since(begin))

		require.NoError(t, b.Servers[1].Shutdown(soon(t)))
		synctest.Wait()
		handed := b.handed
		resp, err = raws[1].Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, 400, resp.Status)
		require.Equal(t, handed, b.handed)
	})
}

// What is published about a server is checked before anything is sent there.
func TestPeerURLsFromTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBalanced(t, 1, nil)
		time.Sleep(3 * time.Second)
		evil := b.Service.Connect()
		t.Cleanup(func() { require.NoError(t, evil.Close()) })
		host := strings.Repeat("e", 32)
		raw := &eiotest.Raw{Transport: b.front, Path: "/socket.io/", SID: strings.Repeat("A", 22) + "." + host}
		for i, at := range []string{"file:///etc/passwd", "10.0.0.9", "http://", "http://user@x/", "http://x/?q", "http://x/#f", "gopher://x/", "http://" + strings.Repeat("x", 3000), "http://x y/"} {
			require.NoError(t, evil.Publish(t.Context(), serversChannel, fmt.Appendf(nil, `{"v":1,"is":"alive","host":%q,"name":"n","url":%q}`, host, at)))
			resp, err := raw.Get(t.Context())
			require.NoError(t, err)
			require.Equal(t, 400, resp.Status, at)
			require.EqualValues(t, i+1, b.Servers[0].BrokerStatus().Ignored)
		}
		require.Zero(t, b.handed)
		// A good one counts from then on, and no more when the server says so.
		for _, next := range []struct {
			at     string
			status int
		}{{"http://elsewhere.test/socket.io/", 502}, {"", 400}} {
			require.NoError(t, evil.Publish(t.Context(), serversChannel, fmt.Appendf(nil, `{"v":1,"is":"alive","host":%q,"name":"n","url":%q}`, host, next.at)))
			synctest.Wait()
			resp, err := raw.Get(t.Context())
			require.NoError(t, err)
			require.Equal(t, next.status, resp.Status)
		}
	})
}

func TestPeerOptions(t *testing.T) {
	broker := new(brokertest.Memory).Connect()
	defer broker.Close()
	for _, tt := range []struct {
		opts socketio.Options
		want string
	}{
		{socketio.Options{Cluster: socketio.ClusterOptions{PeerURL: "http://10.0.0.5:8080"}}, "Options.Cluster.Broker is nil"},
		{socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker, PeerURL: "10.0.0.5:8080"}}, `field Options.Cluster.PeerURL is "10.0.0.5:8080": it is no URL of a server`},
		{socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker, PeerURL: "ws://10.0.0.5:8080"}}, "it is no URL of a server"},
		{socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker, PeerURL: "http://:8080"}}, "it is no URL of a server"},
		{socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker, PeerURL: "http://0.0.0.0:8080"}}, "no server can be reached at 0.0.0.0"},
		{socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker, PeerURL: "http://[::]:8080"}}, "no server can be reached at ::"},
		{socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker, PeerTransport: http.DefaultTransport}}, "PeerTransport is set without PeerURL"},
	} {
		func() {
			defer func() { assert.Contains(t, fmt.Sprint(recover()), tt.want) }()
			socketio.NewServer(&tt.opts)
		}()
	}
}
