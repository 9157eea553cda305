package docs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// The blocks of cors.md, deployment.md, limits.md, observability.md and scaling.md.

// logged takes what a test logs, with log and log/slog.
func logged(t *testing.T) *siotest.Logs {
	buf, old := new(siotest.Logs), slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(buf, nil)))
	flags := log.Flags()
	t.Cleanup(func() {
		slog.SetDefault(old)
		log.SetOutput(os.Stderr)
		log.SetFlags(flags)
	})
	return buf
}

func TestOrigins(t *testing.T) {
	mux := http.NewServeMux()
	srv := socketio.NewServer(&socketio.Options{
		AllowedOrigins: []string{"https://app.example.com", "https://*.example.org"},
	})
	mux.Handle("/socket.io/", srv)

	for origin, allowed := range map[string]bool{
		"":                        true,
		"http://server.test":      true, // its own
		"https://app.example.com": true, "http://app.example.com": false, "https://app.example.com:8443": false,
		"https://a.b.example.org": true, "https://example.org": false, "https://badexample.org": false,
	} {
		for _, transport := range []socketiotest.Transport{socketiotest.Polling, socketiotest.WebSocket} {
			_, err := socketiotest.TryConnect(t, mux, &socketiotest.Options{Transport: transport, Header: http.Header{"Origin": {origin}}})
			assert.Equal(t, allowed, err == nil, "%s by %s: %v", origin, transport, err)
		}
	}
}

func TestWebSocketOnly(t *testing.T) {
	mux := http.NewServeMux()
	srv := socketio.NewServer(&socketio.Options{Transports: []string{"websocket"}})
	mux.Handle("/socket.io/", srv)

	socketiotest.Connect(t, mux, nil)
	_, err := socketiotest.TryConnect(t, mux, &socketiotest.Options{Transport: socketiotest.Polling})
	assert.ErrorContains(t, err, "Transport unknown")
}

func site(srv *socketio.Server) *http.Server {
	return &http.Server{
		Addr:              ":8080",
		Handler:           srv,
		ReadHeaderTimeout: 10 * time.Second,
	}
}

func TestSite(t *testing.T) {
	web := httptest.NewUnstartedServer(nil)
	web.Config = site(socketio.NewServer(nil))
	web.Start()
	defer web.Close()
	answer, err := http.Get(web.URL + "/socket.io/?EIO=4&transport=polling")
	require.NoError(t, err)
	defer answer.Body.Close()
	assert.Equal(t, http.StatusOK, answer.StatusCode)
	assert.NoError(t, web.Config.Handler.(*socketio.Server).Shutdown(t.Context()))
}

func strict(srv *socketio.Server) {
	srv.OnError(func(c *socketio.Context, err error) any {
		var limit *socketio.LimitError
		if errors.As(err, &limit) {
			c.CloseConnection()
		}
		return err
	})
}

func TestStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := socketio.NewServer(&socketio.Options{Limits: socketio.Limits{EventRate: 1, EventBurst: 2}})
		strict(srv)
		srv.On("x", func(*socketio.Context) {})
		ann := socketiotest.Connect(t, srv, nil) // one
		ann.Call("x")                            // two
		ann.Emit("x")
		ann.WaitDisconnect()
	})
}

func watch(ctx context.Context, srv *socketio.Server, every time.Duration) {
	last := srv.Stats()
	for ticks := time.Tick(every); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
		now := srv.Stats()
		log.Printf("%d clients, %d events in, %d out, %d slow clients", now.Polling+now.WebSocket,
			now.EventsIn-last.EventsIn, now.EventsOut-last.EventsOut,
			now.Closed[socketio.ReasonSlowClient]-last.Closed[socketio.ReasonSlowClient])
		last = now
	}
}

func TestWatch(t *testing.T) {
	buf := logged(t)
	synctest.Test(t, func(t *testing.T) {
		srv := socketio.NewServer(nil)
		srv.On("x", func(c *socketio.Context) error { return c.Emit("y", nil) })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go watch(ctx, srv, time.Second)
		synctest.Wait()
		ann := socketiotest.Connect(t, srv, nil)
		ann.Call("x")
		time.Sleep(time.Second + time.Millisecond)
		ann.Disconnect()
		time.Sleep(time.Second)
	})
	assert.Contains(t, buf.String(), "1 clients, 1 events in, 1 out, 0 slow clients")
	assert.Contains(t, buf.String(), "0 clients, 0 events in, 0 out, 0 slow clients")
}

