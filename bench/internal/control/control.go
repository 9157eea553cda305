// Package control is the servers' end of how the runner talks to them: lines on
// standard input and output.
//
// A server first prints "version TEXT" and "listening ADDRESS". It answers each
// command with "ok", or "ok TEXT" where there is something to say, or with
// "error TEXT":
//
//	gc             collect garbage and give the memory back
//	profile FILE   begin a CPU profile
//	stop           end and write it
//
// and those of its own.
//
// At the end of its input it exits, so that it cannot outlive the runner.
package control

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"strings"
)

// Command is a command of one server's own. What it returns is the answer's text, on one line.
type Command func() (string, error)

// Serve announces the server and obeys commands, those of own among them, until
// the end of r. The caller exits then.
func Serve(r io.Reader, w io.Writer, version, addr string, own map[string]Command) error {
	fmt.Fprintf(w, "version %s\nlistening %s\n", version, addr)
	var profile *os.File
	for lines := bufio.NewScanner(r); ; {
		if !lines.Scan() {
			return lines.Err()
		}
		answer, err := "", error(nil)
		if f := own[lines.Text()]; f != nil {
			answer, err = f()
		} else {
			err = obey(lines.Text(), &profile)
		}
		switch {
		case err != nil:
			fmt.Fprintf(w, "error %v\n", err)
		case answer != "":
			fmt.Fprintln(w, "ok", answer)
		default:
			fmt.Fprintln(w, "ok")
		}
	}
}

func obey(command string, profile **os.File) error {
	verb, arg, _ := strings.Cut(command, " ")
	switch verb {
	case "gc":
		debug.FreeOSMemory()
		return nil
	case "profile":
		f, err := os.Create(arg)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return errors.Join(err, f.Close())
		}
		*profile = f
		return nil
	case "stop":
		if *profile == nil {
			return errors.New("no profile was begun")
		}
		pprof.StopCPUProfile()
		err := (*profile).Close()
		*profile = nil
		return err
	}
	return fmt.Errorf("unknown command %q", command)
}

// Version returns the version of a module this program was built with.
func Version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == module {
				return m.Version
			}
		}
	}
	return "unknown"
}
