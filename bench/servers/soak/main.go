// Command soak is the server of the soak (see package soak): the server of this
// repository with handlers that check what clients send.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/bench/internal/control"
)

func main() {
	var opts socketio.Options
	flag.DurationVar(&opts.PingInterval, "ping-interval", 0, "Options.PingInterval")
	flag.DurationVar(&opts.PingTimeout, "ping-timeout", 0, "Options.PingTimeout")
	window := flag.Duration("window", 0, "turn recovery on, with this Options.Recovery.Window")
	rooms := flag.Int("rooms", 0, "how many `rooms` clients use in a namespace")
	settle := flag.Duration("settle", 5*time.Second, "how long to wait for callbacks before a socket that ended is reported")
	sabotage := flag.String("sabotage", "", "break this `promise` now and then, see sabotage.go")
	flag.Parse()

	b := newBook()
	b.settle = *settle
	if err := b.breakPromise(*sabotage); err != nil {
		log.Fatal(err)
	}
	opts.Logger = slog.New(b.logHandler())
	if *window > 0 {
		opts.Recovery = &socketio.Recovery{Window: *window}
	}
	srv := socketio.NewServer(&opts)
	b.register(srv)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(ln, srv)) }()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go b.keepTime(ctx)
	go b.feed(ctx, srv, feedPace)
	err = control.Serve(os.Stdin, os.Stdout, "this repository", ln.Addr().String(), map[string]control.Command{
		"status": func() (string, error) { return encode(b.status(srv)) },
		"ended":  func() (string, error) { return encode(b.takeEnded()) },
		"index":  func() (string, error) { return encode(index(srv, *rooms)) },
	})
	if err != nil {
		log.Fatal(err)
	}
}

func encode(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}
