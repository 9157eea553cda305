// Package loadgen loads a Socket.IO server, and measures what this costs the server.
//
// Its clients are minimal, so that they cost less than any server that is measured: they send
// frames that were made beforehand, read replies only as far as they must to count them (but
// check the first one of each client in full), and run in one thread over epoll.
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
	End() error                  // called after it
}

// Fleet is the rest of the application if several servers are one application.
type Fleet struct {
	Redis string // the address of Redis
	// Other is one more server of the kind.
	Other interface {
		Server
		Stop() // ends it
	}
	// CPU returns the CPU time that Redis has used since it started.
	CPU func() (time.Duration, error)
}

// Config says what to measure, and for how long.
type Config struct {
	Scenario Scenario
	Server   Server
	Fleet    *Fleet        // for scenarios that need it
	Warmup   time.Duration // load that is not measured
	Measure  time.Duration // load that is measured
	Stall    time.Duration // the least time for which there are clients that do not read; zero means 30 s
	Timeout  time.Duration // limit for all of it; zero means two minutes
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
	Memory    float64  // bytes for each connection, in scenarios that measure memory
	Collected float64  // the same after a garbage collection
	Retries   int      // connections that had to be tried again
	Stalled   *Stalled // of the scenario with clients that do not read
}

// Latency is the time from sending a message until its answer, or until each delivery.
type Latency struct{ P50, P90, P99, Max time.Duration }

// PerMessage returns the CPU time of the server for each message.
func (r Result) PerMessage() time.Duration {
	return time.Duration(float64(r.ServerCPU) / float64(max(r.Messages, 1)))
}

// Run measures one server with one scenario. There must be no other Run in the process at the same
// time, because Run measures the CPU time of the process.
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
	request []byte // the WebSocket handshake of clients that come and go
	clients []*client
	done    int64 // how many messages have been counted
	hist    *stats.Histogram
	result  Result

	// How a scenario uses its clients.
	onReady   func(c *client) error // connected to the namespace
	onMessage func(c *client, op byte, p []byte) error
	onBatch   func(c *client) error // after all messages of one read

	// How clients connect.
	dialing int // how many do so now
	ready   int
	retry   bool // clients that fail connect again
	small   bool // they have small receive buffers
	cut     int  // how many of those that do not read the server has cut
}

// ErrNothing says that no message was answered while Run measured: Config.Measure is too short.
var ErrNothing = errors.New("loadgen: the server answered nothing while it was measured")

// window lets the load run: for Warmup, and then for Measure, which it measures.
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

// count counts the answer to a message that was sent at a time.
func (r *run) count(sent int64) {
	r.done++
	r.hist.Add(r.Now - sent)
}
