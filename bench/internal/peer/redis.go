package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// Redis is a redis-server that several servers share.
type Redis struct {
	cmd  *exec.Cmd
	addr string
	out  tail
}

// StartRedis starts a Redis that writes nothing to disk, and waits until it answers. It runs on one
// core, or on any if cpu is negative.
func StartRedis(ctx context.Context, cpu int) (*Redis, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is not installed")
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	r := &Redis{addr: net.JoinHostPort("127.0.0.1", port)}
	r.cmd = exec.CommandContext(ctx, program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--protected-mode", "no") // the load generator connects from several loopback addresses
	r.cmd.Dir = os.TempDir()
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := startOn(r.cmd, cpu); err != nil {
		return nil, err
	}
	for end := time.Now().Add(startTimeout); ; time.Sleep(5 * time.Millisecond) {
		if err = r.ping(); err == nil {
			return r, nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			r.Stop()
			return nil, fmt.Errorf("start redis-server: %w: %s", err, r.out.String())
		}
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

func (r *Redis) ping() error {
	conn, err := net.DialTimeout("tcp", r.addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 5)
	if _, err := conn.Read(answer); err != nil {
		return err
	}
	if string(answer) != "+PONG" {
		return fmt.Errorf("its answer is %q", answer)
	}
	return nil
}

// Addr returns the address on which Redis listens.
func (r *Redis) Addr() string { return r.addr }

// CPU returns the user and system time that Redis has used.
func (r *Redis) CPU() (time.Duration, error) {
	used, err := cpuTime(r.cmd.Process.Pid)
	if err != nil {
		err = fmt.Errorf("CPU time of Redis: %w: %s", err, r.out.String())
	}
	return used, err
}

// Stop kills Redis.
func (r *Redis) Stop() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}
