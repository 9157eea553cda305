// Command auth-jwt is a server whose clients log in with a JSON Web Token. It shows
// where the server verifies the token, what happens when the token expires while the
// client is connected, how the client renews it without connecting again, and how the
// token decides which events the client may send.
//
//	go run ./examples/auth-jwt
//
// Open http://127.0.0.1:5000. Log in as ann, who may write, or as bob, who may only
// read. Tokens are valid for half a minute, so that you see them expire; -life changes
// that. -addr changes the address. Ctrl-C stops the server.
//
// tokens.go issues and verifies tokens, as an identity provider would. sockets.go is
// what an app has to do.
package main

import (
	"context"
	"crypto/rand"
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
	life := flag.Duration("life", 30*time.Second, "how long tokens are valid")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, *addr, *life); err != nil {
		fmt.Fprintln(os.Stderr, "auth-jwt:", err)
		os.Exit(1)
	}
}

// run serves the example until ctx is done.
func run(ctx context.Context, addr string, life time.Duration) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w\nchoose another address with -addr, for example -addr 127.0.0.1:5001", err)
	}
	key := make([]byte, 32) // of one run; where several servers verify, they share it, or a public key
	_, _ = rand.Read(key)   // never fails
	a := newApp(&tokens{key: key, life: life})
	web := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	fmt.Printf("Tokens on http://%s (Ctrl-C stops it)\n", listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	timeout, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(a.srv.Shutdown(timeout), web.Shutdown(timeout)) // in this order
}
