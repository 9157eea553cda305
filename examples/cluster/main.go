// Command cluster is a chat on two servers, which Redis connects. In front of them is
// nginx, which keeps each client on one server.
//
//	go run ./examples/cluster
//
// It starts all of them, and Ctrl-C ends them. It needs the programs redis-server and
// nginx. Open http://127.0.0.1:8080 in several windows; add ?transport=polling or
// ?transport=websocket to choose a transport. The flag -addr says where nginx listens.
// -sticky says how nginx keeps clients on their server: "cookie", "ip", or "none" if it
// does not. -print prints the configuration of nginx and ends.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` on which nginx listens; port 0 takes a free one")
	sticky := flag.String("sticky", "cookie", "what nginx knows clients by: cookie, ip or none")
	show := flag.Bool("print", false, "print the configuration of nginx and end")
	node := flag.String("node", "", "run one server of this `name` only, on the Redis of -redis")
	url := flag.String("redis", "", "`URL` of Redis, with -node")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *show:
		var text string
		if text, err = nginxConfig(*addr, *sticky, map[string]string{"one": "127.0.0.1:5000", "two": "127.0.0.1:5001"}); err == nil {
			fmt.Print(text)
		}
	case *node != "":
		err = runNode(ctx, *node, *url)
	default:
		err = runCluster(ctx, *addr, *sticky)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// runCluster starts all programs, and ends them when the context ends or one of the
// programs has ended. The function is long, so that a reader sees all steps in their order.
func runCluster(signalled context.Context, addr, sticky string) error {
	if err := installed("redis-server", "nginx"); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "cluster")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // for the user that nginx becomes if root starts it
		return err
	}
	ctx, failed := context.WithCancelCause(signalled)
	defer failed(nil)
	parts := &parts{failed: failed}
	defer parts.stop()

	port, err := freePort("127.0.0.1:0")
	if err != nil {
		return err
	}
	redis := "127.0.0.1:" + port
	if err := parts.start("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", dir); err != nil {
		return err
	}
	if err := accepts(ctx, redis); err != nil {
		return err
	}
	nodes := make(map[string]string)
	for _, name := range []string{"one", "two"} {
		if nodes[name], err = parts.startNode(ctx, self, name, "redis://"+redis); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "server %s on http://%s\n", name, nodes[name])
	}
	if host, given, ok := strings.Cut(addr, ":"); ok && given == "0" {
		if port, err = freePort(addr); err != nil {
			return err
		}
		addr = host + ":" + port
	}
	config, err := nginxConfig(addr, sticky, nodes)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return err
	}
	if err := parts.start("nginx", "-p", dir, "-c", file, "-e", "stderr"); err != nil {
		return err
	}
	if err := accepts(ctx, addr); err != nil {
		return err
	}
	fmt.Printf("Chat on http://%s (Ctrl-C stops everything)\n", addr)
	<-ctx.Done()
	if signalled.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// installed says which programs are missing.
func installed(programs ...string) error {
	var missing []string
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("install %s first (apt-get install redis-server nginx, brew install redis nginx)", strings.Join(missing, " and "))
	}
	return nil
}
