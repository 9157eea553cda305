// Package control lets the runner control a server: with lines on the server's standard
// input and output.
//
// A server first prints "version TEXT" and "listening ADDRESS". It answers each command with
// "ok", "ok TEXT" or "error TEXT":
//
//	gc             collect garbage and give the memory back
//	profile FILE   begin a CPU profile
//	stop           end the profile, and write it
//
// A server may have commands of its own. It exits at the end of its input, so that it cannot
// outlive the runner.
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

// Command is a command of one server. It returns the text of the answer, on one line.
type Command func() (string, error)

// Serve announces the server, and obeys commands until the end of r, including those in own. The
// caller must exit then.
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

// Version returns the version of a module with which this program was built.
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
