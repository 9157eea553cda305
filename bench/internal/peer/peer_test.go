package peer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/bench/internal/peer"
	"github.com/seed-d124fa34/socketio/bench/loadgen"
)

// ready builds the server, or skips the test of a peer that is not installed.
func ready(t *testing.T, s *peer.Server) {
	t.Helper()
	switch s.Name {
	case "npm", "zishang", "flask", "ours-sonic", "ours-go-json": // modules would be downloaded
		if os.Getenv("BENCH_PEERS") == "" {
			t.Skip("tests of servers that need other projects are off: BENCH_PEERS=1 turns them on")
		}
	}
	require.NoError(t, s.Prepare(t.Context(), t.TempDir()))
}

// serve starts what a scenario needs, and runs it.
func serve(t *testing.T, s *peer.Server, cfg loadgen.Config) (loadgen.Result, error) {
	t.Helper()
	switch sc := cfg.Scenario; {
	case sc.Fleet:
		startTwo(t, s, &cfg)
	case sc.TLS:
		cfg.Server = startTLS(t, s, sc.Answer)
	default:
		p, err := s.Start(t.Context(), -1, sc.Answer, "")
		require.NoError(t, err)
		defer p.Stop()
		cfg.Server = p
	}
	return loadgen.Run(t.Context(), cfg)
}

// Every server serves every scenario, and the answers are right: the load
// generator looks.
func TestServersServeScenarios(t *testing.T) {
	small := "echo@3,tls@3,echo-many@3,echo-pipelined@2,json@3,json-raw@3,binary@3,polling@3,broadcast@4,broadcast-pipelined@4," +
		"rooms-own@200,connect@2,upgrade@2,idle@5,room-large@5,rooms-shared@30,stalled@5,storm@20," +
		"cross@5,cross-one@3,cross-emit@3,elsewhere@3,elsewhere-4k@3"
	scenarios, err := loadgen.Select(small, true)
	require.NoError(t, err)
	require.Len(t, scenarios, len(loadgen.Names()), "all of them")
	for _, s := range peer.Servers() {
		t.Run(s.Name, func(t *testing.T) {
			ready(t, s)
			for _, sc := range scenarios {
				t.Run(sc.Name, func(t *testing.T) {
					if named := []string{"stalled", "json-raw"}; slices.Contains(named, strings.SplitN(sc.Name, "@", 2)[0]) && s.Name != peer.Ours {
						t.Skip("it is a scenario for servers of this repository")
					}
					cfg := loadgen.Config{Scenario: sc, Measure: 50 * time.Millisecond, Stall: 50 * time.Millisecond, Timeout: 30 * time.Second}
					if strings.HasPrefix(sc.Name, "upgrade") {
						cfg.Measure *= 6 // some answer the poll that waits only after 100 ms
					}
					r, err := serve(t, s, cfg)
					for errors.Is(err, loadgen.ErrNothing) && cfg.Measure < 10*time.Second { // a busy machine
						cfg.Measure *= 4
						r, err = serve(t, s, cfg) // anew: a scenario may have stopped a server
					}
					require.NoError(t, err)
					require.Positive(t, r.Messages)
					if sc.Memory {
						return
					}
					require.Positive(t, r.ServerCPU)
					require.Positive(t, r.ClientCPU)
					if sc.Fleet {
						require.Positive(t, r.RedisCPU)
					}
					if !sc.Untimed {
						require.Positive(t, r.Latency.P99)
					}
				})
			}
		})
	}
}

// startTLS starts a server with TLS.
func startTLS(t *testing.T, s *peer.Server, event string) *peer.Process {
	t.Helper()
	if !s.TLS {
		t.Skip("it does not serve with TLS")
	}
	dir := t.TempDir()
	require.NoError(t, peer.WriteCertificate(dir))
	p, err := s.StartTLS(t.Context(), -1, event, "", dir)
	require.NoError(t, err)
	t.Cleanup(p.Stop)
	return p
}

