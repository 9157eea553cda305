// Command soak runs thousands of mixed clients against the server for a long time, and checks
// that the server does what it promises; see package soak.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/seed-d124fa34/socketio/bench/internal/peer"
	"github.com/seed-d124fa34/socketio/bench/soak"
)

func main() {
	log.SetFlags(log.Ltime)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil {
		stop()
		log.Fatal(err)
	}
}

// command runs the command with its arguments. Violations are an error.
func command(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if err := peer.RaiseDescriptors(o.Clients); err != nil {
		return err
	}
	p, err := o.start(ctx)
	if err != nil {
		return err
	}
	defer p.Stop()
	o.Server = p
	report, err := soak.Run(ctx, o.Config)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(out, report.Markdown); err != nil {
		return err
	}
	if o.output != "" {
		if err := os.WriteFile(o.output, []byte(report.Markdown), 0o644); err != nil {
			return err
		}
	}
	if report.Violations > 0 {
		return fmt.Errorf("%d violations", report.Violations)
	}
	return nil
}

// options are the flags of the command line: what the soak does, and which server it is for.
type options struct {
	soak.Config
	interval, timeout        time.Duration
	sabotage, binary, output string
	race                     bool
}

func parse(args []string) (*options, error) {
	flags := flag.NewFlagSet("soak", flag.ExitOnError)
	o := &options{Config: soak.Config{Logf: log.Printf}}
	flags.IntVar(&o.Clients, "clients", 10_000, "how many `clients`")
	flags.DurationVar(&o.For, "for", 30*time.Minute, "how long, once all clients are there")
	flags.Float64Var(&o.Rate, "rate", 0, "`events` a second that the clients send, all together (default: a tenth of -clients)")
	flags.Uint64Var(&o.Seed, "seed", 1, "of the `schedule`: who does what")
	flags.DurationVar(&o.Cycle, "cycle", time.Minute, "the `time` between two audits of rooms and memory")
	flags.DurationVar(&o.Progress, "progress", 10*time.Second, "the `time` between two lines of progress")
	flags.Float64Var(&o.Haste, "haste", 1, "`factor` for the time that clients stay, less than 1 for short runs")
	flags.DurationVar(&o.Window, "window", 20*time.Second, "with -recovery, the server's Recovery.Window")
	flags.IntVar(&o.Rooms, "rooms", 0, "how many `rooms` in a namespace (default: about twenty clients in each)")
	flags.DurationVar(&o.Settle, "settle", 5*time.Second, "how long the server waits for callbacks before it reports a socket that left")
	flags.BoolVar(&o.Recovery, "recovery", false, "have the clients lose their connections everywhere, and come back: with connection state recovery they must not miss anything")
	flags.DurationVar(&o.interval, "ping-interval", 25*time.Second, "the server's PingInterval")
	flags.DurationVar(&o.timeout, "ping-timeout", 20*time.Second, "the server's PingTimeout")
	flags.StringVar(&o.sabotage, "sabotage", "", "have the server break this `promise` now and then, to see that it is found: "+
		"once, delivery, order, rooms, privacy, leaving, payload, acks, memory")
	flags.BoolVar(&o.race, "race", false, "build the server with the race detector")
	flags.StringVar(&o.binary, "server", "", "start this `file`, which has been built from servers/soak, instead of building it")
	flags.StringVar(&o.output, "o", "", "write the report to this `file` too")
	_ = flags.Parse(args) // it exits on errors
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.Rooms == 0 {
		o.Rooms = soak.RoomsFor(o.Clients)
	}
	o.Silence = o.interval + o.timeout
	if !o.Recovery {
		o.Window = 0
	}
	return o, nil
}

// start builds the server, if it has to, and starts it.
func (o *options) start(ctx context.Context) (*peer.Process, error) {
	bin, err := os.MkdirTemp("", "socketio-soak-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(bin)
	s := peer.Soak(o.binary, o.race, "-window", o.Window.String(), "-rooms", strconv.Itoa(o.Rooms),
		"-ping-interval", o.interval.String(), "-ping-timeout", o.timeout.String(), "-settle", o.Settle.String(), "-sabotage", o.sabotage)
	if err := s.Prepare(ctx, bin); err != nil {
		return nil, err
	}
	return s.Start(ctx, -1, "", "")
}
