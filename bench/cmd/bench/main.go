// Command bench measures the servers side by side and prints tables in Markdown.
// See package bench for what it does, and -help for how to choose.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/seed-d124fa34/socketio/bench/internal/peer"
	"github.com/seed-d124fa34/socketio/bench/loadgen"
)

func main() {
	log.SetFlags(log.Ltime)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil {
		stop()
		log.Fatal(err)
	}
}

// command runs the command with its arguments, whose list makes it long.
func command(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	var (
		servers   = flags.String("servers", "", "which `servers`, separated by commas: bare, bare-queue, ours, npm, zishang, flask (default: these; with -quick the first three), ours-recovery, ours-jsonv2, ours-sonic, ours-go-json")
		scenarios = flags.String("scenarios", "", "which `scenarios`, separated by commas, a size after @ (default: all, but for those of several servers: cross, elsewhere): "+strings.Join(loadgen.Names(), ", "))
		quick     = flags.Bool("quick", false, "one short round of ours and the bare servers: under three minutes")
		rounds    = flags.Int("rounds", 0, "how often to measure each server (default 5; with -quick 1)")
		measure   = flags.Duration("measure", 0, "how long to measure each time (default 2s; with -quick 1s)")
		warmup    = flags.Duration("warmup", 0, "how long to apply the load before (default 1s; with -quick 300ms)")
		serverCPU = flags.Int("server-cpu", -1, "the `core` for the server (default: the last)")
		loadCPU   = flags.Int("load-cpu", -1, "the `core` for the load generator (default: the first)")
		profile   = flags.String("profile", "", "write CPU profiles of the Go servers into this `folder`, one for each scenario and round; slows them a little")
		plotTo    = flags.String("plot", "", "draw the cost over the sizes of the scenarios, such as echo@100,echo@1000, into `name`.svg, and write it to name.csv")
		output    = flags.String("o", "", "write the tables to this `file` (default: standard output)")
	)
	_ = flags.Parse(args) // it exits on errors
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *quick && *servers == "" {
		*servers = "bare,bare-queue,ours"
	}
	b := bench{
		rounds:  *rounds,
		measure: *measure,
		warmup:  *warmup,
		profile: *profile,
		logf:    log.Printf,
	}
	defaults(&b, *quick)
	var err error
	if b.scenarios, err = loadgen.Select(*scenarios, *quick); err != nil {
		return err
	}
	if b.servers, err = peer.Choose(*servers); err != nil {
		return err
	}
	if *plotTo != "" {
		if err := b.plottable(); err != nil {
			return err
		}
	}
	if err := b.cores(*serverCPU, *loadCPU); err != nil {
		return err
	}
	if *profile != "" {
		if b.profile, err = filepath.Abs(*profile); err != nil {
			return err
		}
		if err := os.MkdirAll(b.profile, 0o755); err != nil {
			return err
		}
	}
	_ = peer.RaiseDescriptors(0) // large scenarios say what fails

	if err := b.run(ctx); err != nil {
		return err
	}
	out := io.Writer(os.Stdout)
	if *output != "" {
		f, err := os.Create(*output)
		if err != nil {
			return err
		}
		defer f.Close()
		out = f
	}
	if _, err := io.WriteString(out, b.report(time.Now())); err != nil {
		return err
	}
	if *plotTo != "" {
		if err := b.writePlot(*plotTo); err != nil {
			return err
		}
	}
	if n := b.failed(); n > 0 {
		return fmt.Errorf("%d measurements failed", n)
	}
	return nil
}

func defaults(b *bench, quick bool) {
	rounds, measure, warmup := 5, 2*time.Second, time.Second
	if quick {
		rounds, measure, warmup = 1, time.Second, 300*time.Millisecond
	}
	if b.rounds <= 0 {
		b.rounds = rounds
	}
	if b.measure <= 0 {
		b.measure = measure
	}
	if b.warmup <= 0 {
		b.warmup = warmup
	}
}
