// Package peer builds, starts, pins and measures the servers.
package peer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed-d124fa34/socketio/bench/workload"
)

// Process is a server that runs. It is a loadgen.Server. Only one goroutine may call its methods.
type Process struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	lines   chan string // its standard output; closed at its end
	stderr  tail
	ended   sync.Once // see wait
	addr    string
	version string
	profile string // where Begin and End write a CPU profile, if anywhere
}

const (
	startTimeout   = 20 * time.Second
	commandTimeout = 60 * time.Second
	stopTimeout    = 2 * time.Second
	maxLine        = 64 << 20 // of what a server answers
)

// Start starts a server that answers an event, and waits until it listens. It runs on one core, or on
// any if cpu is negative. profile is the file for a CPU profile between Begin and End, "" for
// none.
func (s *Server) Start(ctx context.Context, cpu int, event, profile string) (*Process, error) {
	return s.start(ctx, cpu, event, profile, s.env)
}

// StartTLS is Start for a server with TLS. dir has what WriteCertificate has written.
func (s *Server) StartTLS(ctx context.Context, cpu int, event, profile, dir string) (*Process, error) {
	return s.start(ctx, cpu, event, profile, append([]string{workload.TLSEnv + "=" + dir}, s.env...))
}

// StartOn starts one of several servers that share a Redis.
func (s *Server) StartOn(ctx context.Context, redis *Redis, cpu int, profile string) (*Process, error) {
	env := append([]string{workload.RedisEnv + "=redis://" + redis.Addr()}, s.fleetEnv...)
	return s.start(ctx, cpu, "", profile, append(env, s.env...))
}

func (s *Server) start(ctx context.Context, cpu int, event, profile string, env []string) (*Process, error) {
	argv := s.command(event)
	p := &Process{lines: make(chan string, 16), profile: profile}
	p.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Dir = s.dir
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = stopTimeout
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// Not StdoutPipe, which Wait closes before all is read.
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout = in
	err = startOn(p.cmd, cpu)
	in.Close()
	if err != nil {
		out.Close()
		return nil, err
	}
	go func() {
		defer out.Close()
		defer close(p.lines)
		sc := bufio.NewScanner(out)
		sc.Buffer(nil, maxLine)
		for sc.Scan() {
			p.lines <- sc.Text()
		}
	}()
	for p.addr == "" {
		line, err := p.line(startTimeout)
		if err != nil {
			p.Stop()
			return nil, fmt.Errorf("start %s: %w", s.Name, err)
		}
		verb, text, _ := strings.Cut(line, " ")
		switch verb {
		case "version":
			p.version = text
		case "listening":
			p.addr = text
		}
	}
	return p, nil
}

// startOn starts a command on a core. A process inherits the affinity of the thread that starts it.
func startOn(cmd *exec.Cmd, cpu int) error {
	if cpu < 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return err
	}
	if err := pinThread(0, cpu); err != nil {
		return err
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &old))
}

// line returns the next line that the server prints.
func (p *Process) line(timeout time.Duration) (string, error) {
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.wait()
			return "", fmt.Errorf("the server ended: %s", p.stderr.String())
		}
		return line, nil
	case <-time.After(timeout):
		return "", fmt.Errorf("the server said nothing for %v: %s", timeout, p.stderr.String())
	}
}

// Ask sends a command to the server, see package control, and returns the text of the answer.
func (p *Process) Ask(command string) (string, error) {
	if _, err := fmt.Fprintln(p.stdin, command); err != nil {
		p.wait()
		return "", fmt.Errorf("%s: %w: %s", command, err, p.stderr.String())
	}
	answer, err := p.line(commandTimeout)
	if err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	text, ok := strings.CutPrefix(answer, "ok")
	if !ok {
		return "", fmt.Errorf("%s: %s", command, answer)
	}
	return strings.TrimPrefix(text, " "), nil
}

func (p *Process) command(text string) error {
	_, err := p.Ask(text)
	return err
}

// Addr returns the address on which the server listens.
func (p *Process) Addr() string { return p.addr }

// Version returns the name and version that the server prints.
func (p *Process) Version() string { return p.version }

// Collect makes the server collect its garbage.
func (p *Process) Collect() error { return p.command("gc") }

// Begin begins the CPU profile, if Start was given a file for it.
func (p *Process) Begin() error {
	if p.profile == "" {
		return nil
	}
	return p.command("profile " + p.profile)
}

// End ends the CPU profile.
func (p *Process) End() error {
	if p.profile == "" {
		return nil
	}
	return p.command("stop")
}

// CPU returns the user and system time that the process has used.
func (p *Process) CPU() (time.Duration, error) {
	used, err := cpuTime(p.cmd.Process.Pid)
	if err != nil {
		err = fmt.Errorf("CPU time of the server: %w: %s", err, p.stderr.String())
	}
	return used, err
}

// cpuTime returns the CPU time of a process in nanoseconds. /proc/PID/stat has it in hundredths of a
// second only.
func cpuTime(pid int) (time.Duration, error) {
	const schedClock = 2
	var ts unix.Timespec
	// clock_getcpuclockid(3) computes the id of the clock in this way.
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}

// RSS returns the resident memory of the process, in bytes.
func (p *Process) RSS() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if size, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(size), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmRSS in the status of the server")
}

// Stop ends the server, and returns when it has ended.
func (p *Process) Stop() {
	_ = p.stdin.Close()
	p.wait()
}

// wait returns when the server has ended, and everything that it wrote has been read. It kills a
// server that does not end.
func (p *Process) wait() {
	p.ended.Do(func() {
		kill := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
		defer kill.Stop()
		for range p.lines {
		}
		_ = p.cmd.Wait() // killed or not, it has ended
	})
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 2000

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if extra := len(t.b) - tailSize; extra > 0 {
		t.b = append(t.b[:0], t.b[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
