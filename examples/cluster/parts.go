package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// parts are the programs that the cluster consists of. Each has a goroutine that
// waits for its end.
type parts struct {
	failed  context.CancelCauseFunc
	running []*part
}

type part struct {
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{}
}

// start starts a program. That it ends, unless stop ends it, is a failure.
func (p *parts) start(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	return p.run(name, cmd)
}

// startNode starts a server, and waits until it tells its address.
func (p *parts) startNode(ctx context.Context, self, name, redis string) (addr string, err error) {
	cmd := exec.Command(self, "-node", name, "-redis", redis)
	cmd.Stderr = os.Stderr
	read, write, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer read.Close()
	cmd.Stdout = write
	err = p.run("server "+name, cmd)
	write.Close()
	if err != nil {
		return "", err
	}
	_ = read.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fscanln(bufio.NewReader(read), &addr); err != nil {
		return "", fmt.Errorf("server %s did not start: %w", name, err)
	}
	return addr, ctx.Err()
}

func (p *parts) run(name string, cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this process: it ends the others in order
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	one := &part{cmd: cmd, stdin: stdin, ended: make(chan struct{})}
	p.running = append(p.running, one)
	go func() {
		defer close(one.ended)
		p.failed(fmt.Errorf("%s ended: %v", name, cmd.Wait()))
	}()
	return nil
}

// stop ends what was started, the last first.
func (p *parts) stop() {
	for len(p.running) > 0 {
		last := p.running[len(p.running)-1]
		p.running = p.running[:len(p.running)-1]
		_ = last.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-last.ended:
		case <-time.After(10 * time.Second):
			_ = last.cmd.Process.Kill()
			<-last.ended
		}
		_ = last.stdin.Close()
	}
}

// freePort returns a port that is free now. addr is host:0.
func freePort(addr string) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// accepts waits until somebody listens at addr.
func accepts(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("nobody listens on "+addr))
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
