package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio/bench/internal/peer"
	"github.com/seed-d124fa34/socketio/bench/loadgen"
)

// bench is a run of the command.
type bench struct {
	servers         []*peer.Server
	scenarios       []loadgen.Scenario
	rounds          int
	measure, warmup time.Duration
	serverCPU       int
	loadCPU         int
	profile         string
	logf            func(format string, args ...any)
	bin             string // the folder with the servers and their certificate, while it runs

	results map[string][]measurement // by scenario
	version map[string]string        // by server
	fleets  map[string]string        // by server, of those that share a Redis
	missing map[string]error         // servers that are not installed
}

// measurement is one server in one round of one scenario.
type measurement struct {
	server string
	round  int
	result loadgen.Result
	err    error
}

// cores chooses the cores for the server and the load generator, if they are negative.
func (b *bench) cores(server, load int) error {
	cpus, err := peer.CPUs()
	if err != nil {
		return err
	}
	if server < 0 {
		server = cpus[len(cpus)-1]
	}
	if load < 0 {
		load = cpus[0]
	}
	for _, cpu := range []int{server, load} {
		if !slices.Contains(cpus, cpu) {
			return fmt.Errorf("core %d cannot be used, these can: %v", cpu, cpus)
		}
	}
	if server == load {
		b.logf("server and load generator share core %d: latencies mean little, and the load generator may be the limit", server)
	}
	b.serverCPU, b.loadCPU = server, load
	return nil
}

// run measures everything. Measurements that fail are in the results. The error says why it could not
// measure at all.
func (b *bench) run(ctx context.Context) error {
	b.results = map[string][]measurement{}
	b.version = map[string]string{}
	b.fleets = map[string]string{}
	b.missing = map[string]error{}
	bin, err := os.MkdirTemp("", "socketio-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	b.bin = bin
	if err := peer.WriteCertificate(bin); err != nil {
		return err
	}
	for _, s := range b.servers {
		b.logf("preparing %s", s.Name)
		if err := s.Prepare(ctx, bin); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			b.logf("%s is left out: %v", s.Name, err)
			b.missing[s.Name] = err
		}
	}
	if err := peer.Pin(b.loadCPU); err != nil {
		return err
	}
	for round := range b.rounds {
		for _, sc := range b.scenarios {
			for i := range b.servers {
				// In the first round the bare server is the first; in the next ones the others are, in turn.
				s := b.servers[(i+round)%len(b.servers)]
				if b.missing[s.Name] != nil || sc.Fleet && !s.Fleet || sc.TLS && !s.TLS {
					continue
				}
				m := measurement{server: s.Name, round: round}
				m.result, m.err = b.one(ctx, s, sc, round)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				b.results[sc.Name] = append(b.results[sc.Name], m)
				b.logf("round %d/%d  %-20s %-10s %s", round+1, b.rounds, sc.Name, s.Name, m)
			}
		}
	}
	return nil
}

// one measures one server in one scenario, in a process of its own.
func (b *bench) one(ctx context.Context, s *peer.Server, sc loadgen.Scenario, round int) (loadgen.Result, error) {
	profile := ""
	if b.profile != "" && s.Profiles {
		profile = filepath.Join(b.profile, fmt.Sprintf("%s-%s-%d.pprof", sc.Name, s.Name, round+1))
	}
	cfg := loadgen.Config{Scenario: sc, Warmup: b.warmup, Measure: b.measure}
	if sc.Fleet {
		return b.oneOfTwo(ctx, s, cfg, profile)
	}
	p, err := b.start(ctx, s, sc, profile)
	if err != nil {
		return loadgen.Result{}, err
	}
	defer p.Stop()
	b.version[s.Name] = p.Version()
	cfg.Server = p
	return loadgen.Run(ctx, cfg)
}

// start starts the server of a scenario.
func (b *bench) start(ctx context.Context, s *peer.Server, sc loadgen.Scenario, profile string) (*peer.Process, error) {
	if sc.TLS {
		return s.StartTLS(ctx, b.serverCPU, sc.Answer, profile, b.bin)
	}
	return s.Start(ctx, b.serverCPU, sc.Answer, profile)
}

// oneOfTwo measures one of two servers that share a Redis. It has a core for itself.
func (b *bench) oneOfTwo(ctx context.Context, s *peer.Server, cfg loadgen.Config, profile string) (loadgen.Result, error) {
	redis, err := peer.StartRedis(ctx, b.loadCPU)
	if err != nil {
		return loadgen.Result{}, err
	}
	defer redis.Stop()
	other, err := s.StartOn(ctx, redis, b.loadCPU, "")
	if err != nil {
		return loadgen.Result{}, err
	}
	defer other.Stop()
	p, err := s.StartOn(ctx, redis, b.serverCPU, profile)
	if err != nil {
		return loadgen.Result{}, err
	}
	defer p.Stop()
	b.fleets[s.Name] = p.Version()
	cfg.Server = p
	cfg.Fleet = &loadgen.Fleet{Redis: redis.Addr(), Other: other, CPU: redis.CPU}
	return loadgen.Run(ctx, cfg)
}

// failed returns how many measurements failed.
func (b *bench) failed() int {
	n := 0
	for _, ms := range b.results {
		for _, m := range ms {
			if m.err != nil {
				n++
			}
		}
	}
	return n
}

// String describes the measurement, on one line.
func (m measurement) String() string {
	r := m.result
	switch {
	case m.err != nil:
		return "failed: " + m.err.Error()
	case r.Memory != 0:
		return fmt.Sprintf("%.1f KiB a connection, %.1f after a collection", r.Memory/1024, r.Collected/1024)
	}
	s := fmt.Sprintf("%8.2f µs  %8.0f/s  server %3.0f %%  load %3.0f %%  p50 %v p99 %v",
		micros(r.PerMessage()), float64(r.Messages)/r.Wall.Seconds(), percent(r.ServerCPU, r.Wall), percent(r.ClientCPU, r.Wall),
		r.Latency.P50.Round(time.Microsecond), r.Latency.P99.Round(time.Microsecond))
	if st := r.Stalled; st != nil {
		s += fmt.Sprintf("  without them: p50 %v p99 %v  RSS %.0f MiB, then at most %.0f  %d cut",
			st.Before.P50.Round(time.Microsecond), st.Before.P99.Round(time.Microsecond), mebi(st.RSSBefore), mebi(st.RSSPeak), st.Cut)
	}
	if r.Retries > 0 {
		s += fmt.Sprintf("  %d retries", r.Retries)
	}
	return s
}

func mebi(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func percent(part, whole time.Duration) float64 { return 100 * float64(part) / float64(whole) }
