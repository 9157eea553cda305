package redis_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/require"
)

// redisServer is a redis-server process of a test.
type redisServer struct {
	t    testing.TB
	addr string // 127.0.0.1:port
	args []string

	mu  sync.Mutex
	cmd *exec.Cmd
}

// startRedis starts a redis-server on a free port, and kills it when the test ends. The first
// argument may be a configuration file.
func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed: run .ci/tools")
		}
		t.Skip("redis-server is not installed")
	}
	port := freePort(t)
	s := &redisServer{t: t, addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), args: append(args,
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", t.TempDir())}
	if !slices.Contains(args, "--sentinel") {
		s.args = append(s.args, "--save", "", "--appendonly", "no")
	}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *redisServer) url() string { return "redis://" + s.addr }

// Start starts the process, and waits until it answers.
func (s *redisServer) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out bytes.Buffer
	s.cmd = exec.Command("redis-server", s.args...)
	s.cmd.Stdout, s.cmd.Stderr = &out, &out
	require.NoError(s.t, s.cmd.Start())
	client := dialRedis(s.addr)
	defer client.Close()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := client.Ping(context.Background()).Err()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
			s.t.Fatalf("redis-server does not answer: %v\n%s", err, &out)
		}
	}
}

// Stop kills the process, as a crash would.
func (s *redisServer) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// dialRedis returns a client of the test.
func dialRedis(addr string) *goredis.Client {
	return goredis.NewClient(&goredis.Options{
		Addr: addr, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// do sends a command to a server.
func (s *redisServer) do(args ...any) string {
	s.t.Helper()
	client := dialRedis(s.addr)
	defer client.Close()
	v, err := client.Do(context.Background(), args...).Result()
	require.NoError(s.t, err, "%v", args)
	return fmt.Sprint(v)
}
