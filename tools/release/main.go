// Command release makes releases of this repository, and shows what they change.
//
//	go run ./tools/release [-n] [-checks command] v0.1.0
//
// makes two commits and the tags of all modules in the current branch: docs/releasing.md.
// With -n it only says what it would do. It pushes nothing.
//
//	go run ./tools/release api
//
// lists the changes of the exported API since the last release.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, ".", os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run does what the command line says in the repository around dir.
func run(ctx context.Context, dir string, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	dry := flags.Bool("n", false, "dry run: say what would be done, change nothing")
	checks := flags.String("checks", ".ci/run", "`command` that has to succeed before anything is tagged; empty: none")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("say one version, such as v0.1.0, or api")
	}
	top, err := git{dir}.run(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	if flags.Arg(0) == "api" {
		last, changes, err := apiChanges(ctx, git{top})
		if err != nil {
			return err
		}
		printAPI(out, last, changes)
		return nil
	}
	r := &release{repo: git{top}, version: flags.Arg(0), checks: *checks, out: out}
	return r.run(ctx, *dry)
}
