// Command worker is an app whose slow work is done by other processes. The web server
// takes jobs and puts them on a list in Redis. One or more workers take the jobs from
// the list. No client is connected to a worker; it uses a [socketio.Emitter] to show its
// progress to the user who asked, in every tab and on every device where that user has
// the page open.
//
//	redis-server                                  # if none is running
//	go run ./examples/worker web                  # http://127.0.0.1:5000
//	go run ./examples/worker worker               # in another terminal
//	go run ./examples/worker -name second worker  # in a third one
//
// -redis says where Redis is, -addr where the web server listens, and -name which worker
// this is; flags come before "web" and "worker". A worker that is started again under
// its name first does the job that it had not finished. Ctrl-C stops each process.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	goredis "github.com/redis/go-redis/v9"
	"github.com/seed-d124fa34/socketio/brokers/redis"
)

func main() {
	url := flag.String("redis", "redis://127.0.0.1:6379", "`URL` of Redis")
	addr := flag.String("addr", "127.0.0.1:5000", "`host:port` on which web listens; port 0 takes a free one")
	name := flag.String("name", "first", "which worker this is")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: worker [flags] web|worker")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, flag.Arg(0), *url, *addr, *name); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

// run is one of the processes, until ctx is done.
func run(ctx context.Context, role, url, addr, name string) error {
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
	list := &jobList{client: client}
	switch role {
	case "web":
		return serve(ctx, addr, broker, list)
	case "worker":
		return work(ctx, name, broker, list, slog.Default())
	}
	return fmt.Errorf("%q is neither web nor worker", role)
}
