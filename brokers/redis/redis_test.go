package redis_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokers/redis"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/brokertest/servertest"
	"github.com/seed-d124fa34/socketio/internal/faulty"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) {
	logging.Disable() // the library would log every outage
	leakcheck.Main(m)
}

// run checks the broker, and that servers on it are one application.
func run(t *testing.T, service brokertest.Service) {
	t.Helper()
	brokertest.Run(t, service)
	servertest.Run(t, service)
}

func newBroker(t *testing.T, url string) broker.Broker {
	t.Helper()
	b, err := redis.New(url)
	require.NoError(t, err)
	return b
}

func TestSingleNode(t *testing.T) {
	server := startRedis(t)
	run(t, brokertest.Service{
		Connect: func(t *testing.T) broker.Broker { return newBroker(t, server.url()) },
		Stop:    server.Stop,
		Start:   server.Start,
	})
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "redis.sock")
	startRedis(t, "--unixsocket", path)
	brokertest.RoundTrip(t, newBroker(t, "unix://"+path))
}

func TestPassword(t *testing.T) {
	server := startRedis(t)
	server.do("ACL", "SETUSER", "ann", "on", ">p@ss/word", "~*", "&*", "+@all")
	server.do("CONFIG", "SET", "requirepass", "other")
	brokertest.RoundTrip(t, newBroker(t, "redis://ann:p%40ss%2Fword@"+server.addr+"/5"))

	b := newBroker(t, "redis://ann:wrong@"+server.addr)
	defer b.Close()
	err := b.Publish(t.Context(), "c", nil)
	require.ErrorContains(t, err, "WRONGPASS")
	require.NotContains(t, err.Error(), "wrong@")
}

func TestSentinel(t *testing.T) {
	master := startRedis(t)
	host, port, _ := net.SplitHostPort(master.addr)
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	require.NoError(t, os.WriteFile(config, []byte("sentinel monitor mymaster "+host+" "+port+" 1\n"), 0o600))
	sentinel := startRedis(t, config, "--sentinel")
	run(t, brokertest.Service{
		Connect: func(t *testing.T) broker.Broker {
			return newBroker(t, "redis+sentinel://"+sentinel.addr+",127.0.0.1:1/0/mymaster")
		},
		Stop:  master.Stop,
		Start: master.Start,
	})
	brokertest.RunHistory(t, brokertest.HistoryService{Service: brokertest.Service{
		Connect: func(t *testing.T) broker.Broker {
			return newHistory(t, "redis+sentinel://"+sentinel.addr+",127.0.0.1:1/0/mymaster", nil)
		},
		Stop:  master.Stop,
		Start: master.Start,
	}, Forget: func() { master.do("XTRIM", "socketio", "MAXLEN", "=", "0") }})
}

func TestCluster(t *testing.T) {
	var nodes []*redisServer
	for range 3 {
		nodes = append(nodes, startRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000"))
	}
	for i, node := range nodes {
		for _, other := range nodes {
			host, port, _ := net.SplitHostPort(other.addr)
			node.do("CLUSTER", "MEET", host, port)
		}
		node.do("CLUSTER", "ADDSLOTSRANGE", i*5461, min(16383, (i+1)*5461-1))
	}
	nodes[2].do("CLUSTER", "ADDSLOTSRANGE", 16383, 16383)
	require.Eventually(t, func() bool {
		for _, node := range nodes {
			if info := node.do("CLUSTER", "INFO"); !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:3") {
				return false
			}
		}
		return true
	}, 30*time.Second, 50*time.Millisecond)
	run(t, brokertest.Service{
		Connect: func(t *testing.T) broker.Broker {
			return newBroker(t, "redis+cluster://"+nodes[0].addr+","+nodes[1].addr)
		},
	})
	brokertest.RunHistory(t, brokertest.HistoryService{Service: brokertest.Service{
		Connect: func(t *testing.T) broker.Broker {
			return newHistory(t, "redis+cluster://"+nodes[0].addr+","+nodes[1].addr, nil)
		},
	}, Forget: func() {
		client := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{nodes[0].addr}})
		defer client.Close()
		require.NoError(t, client.XTrimMaxLen(t.Context(), "socketio", 0).Err())
	}})

	// Another program may publish on any node.
	b := newBroker(t, "redis+cluster://"+nodes[2].addr)
	defer b.Close()
	got := make(chan string, 3)
	ready := make(chan struct{})
	go b.Subscribe(t.Context(), []string{"flask-socketio"}, func() { close(ready) }, func(_ string, data []byte) { got <- string(data) })
	<-ready
	for _, node := range nodes {
		node.do("PUBLISH", "flask-socketio", "x")
		require.Equal(t, "x", <-got)
	}
}

