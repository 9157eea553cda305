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
	flags := flag.NewFlagSet("recovery", flag.ExitOnError)
	var config recovery.Config
	flags.IntVar(&config.Clients, "clients", 200, "how many `clients`")
	flags.StringVar(&config.Broker, "broker", recovery.Redis, "the `broker` of several servers, redis or nats")
	flags.BoolVar(&config.Short, "short", false, "a third of the time")
	flags.StringVar(&config.NodeDir, "node", "node", "the `folder` of the scripts")
	var (
		servers = flags.String("servers", strings.Join([]string{recovery.NPM, recovery.NPMStreams, recovery.Ours}, ","), "which `servers`, separated by commas")
		only    = flags.String("run", "", "only the scenarios that this `expression` matches")
		every   = flags.Bool("every-transport", false, "clients over polling and upgrades beside those over WebSocket, also where the scenario does not ask for it")
		times   = flags.Int("times", 1, "how `often` each scenario is played")
		trace   = flags.String("trace", "", "write all that servers and clients tell to this `file`")
		output  = flags.String("o", "", "write the table to this `file` (default: standard output)")
	)
	_ = flags.Parse(args) // it exits on errors
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	matches, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	config.Transports = recovery.LikeReports
	if *every {
		config.Transports = recovery.EveryTransport
	}
	if *trace != "" {
		f, err := os.Create(*trace)
		if err != nil {
			return err
		}
		defer f.Close()
		config.Trace = f
	}
	var table recovery.Table
	for _, sc := range recovery.Scenarios() {
		if !matches.MatchString(sc.Name) {
			continue
		}
		for _, server := range strings.Split(*servers, ",") {
			if !sc.Fits(server, config.Broker) {
				continue
			}
			config.Server = server
			for range *times {
				v, err := recovery.Run(ctx, config, sc)
				if err != nil && ctx.Err() == nil {
					log.Println(err)
				} else if err != nil {
					return err
				} else {
					log.Printf("%s, %s: %v", sc.Name, server, v)
				}
				table.Add(sc, server, v, err)
			}
		}
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
	if _, err := io.WriteString(out, table.Markdown()); err != nil {
		return err
	}
	if n := table.Bad(recovery.Ours); n > 0 {
		return fmt.Errorf("ours failed in %d scenarios", n)
	}
	return nil
}
