// Command dashboard is a live dashboard of a shop. A worker process, to which no client is
// connected, measures the shop (this one makes the figures up). It keeps the last figures in
// Redis, and emits new ones with a [socketio.Emitter]. One or more web servers serve the pages.
//
//	redis-server                            # if none is running
//	go run ./examples/dashboard web         # http://127.0.0.1:5000
//	go run ./examples/dashboard worker      # in another terminal
//
// With Options.Recovery, a page that loses the network for a moment gets the figures that it
// missed. -redis says where Redis is, -addr where the web server listens, and -every how
// often the worker measures; flags come before "web" and "worker". Ctrl-C stops each process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokers/redis"
)

func main() {
	url := flag.String("redis", "redis://127.0.0.1:6379", "`URL` of Redis")
	addr := flag.String("addr", "127.0.0.1:5000", "`host:port` on which web listens; port 0 takes a free one")
	every := flag.Duration("every", time.Second, "how often the worker measures")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, flag.Arg(0), *url, *addr, *every); err != nil {
		log.Fatal("dashboard: ", err)
	}
}

// run is one of the processes, until ctx is done.
func run(ctx context.Context, role, url, addr string, every time.Duration) error {
	broker, err := redis.New(url)
	if err != nil {
		return err
	}
	defer broker.Close()
	options, err := goredis.ParseURL(url)
	if err != nil {
		return err
	}
	options.ContextTimeoutEnabled = true
	client := goredis.NewClient(options)
	defer client.Close()
	switch role {
	case "web":
		return serve(ctx, addr, broker, redisStore{client})
	case "worker":
		return work(ctx, every, broker, redisStore{client})
	}
	return fmt.Errorf("say which process to start: dashboard [flags] web|worker")
}

// serve is the web server.
func serve(ctx context.Context, addr string, broker socketio.Broker, kept store) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w\nchoose another address with -addr, for example -addr 127.0.0.1:5001", err)
	}
	srv := newServer(broker, kept)
	web := &http.Server{Handler: newHandler(srv), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = web.Serve(listener) }() // until Shutdown
	fmt.Printf("Dashboard on http://%s (Ctrl-C stops it)\n", listener.Addr())

	<-ctx.Done()
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(srv.Shutdown(end), web.Shutdown(end)) // in this order
}