// Applications can replace the logger of the library, as the example does.
func TestLibraryLog(t *testing.T) {
	var out strings.Builder
	goredis.SetLogger(libraryLog{slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	defer logging.Disable()
	b := newBroker(t, "redis://127.0.0.1:1")
	require.Error(t, b.Publish(t.Context(), "c", nil))
	require.NoError(t, b.Close())
	require.Contains(t, out.String(), "failed to dial")
}

// Close leaves the client of NewFromClient open.
func TestNewFromClient(t *testing.T) {
	server := startRedis(t)
	client := dialRedis(server.addr)
	defer client.Close()
	brokertest.RoundTrip(t, redis.NewFromClient(client))
	require.NoError(t, client.Ping(t.Context()).Err())
}

func TestURLs(t *testing.T) {
	for _, url := range []string{
		"redis://", "redis://localhost", "redis://localhost:6379/0", "rediss://:pw@redis.example.com:6380", "unix:///run/redis.sock",
		"redis+sentinel://a:1,b:2/0/mymaster", "redis+sentinel://u:p%40@a:1//mymaster", "rediss+sentinel://[::1]:26379/0/m",
		"redis+cluster://a:1,b:2", "rediss+cluster://u:p@a:1",
	} {
		b, err := redis.New(url)
		require.NoError(t, err, url)
		require.NoError(t, b.Close())
	}
	for url, want := range map[string]string{
		"":                               "no scheme",
		"localhost:6379":                 "no scheme",
		"kafka://localhost":              `"kafka"`,
		"redis://secret:secret@host:x":   "port",
		"redis://host/notanumber":        "database",
		"redis+sentinel://a:1":           "master",
		"redis+sentinel://a:1/0":         "master",
		"redis+sentinel://a:1/x/m":       "use a number",
		"redis+sentinel://a/0/m":         "host:port",
		"redis+sentinel://u:%zz@a:1/0/m": "percent-encode",
		"redis+cluster://a:1/0":          "has a path",
		"redis+cluster://":               "host:port",
	} {
		_, err := redis.New(url)
		require.ErrorContains(t, err, want, url)
		require.ErrorContains(t, err, "socketio: redis: ")
		require.NotContains(t, err.Error(), "secret")
	}
}

// Subscribe returns when its connection has gone silent without being closed.
func TestHalfOpenConnection(t *testing.T) {
	server := startRedis(t)
	proxy, err := faulty.NewProxy(server.addr, 1)
	require.NoError(t, err)
	defer proxy.Close()
	b, err := redis.New("redis://" + proxy.Addr())
	require.NoError(t, err)
	defer b.Close()
	b.SetPing(100*time.Millisecond, 200*time.Millisecond)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- b.Subscribe(t.Context(), []string{"c"}, func() { close(ready) }, func(string, []byte) {})
	}()
	<-ready
	select { // the answers to the pings keep it alive
	case err := <-ended:
		t.Fatalf("the subscription ended with %v although the connection works", err)
	case <-time.After(time.Second):
	}
	proxy.Silence(faulty.Both)
	select {
	case err := <-ended:
		require.ErrorContains(t, err, "silent")
	case <-time.After(20 * time.Second):
		t.Fatal("the subscription goes on although nothing comes")
	}

	// Publish ends with its context, and Close does not wait at all.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	require.Error(t, b.Publish(ctx, "c", []byte("x")))
	require.Less(t, time.Since(start), 10*time.Second)
}
