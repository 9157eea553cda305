// Command team is the app of docs/tutorial.md: users log in with a session cookie and talk in rooms.
// It runs as one server, or as several on a Redis, where nobody loses a message when one of them is killed.
//
//	go run ./examples/team                                                     # http://127.0.0.1:5000
//	go run ./examples/team -addr 127.0.0.1:5001 -redis redis://127.0.0.1:6379  # one of several
//
// The servers of one fleet need the same SESSION_KEY in their environment, a long random text. A
// server on its own chooses a key itself. Ctrl-C stops a server.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokers/redis"
)

//go:embed index.html
var page string

type message struct {
	From string `json:"from"`
	Text string `json:"text"`
}

// newServer is the app. Nothing in its handlers knows how many servers there are.
func newServer(cluster socketio.ClusterOptions) *socketio.Server {
	srv := socketio.NewServer(&socketio.Options{
		Recovery: &socketio.Recovery{Window: 2 * time.Minute},
		Cluster:  cluster,
	})
	srv.On("connect", func(c *socketio.Context) error {
		user := userOf(c.Context())
		if user == "" {
			return &socketio.Error{Message: "log in first"}
		}
		if c.Recovered() && c.Session().Get("user") != user {
			return &socketio.Error{Message: "somebody else has logged in: reload the page"}
		}
		c.Session().Set("user", user)
		return nil
	})
	srv.On("join", func(c *socketio.Context, room string) error {
		return c.Join("room:" + room) // decide here who may join
	})
	srv.On("say", func(c *socketio.Context, room, text string) error {
		if !c.InRoom("room:" + room) {
			return &socketio.Error{Message: "join the room first"}
		}
		return c.Emit("said", message{userOf(c.Context()), text}, socketio.To("room:"+room))
	})
	return srv
}

// newHandler is the site: the page, the login and the server.
func newHandler(srv *socketio.Server, users accounts) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) })
	sameSite := http.NewCrossOriginProtection() // no other site may log a user in
	mux.Handle("POST /login", sameSite.Handler(http.HandlerFunc(users.login)))
	mux.Handle("/socket.io/", users.identify(srv))
	return mux
}

func run(ctx context.Context, addr, url, key string) error {
	var cluster socketio.ClusterOptions
	if url != "" {
		if key == "" {
			return errors.New("set SESSION_KEY, to the same long random text for all servers: each of them checks the cookies of all")
		}
		broker, err := redis.NewHistory(url, nil)
		if err != nil {
			return err
		}
		defer broker.Close()
		cluster.Broker = broker
		cluster.PeerURL = "http://" + addr // where the other servers reach this one
	}
	srv := newServer(cluster)
	users := accounts{[]byte(cmp.Or(key, rand.Text()))} // with a random key, a restart logs everybody out
	web := &http.Server{Handler: newHandler(srv, users), ReadHeaderTimeout: 10 * time.Second}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return errors.Join(fmt.Errorf("%w: choose another address with -addr, for example -addr 127.0.0.1:5001", err), srv.Close())
	}
	fmt.Printf("Team on http://%s\n", listener.Addr())
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(err, srv.Shutdown(end), web.Shutdown(end)) // in this order
}

func main() {
	addr := flag.String("addr", "127.0.0.1:5000", "`host:port` to listen on")
	url := flag.String("redis", "", "`URL` of the Redis that connects several servers; none: there is one server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *url, os.Getenv("SESSION_KEY")); err != nil {
		log.Fatal("team: ", err)
	}
}