// startTwo starts two servers on a Redis.
func startTwo(t *testing.T, s *peer.Server, cfg *loadgen.Config) {
	t.Helper()
	if !s.Fleet {
		t.Skip("it shares no Redis")
	}
	if _, err := exec.LookPath("redis-server"); err != nil && os.Getenv("CI") == "" {
		t.Skip("redis-server is not installed")
	}
	redis, err := peer.StartRedis(t.Context(), -1)
	require.NoError(t, err)
	t.Cleanup(redis.Stop)
	var servers []*peer.Process
	for range 2 {
		p, err := s.StartOn(t.Context(), redis, -1, "")
		require.NoError(t, err)
		t.Cleanup(p.Stop)
		servers = append(servers, p)
	}
	cfg.Server = servers[0]
	cfg.Fleet = &loadgen.Fleet{Redis: redis.Addr(), Other: servers[1], CPU: redis.CPU}
}

func start(t *testing.T, cpu int, event, profile string) *peer.Process {
	t.Helper()
	s, err := peer.Choose(peer.Bare)
	require.NoError(t, err)
	ready(t, s[0])
	p, err := s[0].Start(t.Context(), cpu, event, profile)
	require.NoError(t, err)
	t.Cleanup(p.Stop)
	return p
}

// The check of answers is worth something: it finds a wrong one.
func TestWrongAnswerIsFound(t *testing.T) {
	scenarios, err := loadgen.Select("echo@1", true)
	require.NoError(t, err)
	_, err = loadgen.Run(t.Context(), loadgen.Config{
		Scenario: scenarios[0], Server: start(t, -1, "json", ""), Measure: 50 * time.Millisecond, Timeout: 30 * time.Second,
	})
	require.ErrorContains(t, err, "want the arguments")
}

func TestProcess(t *testing.T) {
	cpus, err := peer.CPUs()
	require.NoError(t, err)
	require.NotEmpty(t, cpus)
	last := cpus[len(cpus)-1]
	profile := filepath.Join(t.TempDir(), "cpu.pprof")
	p := start(t, last, "echo", profile)

	require.Contains(t, p.Version(), "coder/websocket v")
	allowed := taskStatus(t, "Cpus_allowed_list:")
	require.Contains(t, allowed, fmt.Sprint(last), "the server is pinned")
	after, err := peer.CPUs()
	require.NoError(t, err)
	require.Equal(t, cpus, after, "we are not")

	before, err := p.CPU()
	require.NoError(t, err)
	require.Positive(t, before)
	require.NoError(t, p.Begin())
	for range 20 {
		require.NoError(t, p.Collect())
	}
	require.NoError(t, p.End())
	used, err := p.CPU()
	require.NoError(t, err)
	require.Greater(t, used, before, "collecting costs CPU")
	rss, err := p.RSS()
	require.NoError(t, err)
	require.Greater(t, rss, int64(1<<20))
	info, err := os.Stat(profile)
	require.NoError(t, err)
	require.Positive(t, info.Size())

	p.Stop()
	_, err = p.CPU()
	require.Error(t, err, "it has ended")
}

// taskStatus returns a field of all child processes' status.
func taskStatus(t *testing.T, field string) []string {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	require.NoError(t, err)
	var values []string
	for _, task := range tasks {
		children, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		for _, pid := range strings.Fields(string(children)) {
			status, err := os.ReadFile("/proc/" + pid + "/status")
			require.NoError(t, err)
			for line := range strings.Lines(string(status)) {
				if value, ok := strings.CutPrefix(line, field); ok {
					values = append(values, strings.TrimSpace(value))
				}
			}
		}
	}
	return values
}

func TestStartReportsFailures(t *testing.T) {
	s, err := peer.Choose(peer.Bare)
	require.NoError(t, err)
	ready(t, s[0])
	_, err = s[0].Start(t.Context(), -1, "no such event", "")
	require.ErrorContains(t, err, "want echo, json", "what the server said before it ended")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s[0].Start(ctx, -1, "echo", "")
	require.Error(t, err)
}

func TestChoose(t *testing.T) {
	all, err := peer.Choose("")
	require.NoError(t, err)
	require.Equal(t, peer.Bare, all[0].Name, "the floor is the first")
	for _, s := range all {
		require.False(t, s.Optional, s.Name)
	}
	some, err := peer.Choose("ours,bare")
	require.NoError(t, err)
	require.Len(t, some, 2)
	require.Equal(t, peer.Bare, some[0].Name)
	_, err = peer.Choose("ours,theirs")
	require.ErrorContains(t, err, `no server "theirs"`)
}
