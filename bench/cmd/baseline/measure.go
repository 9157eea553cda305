package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"time"
)

// measure runs benchmarks of a package on one processor. It calibrates before and after them, and unit
// chooses one of the two results.
func measure(ctx context.Context, pkg, bench string, unit func(a, b time.Duration) time.Duration) (results, error) {
	before := calibrate()
	cmd := exec.CommandContext(ctx, "go", "test", "-vet=off", "-run", "^$", "-bench", bench, "-benchmem", "-benchtime", "20ms", "-cpu", "1",
		"-count", strconv.Itoa(runs), pkg)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("benchmarks of %s: %w\n%s", pkg, err, output)
	}
	r, err := parseBenchmarks(pkg, output)
	calibration := unit(before, calibrate())
	for name, one := range r {
		one.time /= float64(calibration.Nanoseconds())
		r[name] = one
	}
	return r, err
}

// If the machine was busy during only one of the two calibrations, the choice favours the benchmarks:
// their times look long for the baseline, and short when they are compared with it.
func shorter(a, b time.Duration) time.Duration { return min(a, b) }
func longer(a, b time.Duration) time.Duration  { return max(a, b) }

// calibrate returns how long work takes that resembles the hot paths: copying, looking up,
// allocating. It returns the best of several times.
func calibrate() time.Duration {
	best := time.Hour
	for range 200 {
		start := time.Now()
		calibrationWork()
		best = min(best, time.Since(start))
	}
	return best
}

// sink keeps the compiler from removing the work.
var sink atomic.Int64

func calibrationWork() {
	text := bytes.Repeat([]byte(`{"name":"value","n":1.5},`), 40)
	counts := make(map[string]int)
	for i := range 1000 {
		part := text[i%len(text):]
		key := string(part[:min(10, len(part))])
		counts[key] += bytes.Count(part, []byte(`"`))
	}
	for _, n := range counts {
		sink.Add(int64(n))
	}
}
