// Command chat is a small but complete chat site: accounts with passwords,
// rooms, direct messages, who is online, who is typing, and a history that
// outlives the server.
//
//	go run ./examples/chat
//
// Open http://127.0.0.1:5000 and sign up. Then open it in a private window, and sign
// up as somebody else. The file chat.db in the present directory (-db names another
// one) keeps accounts, logins, rooms and messages over a restart. Remove the file to
// begin again. -addr changes the address. Ctrl-C stops the server.
//
// Where to look:
//
//	app.go         how the parts fit together, and every limit
//	accounts.go    sign up, log in, log out: plain forms and a cookie
//	sockets.go     whose socket it is, which is checked for every event
//	rooms.go       joining and leaving, and who is online
//	messages.go    messages, who is typing, history, and what a client has missed
//	store*.go      the database, https://github.com/etcd-io/bbolt: one file, no server
//	static/        the pages
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:5000", "`host:port` to listen on; port 0 takes a free one")
	var cfg config
	flag.StringVar(&cfg.db, "db", "chat.db", "the database `file`")
	flag.StringVar(&cfg.clientDir, "client-dir", "", "`directory` of "+clientFile+"; by default where npm ci in examples/app "+
		"put it, and the official CDN if it is not there")
	flag.BoolVar(&cfg.behindProxy, "behind-proxy", false, "it is reached over HTTPS, through a proxy that sets "+
		"X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-For")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, *addr, cfg); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// run serves the chat until ctx is done.
func run(ctx context.Context, addr string, cfg config) (err error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w\nchoose another address with -addr, for example -addr 127.0.0.1:5001", err)
	}
	defer listener.Close()
	a, err := newApp(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.store.close()) }()
	web := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	fmt.Printf("Chat on http://%s (Ctrl-C stops it)\n", listener.Addr())

	sweep := time.NewTicker(time.Hour)
	defer sweep.Stop()
	for {
		select {
		case err := <-failed:
			return err
		case <-sweep.C:
			if err := a.store.sweepSessions(); err != nil {
				return err
			}
			continue
		case <-ctx.Done():
		}
		timeout, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		// In this order: the second one waits for polls, which the first one ends.
		return errors.Join(a.srv.Shutdown(timeout), web.Shutdown(timeout))
	}
}
