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

// command runs the command with its arguments.
func command(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	b, err := o.bench()
	if err != nil {
		return err
	}
	_ = peer.RaiseDescriptors(0) // large scenarios say what fails
	if err := b.run(ctx); err != nil {
		return err
	}
	return o.write(b)
}

// options are the flags of the command line.
type options struct {
	servers, scenarios    string
	quick                 bool
	rounds                int
	measure, warmup       time.Duration
	serverCPU, loadCPU    int
	profile, plot, output string
}

func parse(args []string) (*options, error) {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	var o options
	flags.StringVar(&o.servers, "servers", "", "which `servers`, separated by commas: bare, bare-queue, ours, npm, zishang, flask (default: these; with -quick the first three), ours-recovery, ours-jsonv2, ours-sonic, ours-go-json")
	flags.StringVar(&o.scenarios, "scenarios", "", "which `scenarios`, separated by commas, a size after @ (default: all, but for those of several servers: cross, elsewhere): "+strings.Join(loadgen.Names(), ", "))
	flags.BoolVar(&o.quick, "quick", false, "one short round of ours and the bare servers: under three minutes")
	flags.IntVar(&o.rounds, "rounds", 0, "how often to measure each server (default 5; with -quick 1)")
	flags.DurationVar(&o.measure, "measure", 0, "how long to measure each time (default 2s; with -quick 1s)")
	flags.DurationVar(&o.warmup, "warmup", 0, "how long to apply the load before (default 1s; with -quick 300ms)")
	flags.IntVar(&o.serverCPU, "server-cpu", -1, "the `core` for the server (default: the last)")
	flags.IntVar(&o.loadCPU, "load-cpu", -1, "the `core` for the load generator (default: the first)")
	flags.StringVar(&o.profile, "profile", "", "write CPU profiles of the Go servers into this `folder`, one for each scenario and round; slows them a little")
	flags.StringVar(&o.plot, "plot", "", "draw the cost over the sizes of the scenarios, such as echo@100,echo@1000, into `name`.svg, and write it to name.csv")
	flags.StringVar(&o.output, "o", "", "write the tables to this `file` (default: standard output)")
	_ = flags.Parse(args) // it exits on errors
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.quick && o.servers == "" {
		o.servers = "bare,bare-queue,ours"
	}
	return &o, nil
}

// bench returns what the options choose.
func (o *options) bench() (*bench, error) {
	b := &bench{rounds: o.rounds, measure: o.measure, warmup: o.warmup, logf: log.Printf}
	defaults(b, o.quick)
	var err error
	if b.scenarios, err = loadgen.Select(o.scenarios, o.quick); err != nil {
		return nil, err
	}
	if b.servers, err = peer.Choose(o.servers); err != nil {
		return nil, err
	}
	if o.plot != "" {
		if err := b.plottable(); err != nil {
			return nil, err
		}
	}
	if err := b.cores(o.serverCPU, o.loadCPU); err != nil {
		return nil, err
	}
	if o.profile == "" {
		return b, nil
	}
	if b.profile, err = filepath.Abs(o.profile); err != nil {
		return nil, err
	}
	return b, os.MkdirAll(b.profile, 0o755)
}

// write writes what was measured. The error counts failed measurements.
func (o *options) write(b *bench) error {
	out := io.Writer(os.Stdout)
	if o.output != "" {
		f, err := os.Create(o.output)
		if err != nil {
			return err
		}
		defer f.Close()
		out = f
	}
	if _, err := io.WriteString(out, b.report(time.Now())); err != nil {
		return err
	}
	if o.plot != "" {
		if err := b.writePlot(o.plot); err != nil {
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
