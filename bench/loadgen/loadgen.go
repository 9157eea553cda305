// Package loadgen makes load for a Socket.IO server and measures what the server
// spends on it.
//
// Its clients are minimal: frames made beforehand, replies looked at only as far
// as needed to count them (the first one of each client is checked in full), one
// thread over epoll. So it costs less than any server it measures.
package loadgen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-d124fa34/socketio/bench/internal/stats"
	"github.com/seed-d124fa34/socketio/bench/internal/wire"
)

// Server is the process that is measured.
type Server interface {
	Addr() string                // IPv4 address and port
	CPU() (time.Duration, error) // used since it started
	RSS() (int64, error)         // bytes
	Collect() error              // collect garbage
	Begin() error                // called before the load that is measured
	End() error                  // and after it
}

// Fleet is what there is besides the server that is measured when several are
// one application.
type Fleet struct {
	Redis string // its address
	// Other is one more server of the kind.
	Other interface {
		Server
		Stop() // ends it
	}
	// CPU returns what Redis has used since it started.
	CPU func() (time.Duration, error)
}

// Config is how much to measure.
type Config struct {
	Scenario Scenario
	Server   Server
	Fleet    *Fleet        // for scenarios that need it
	Warmup   time.Duration // load that is not measured
	Measure  time.Duration // load that is
	Stall    time.Duration // how long clients that do not read are there at least; zero means 30 s
	Timeout  time.Duration // of all of it; zero means two minutes
}

// Result is what was measured.
type Result struct {
	Messages  int64         // what Scenario.Unit counts
	Wall      time.Duration // how long it took
	ServerCPU time.Duration
	ClientCPU time.Duration // of the load generator
	OtherCPU  time.Duration // of the other server
	RedisCPU  time.Duration
	Latency   Latency
	Memory    float64  // bytes a connection, when that is what the scenario measures
	Collected float64  // the same after a garbage collection
	Retries   int      // connections that had to be tried again
	Stalled   *Stalled // of the scenario with clients that do not read
}

// Latency is from sending a message to its answer, or to each delivery.
type Latency struct{ P50, P90, P99, Max time.Duration }

// PerMessage returns the server CPU a message cost.
func (r Result) PerMessage() time.Duration {
	return time.Duration(float64(r.ServerCPU) / float64(max(r.Messages, 1)))
}

// Run measures one scenario against one server. It must be the only Run in
// the process, since it measures the process's CPU.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = 2 * time.Minute
	}
	if cfg.Stall == 0 {
		cfg.Stall = stalledFor
	}
	l, err := wire.NewLoop(cfg.Server.Addr())
	if err != nil {
		return Result{}, err
	}
	defer l.Close()
	stop := context.AfterFunc(ctx, l.Interrupt)
	defer stop()
	l.Limit = cfg.Timeout
	r := &run{Loop: l, Config: cfg, hist: &stats.Histogram{}}
	r.onMessage = func(_ *client, _ byte, p []byte) error {
		return fmt.Errorf("loadgen: the server sent %.100q to a client that asked for nothing", p)
	}
	err = cfg.Scenario.run(r)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", cfg.Scenario.Name, err)
	}
	return r.result, nil
}

// run is a scenario under way.
type run struct {
	Config
	*wire.Loop
	request []byte // WebSocket handshake of those that come and go
	clients []*client
	done    int64 // messages
	hist    *stats.Histogram
	result  Result

	// How a scenario uses its clients.
	onReady   func(c *client) error // connected to the namespace
	onMessage func(c *client, op byte, p []byte) error
	onBatch   func(c *client) error // after all messages of one read

	// How clients connect.
	dialing int // now
	ready   int
	retry   bool // connect again those that fail
	small   bool // with small receive buffers
	cut     int  // of those that do not read
}

// ErrNothing says that no message was answered while Run measured: Config.Measure is too short.
var ErrNothing = errors.New("loadgen: the server answered nothing while it was measured")

// window applies the load that is under way: first Warmup, then, measured, Measure.
func (r *run) window() error {
	if err := r.Server.Begin(); err != nil {
		return err
	}
	if err := r.RunFor(r.Warmup); err != nil {
		return err
	}
	end, err := r.meter()
	if err != nil {
		return err
	}
	if err := r.RunFor(r.Measure); err != nil {
		return err
	}
	if err := end(); err != nil {
		return err
	}
	return r.Server.End()
}

// meter begins a measurement and returns the function that ends it.
func (r *run) meter() (end func() error, err error) {
	r.done = 0
	r.hist.Reset()
	server, err := r.Server.CPU()
	if err != nil {
		return nil, err
	}
	other, redis, err := r.Fleet.usage()
	if err != nil {
		return nil, err
	}
	client, begin := wire.CPUTime(), time.Now()
	return func() error {
		now, err := r.Server.CPU()
		if err != nil {
			return err
		}
		otherNow, redisNow, err := r.Fleet.usage()
		if err != nil {
			return err
		}
		r.result.OtherCPU, r.result.RedisCPU = otherNow-other, redisNow-redis
		r.result.Wall = time.Since(begin)
		r.result.ClientCPU = wire.CPUTime() - client
		r.result.ServerCPU = now - server
		r.result.Messages = r.done
		r.result.Latency = Latency{
			P50: time.Duration(r.hist.Quantile(0.5)),
			P90: time.Duration(r.hist.Quantile(0.9)),
			P99: time.Duration(r.hist.Quantile(0.99)),
			Max: time.Duration(r.hist.Max()),
		}
		if r.done == 0 {
			return ErrNothing
		}
		return nil
	}, nil
}

// count counts an answer to what was sent at a time.
func (r *run) count(sent int64) {
	r.done++
	r.hist.Add(r.Now - sent)
}
