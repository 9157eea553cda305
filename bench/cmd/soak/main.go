// Command soak holds thousands of mixed clients against the server for a long
// time and checks that it does all it promises; see package soak.
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

// command runs the command with its arguments, whose list makes it long. Violations
// are an error.
func command(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("soak", flag.ExitOnError)
	cfg := soak.Config{Logf: log.Printf}
	flags.IntVar(&cfg.Clients, "clients", 10_000, "how many `clients`")
	flags.DurationVar(&cfg.For, "for", 30*time.Minute, "how long, once all clients are there")
	flags.Float64Var(&cfg.Rate, "rate", 0, "`events` a second that the clients send, all together (default: a tenth of -clients)")
	flags.Uint64Var(&cfg.Seed, "seed", 1, "of the `schedule`: who does what")
	flags.DurationVar(&cfg.Cycle, "cycle", time.Minute, "the `time` between two audits of rooms and memory")
	flags.DurationVar(&cfg.Progress, "progress", 10*time.Second, "the `time` between two lines of progress")
	flags.Float64Var(&cfg.Haste, "haste", 1, "`factor` for the time that clients stay, less than 1 for short runs")
	flags.DurationVar(&cfg.Window, "window", 20*time.Second, "with -recovery, the server's Recovery.Window")
	flags.IntVar(&cfg.Rooms, "rooms", 0, "how many `rooms` in a namespace (default: about twenty clients in each)")
	var (
		interval = flags.Duration("ping-interval", 25*time.Second, "the server's PingInterval")
		timeout  = flags.Duration("ping-timeout", 20*time.Second, "the server's PingTimeout")
		settle   = flags.Duration("settle", 5*time.Second, "how long the server waits for callbacks before it reports a socket that left")
		sabotage = flags.String("sabotage", "", "have the server break this `promise` now and then, to see that it is found: "+
			"once, delivery, order, rooms, privacy, leaving, payload, acks, memory")
		recovery = flags.Bool("recovery", false, "have the clients lose their connections everywhere, and come back: with connection state recovery they must not miss anything")
		race     = flags.Bool("race", false, "build the server with the race detector")
		server   = flags.String("server", "", "start this `file`, which has been built from servers/soak, instead of building it")
		output   = flags.String("o", "", "write the report to this `file` too")
	)
	_ = flags.Parse(args) // it exits on errors
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if cfg.Rooms == 0 {
		cfg.Rooms = soak.RoomsFor(cfg.Clients)
	}
	cfg.Silence, cfg.Settle = *interval+*timeout, *settle
	if err := peer.RaiseDescriptors(cfg.Clients); err != nil {
		return err
	}
	bin, err := os.MkdirTemp("", "socketio-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	if cfg.Recovery = *recovery; !cfg.Recovery {
		cfg.Window = 0
	}
	s := peer.Soak(*server, *race, "-window", cfg.Window.String(), "-rooms", strconv.Itoa(cfg.Rooms), "-ping-interval", interval.String(), "-ping-timeout", timeout.String(),
		"-settle", settle.String(), "-sabotage", *sabotage)
	if err := s.Prepare(ctx, bin); err != nil {
		return err
	}
	p, err := s.Start(ctx, -1, "", "")
	if err != nil {
		return err
	}
	defer p.Stop()
	cfg.Server = p
	report, err := soak.Run(ctx, cfg)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(out, report.Markdown); err != nil {
		return err
	}
	if *output != "" {
		if err := os.WriteFile(*output, []byte(report.Markdown), 0o644); err != nil {
			return err
		}
	}
	if report.Violations > 0 {
		return fmt.Errorf("%d violations", report.Violations)
	}
	return nil
}
