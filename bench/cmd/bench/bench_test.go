package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/bench/internal/peer"
	"github.com/seed-d124fa34/socketio/bench/loadgen"
)

// The whole command, in small.
func TestCommand(t *testing.T) {
	folder := t.TempDir()
	table, profiles := filepath.Join(folder, "table.md"), filepath.Join(folder, "profiles")
	err := command(t.Context(), []string{"-quick", "-servers", "bare,ours", "-scenarios", "echo@2,idle@2", "-rounds", "2",
		"-warmup", "10ms", "-measure", "500ms", "-profile", profiles, "-o", table})
	require.NoError(t, err)
	b, err := os.ReadFile(table)
	require.NoError(t, err)
	require.Contains(t, string(b), "| echo with ack, 2 clients, one in flight each, 64 bytes |")
	require.Contains(t, string(b), "coder/websocket v")
	require.NotContains(t, string(b), "failed")
	require.NotContains(t, string(b), folder, "no paths")
	_, err = os.Stat(filepath.Join(profiles, "echo@2-ours-2.pprof"))
	require.NoError(t, err)
}

// Two servers on a Redis, one of which is measured.
func TestCommandWithRedis(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil && os.Getenv("CI") == "" {
		t.Skip("redis-server is not installed")
	}
	folder := t.TempDir()
	table, profiles := filepath.Join(folder, "table.md"), filepath.Join(folder, "profiles")
	err := command(t.Context(), []string{"-quick", "-servers", "bare,ours", "-scenarios", "cross-emit@2,elsewhere@2", "-rounds", "1",
		"-warmup", "10ms", "-measure", "200ms", "-profile", profiles, "-o", table})
	require.NoError(t, err)
	b, err := os.ReadFile(table)
	require.NoError(t, err)
	require.Regexp(t, `\| messages of 64 bytes to 2 rooms without members here \| – \| [0-9.]+ \| – \|`, string(b))
	require.Regexp(t, `\| the same, 2 clients: the server that emits \(message\) \| – \| [0-9.]+ \([0-9]+, [0-9]+, [0-9]+, [0-9]+ %\) \|`, string(b))
	_, err = os.Stat(filepath.Join(profiles, "elsewhere@2-ours-1.pprof"))
	require.NoError(t, err)
}

func TestCommandPlots(t *testing.T) {
	name := filepath.Join(t.TempDir(), "echo")
	require.NoError(t, command(t.Context(), []string{"-quick", "-servers", "ours", "-scenarios", "echo@4,echo@2", "-rounds", "1",
		"-warmup", "10ms", "-measure", "500ms", "-plot", name, "-o", name + ".md"}))
	b, err := os.ReadFile(name + ".csv")
	require.NoError(t, err)
	require.Regexp(t, `^series,size,min,median,max\nours,2,[0-9.,]+\nours,4,[0-9.,]+\n$`, string(b))
	b, err = os.ReadFile(name + ".svg")
	require.NoError(t, err)
	require.Contains(t, string(b), "echo: from 2 to 4 clients")
	require.Contains(t, string(b), "µs per message")
}

func TestCommandRefuses(t *testing.T) {
	for _, args := range [][]string{{"-servers", "theirs"}, {"-scenarios", "nothing"}, {"echo"}, {"-servers", "ours", "-server-cpu", "100000"},
		{"-scenarios", "echo@2,idle@2", "-plot", "x"}, {"-scenarios", "echo@2,rooms-own@200", "-plot", "x"}} {
		require.Error(t, command(t.Context(), append(args, "-measure", "1ms", "-rounds", "1", "-quick")), strings.Join(args, " "))
	}
}

func TestReport(t *testing.T) {
	servers, err := peer.Choose("bare,ours,npm")
	require.NoError(t, err)
	scenarios, err := loadgen.Select("echo,broadcast,idle,cross", false)
	require.NoError(t, err)
	cpu := func(server string, round, us, load int) measurement {
		return measurement{server: server, round: round, result: loadgen.Result{
			Messages: 1000, Wall: time.Second, ServerCPU: time.Duration(us) * time.Millisecond,
			ClientCPU: time.Duration(load) * time.Millisecond,
			Latency:   loadgen.Latency{P50: 1500 * time.Microsecond, P90: 2 * time.Millisecond, P99: 150 * time.Millisecond},
		}}
	}
	memory := measurement{server: "ours", result: loadgen.Result{Messages: 10, Memory: 15 << 10, Collected: 12 << 10}}
	b := bench{
		servers: servers, scenarios: scenarios, rounds: 3, measure: 2 * time.Second,
		version: map[string]string{"bare": "coder 1", "ours": "this repository"},
		fleets:  map[string]string{"ours": "another version"},
		missing: map[string]error{"npm": errors.New("run npm ci")},
		results: map[string][]measurement{
			"echo": {
				cpu("bare", 0, 500, 400), cpu("ours", 0, 600, 400), cpu("bare", 1, 1000, 1000), cpu("ours", 1, 800, 700),
				cpu("bare", 2, 400, 450), {server: "ours", round: 2, err: errors.New("echo: broken\nmore")},
			},
			"broadcast": {cpu("bare", 0, 123, 999)},
			"idle":      {memory},
			"cross": {{server: "ours", result: loadgen.Result{
				Messages: 12345, Wall: time.Second, ServerCPU: 900 * time.Millisecond, OtherCPU: 800 * time.Millisecond,
				RedisCPU: 70 * time.Millisecond, ClientCPU: 6 * time.Millisecond,
			}}},
		},
	}
	require.Equal(t, 1, b.failed())
	r := b.report(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
	for _, want := range []string{
		"Measured on 2026-01-02; ",
		"median of 3 rounds of 2s each (lowest to highest)",
		"- npm socket.io: left out: run npm ci\n",
		"- ours: this repository; with Redis: another version\n",
		"the server that delivers (delivery) | – | 12.3 (90, 80, 7, 1 %) |\n",
		"| bare coder/websocket | ours | ours ÷ bare |\n|---|--:|--:|--:|\n",
		"| 500 (400–1000) | 700 (600–800) | 1.00 (0.80–1.20) |\n",
		"one at a time (per delivery) | 123 | – | – |\n",
		"10,000 of them | – | 15.0 [12.0] | – |\n",
		"one in flight each, 64 bytes | 1.50 / 2.00 / 150 | 1.50 / 2.00 / 150 |\n",
		"one in flight each, 64 bytes | 50 % / 45 % | 70 % / 55 % |\n",
		"one at a time | 12 % / 100 % † | – |\n",
		"The load generator may have been the limit in 1 of these 3.\n",
		"- ours failed in round 3 of echo: broken\n",
	} {
		require.Contains(t, r, want)
	}
}

func TestMachine(t *testing.T) {
	require.Regexp(t, `^.+, [1-9][0-9]* cores, Linux [0-9.]+, go1\.`, machine())
}
