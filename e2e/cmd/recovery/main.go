// Command recovery plays the scenarios of package recovery with several kinds of
// servers and prints a table in Markdown. Run it in e2e, after npm ci in e2e/node.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/seed-d124fa34/socketio/e2e/recovery"
)

func main() {
	log.SetFlags(log.Ltime)
	if recovery.IsProgram() {
		if err := recovery.Program(); err != nil {
			log.Fatal(err)
		}
		return
	}
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
	if o.trace != "" {
		f, err := os.Create(o.trace)
		if err != nil {
			return err
		}
		defer f.Close()
		o.Trace = f
	}
	table, err := o.play(ctx)
	if err != nil {
		return err
	}
	out := io.Writer(os.Stdout)
	if o.output != "" {
		f, err := os.Create(o.output)
		if err != nil {
			return err
		}
		defer f.Close()
		out = f
	}
	if _, err := io.WriteString(out, table.Markdown()); err != nil {
		return err
	}
	if n := table.Bad(recovery.Ours); n > 0 {
		return fmt.Errorf("ours failed in %d scenarios", n)
	}
	return nil
}

// options are the flags of the command line.
type options struct {
	recovery.Config
	servers       []string
	only          *regexp.Regexp
	times         int
	trace, output string
}

func parse(args []string) (*options, error) {
	flags := flag.NewFlagSet("recovery", flag.ExitOnError)
	var o options
	flags.IntVar(&o.Clients, "clients", 200, "how many `clients`")
	flags.StringVar(&o.Broker, "broker", recovery.Redis, "the `broker` of several servers, redis or nats")
	flags.BoolVar(&o.Short, "short", false, "a third of the time")
	flags.StringVar(&o.NodeDir, "node", "node", "the `folder` of the scripts")
	flags.IntVar(&o.times, "times", 1, "how `often` each scenario is played")
	flags.StringVar(&o.trace, "trace", "", "write all that servers and clients report to this `file`")
	flags.StringVar(&o.output, "o", "", "write the table to this `file` (default: standard output)")
	servers := flags.String("servers", strings.Join([]string{recovery.NPM, recovery.NPMStreams, recovery.Ours}, ","), "which `servers`, separated by commas")
	only := flags.String("run", "", "only the scenarios that this `expression` matches")
	every := flags.Bool("every-transport", false, "clients over polling and upgrades beside those over WebSocket, also where the scenario does not ask for it")
	_ = flags.Parse(args) // it exits on errors
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	o.servers, o.Transports = strings.Split(*servers, ","), recovery.LikeReports
	if *every {
		o.Transports = recovery.EveryTransport
	}
	var err error
	o.only, err = regexp.Compile(*only)
	return &o, err
}

// play plays the chosen scenarios with each server. The error is that of ctx: a scenario that fails is in the
// table.
func (o *options) play(ctx context.Context) (*recovery.Table, error) {
	table := new(recovery.Table)
	for _, sc := range recovery.Scenarios() {
		if !o.only.MatchString(sc.Name) {
			continue
		}
		for _, server := range o.servers {
			if !sc.Fits(server, o.Broker) {
				continue
			}
			o.Server = server
			for range o.times {
				v, err := recovery.Run(ctx, o.Config, sc)
				switch {
				case err == nil:
					log.Printf("%s, %s: %v", sc.Name, server, v)
				case ctx.Err() != nil:
					return nil, err
				default:
					log.Println(err)
				}
				table.Add(sc, server, v, err)
			}
		}
	}
	return table, nil
}