func TestLogger(t *testing.T) {
	buf, mux := logged(t), http.NewServeMux()
	srv := socketio.NewServer(&socketio.Options{
		Logger: slog.Default().With("component", "socketio"),
	})
	mux.Handle("/socket.io/", srv)

	srv.On("fail", func(*socketio.Context) error { return errors.New("no") })
	srv.On("then", func(*socketio.Context) {})
	ann := socketiotest.Connect(t, mux, nil)
	ann.Emit("fail")
	ann.Call("then")
	assert.Contains(t, buf.String(), "component=socketio namespace=/ event=fail")
}

func status(srv *socketio.Server) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		st := srv.Stats()
		json.NewEncoder(w).Encode(map[string]any{
			"connections":  st.Polling + st.WebSocket,
			"sockets":      st.Sockets, // by namespace
			"slow clients": st.Closed[socketio.ReasonSlowClient],
			"limits":       st.LimitHits,
			"broker":       srv.BrokerStatus().Connected,
		})
	}
}

func TestStatus(t *testing.T) {
	srv := socketio.NewServer(nil)
	socketiotest.Connect(t, srv, nil)
	answer := request(status(srv), "GET", "/status").Body.String()
	for _, part := range []string{`"connections":1`, `"sockets":{"/":1}`, `"slow clients":0`, `"MaxPayload":0`, `"broker":false`} {
		assert.Contains(t, answer, part)
	}
}

func TestHooks(t *testing.T) {
	buf := logged(t)
	synctest.Test(t, func(t *testing.T) {
		srv := socketio.NewServer(nil)
		remove := srv.AddHooks(socketio.Hooks{
			SocketConnected: func(s *socketio.Socket) {
				slog.Info("here", "user", s.Request().Header.Get("X-User"), "namespace", s.Namespace().Name())
			},
			SocketDisconnected: func(s *socketio.Socket, reason socketio.Reason, err error) {
				slog.Info("gone", "user", s.Request().Header.Get("X-User"), "reason", reason)
			},
			Handler: func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
				began := time.Now()
				return ctx, func(_ socketio.Args, err error) {
					if d := time.Since(began); d > time.Second {
						slog.Warn("slow", "event", c.Event(), "duration", d)
					}
				}
			},
		})
		defer remove()

		srv.On("work", func(_ *socketio.Context, seconds int) { time.Sleep(time.Duration(seconds) * time.Second) })
		ann := socketiotest.Connect(t, srv, &socketiotest.Options{Header: http.Header{"X-User": {"ann"}}})
		ann.Call("work", 0)
		ann.Call("work", 2)
		ann.Disconnect()
		synctest.Wait()
	})
	for _, line := range []string{"msg=here user=ann namespace=/", "msg=slow event=work duration=2s", `msg=gone user=ann reason="client disconnect"`} {
		assert.Equal(t, 1, strings.Count(buf.String(), line), "%s in\n%s", line, buf)
	}
}

func TestAllServers(t *testing.T) {
	buf := logged(t)
	synctest.Test(t, func(t *testing.T) {
		service := new(brokertest.Memory)
		srv, other := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: service.Connect()}}), socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: service.Connect()}})
		t.Cleanup(func() {
			assert.NoError(t, errors.Join(srv.Shutdown(context.Background()), other.Shutdown(context.Background())))
		})
		ask := func(ctx context.Context) int {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			count, err := srv.Namespace("/chat").Cluster().CountRoom(ctx, "room")
			var partial *socketio.ClusterError
			if errors.As(err, &partial) {
				log.Printf("at least %d, without those on %v: %v", count, partial.Missing, partial.Err)
			}
			return count
		}

		for _, s := range []*socketio.Server{srv, other} {
			s.Namespace("/chat").On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
			socketiotest.Connect(t, s, &socketiotest.Options{Namespace: "/chat"}).Call("join", "room")
		}
		assert.Equal(t, 2, ask(t.Context()))
		assert.NotContains(t, buf.String(), "at least")
		service.Stop()
		assert.Equal(t, 1, ask(t.Context()))
		assert.Contains(t, buf.String(), "at least 1, without those on")
	})
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, mux := new(brokertest.Memory), http.NewServeMux()
		srv := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: service.Connect()}, Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(func() { assert.NoError(t, srv.Shutdown(context.Background())) })
		mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
			if s := srv.BrokerStatus(); !s.Connected && time.Since(s.Since) > time.Minute {
				http.Error(w, fmt.Sprint("no broker: ", s.Err), http.StatusServiceUnavailable)
			}
		})

		time.Sleep(time.Hour)
		assert.Equal(t, http.StatusOK, request(mux, "GET", "/health").Code)
		service.Stop()
		time.Sleep(time.Second)
		assert.Equal(t, http.StatusOK, request(mux, "GET", "/health").Code)
		time.Sleep(time.Minute)
		answer := request(mux, "GET", "/health")
		assert.Equal(t, http.StatusServiceUnavailable, answer.Code)
		assert.Contains(t, answer.Body.String(), "no broker: ")
	})
}
