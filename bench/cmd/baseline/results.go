package main

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// result is what a benchmark costs.
type result struct {
	allocs int64
	time   float64 // as a multiple of the calibration
}

// results has the results by package and benchmark, separated by a blank.
type results map[string]result

// improve adds results. Of two results for a benchmark the better one counts.
func (r results) improve(more results) {
	for name, m := range more {
		if was, ok := r[name]; ok {
			m = result{min(m.allocs, was.allocs), math.Min(m.time, was.time)}
		}
		r[name] = m
	}
}

// worse returns the packages that have benchmarks which are too slow or allocate more.
func (r results) worse(now results) (packages []string) {
	for name, was := range r {
		if is, ok := now[name]; ok && (is.allocs > was.allocs || is.time > margin*was.time) {
			pkg, _, _ := strings.Cut(name, " ")
			packages = append(packages, pkg)
		}
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// compare returns faults, which are results that are worse or cannot be compared, and notes about
// results that are better or new, for which the baseline should be updated.
func (r results) compare(now results) (faults, notes []string) {
	for _, name := range slices.Sorted(maps.Keys(r)) {
		was := r[name]
		is, ok := now[name]
		switch {
		case !ok:
			faults = append(faults, name+": the benchmark does not exist any more")
		case is.allocs > was.allocs:
			faults = append(faults, fmt.Sprintf("%s: %d allocations, were %d", name, is.allocs, was.allocs))
		case is.allocs < was.allocs:
			notes = append(notes, fmt.Sprintf("%s: %d allocations, were %d", name, is.allocs, was.allocs))
		}
		if ok && is.time > margin*was.time {
			faults = append(faults, fmt.Sprintf("%s: %.1f times as slow as before, compared with the calibration", name, is.time/was.time))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, ok := r[name]; !ok {
			notes = append(notes, name+": new")
		}
	}
	return faults, notes
}

// format returns the content of baseline.txt.
func (r results) format() []byte {
	var b bytes.Buffer
	b.WriteString("# Written by \"make baseline\": package, benchmark, allocations, time as a multiple of the calibration.\n")
	for _, name := range slices.Sorted(maps.Keys(r)) {
		fmt.Fprintf(&b, "%s %d %.3g\n", name, r[name].allocs, r[name].time)
	}
	return b.Bytes()
}

// parseResults reads the content of baseline.txt.
func parseResults(text []byte) (results, error) {
	r := make(results)
	for n, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 4 {
			return nil, fmt.Errorf("line %d: want package, benchmark, allocations and time", n+1)
		}
		allocs, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		time, err := strconv.ParseFloat(f[3], 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		r[f[0]+" "+f[1]] = result{allocs, time}
	}
	return r, nil
}

// parseBenchmarks reads the output of go test. Times are in nanoseconds. Of several runs the best
// counts.
func parseBenchmarks(pkg string, output []byte) (results, error) {
	r := make(results)
	s := bufio.NewScanner(bytes.NewReader(output))
	for s.Scan() {
		f := strings.Fields(s.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		if _, err := strconv.Atoi(f[1]); err != nil {
			return nil, fmt.Errorf("%q: the benchmark prints something", s.Text())
		}
		one := result{allocs: -1, time: math.Inf(1)}
		for i := 2; i+1 < len(f); i += 2 {
			value, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", s.Text(), err)
			}
			switch f[i+1] {
			case "ns/op":
				one.time = value
			case "allocs/op":
				one.allocs = int64(value)
			}
		}
		if one.allocs < 0 {
			return nil, fmt.Errorf("%q does not say how much it allocates", s.Text())
		}
		r.improve(results{pkg + " " + f[0]: one})
	}
	return r, s.Err()
}
