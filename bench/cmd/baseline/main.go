// Command baseline compares the benchmarks of the hot paths with baseline.txt: allocations
// exactly, and times as multiples of a calibration, with a wide margin. It takes the best of
// several runs, and repeats benchmarks that are too slow, so that a busy machine does not make
// it fail. CI runs it.
//
//	go run ./bench/cmd/baseline           # compare; exit status 1 if something is worse
//	go run ./bench/cmd/baseline -update   # write baseline.txt anew (make baseline)
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// paths are the benchmarks of the hot paths, by package. All of them are small, because what large ones
// allocate depends on when the garbage collector empties pools.
var paths = []struct{ pkg, bench string }{
	{"./parser", "^Benchmark(Decode|Encode|Bind)$/^(event|namespace.id|ack|object_1k|struct|map|text_1k|struct_1k|Marshaler_1k|string|int|float64|any_map|any_1k|Unmarshaler_1k)$"},
	{"./internal/wsframe", "^BenchmarkReader$/^(text_of_32_bytes|text_of_1_kB|binary_of_1_kB|ping)$"},
	{"./internal/rooms", "^Benchmark(JoinLeave|Members)$"},
	{"./internal/mailbox", "^BenchmarkPut$"},
	{"./internal/budget", "^BenchmarkItem$"},
	{"./internal/binding", "^Benchmark(Call|Callback)$"},
	{"./internal/handlers", "^BenchmarkFind$"},
	{"./internal/wire/flask", "^Benchmark(ReadNobody|Event)$"},
	{"./engineio", "^Benchmark(PayloadDecode|PayloadEncode|Frames)$/^(text|16_texts|binary_256|text,_shared|text_64|text_1024|binary_64)$"},
	{"./engineio/internal/outgoing", "^BenchmarkQueue$"},
	{"./engineio/internal/websock", "^BenchmarkWebSocketRead$/^(text_of_32_bytes|text_of_1_kB|binary_of_1_kB)$"},
	{"./engineio/internal/sessions", "^BenchmarkGet$"},
	{".", "^BenchmarkHandler$"},
}

const (
	runs     = 3   // how often each benchmark runs; the best run counts
	attempts = 3   // how often benchmarks that are worse are repeated
	margin   = 3.0 // a benchmark may be so many times slower than the baseline
)

func main() {
	log.SetFlags(0)
	update := flag.Bool("update", false, "write the baseline anew")
	file := flag.String("file", filepath.Join("bench", "cmd", "baseline", "baseline.txt"), "the baseline, from the root of the repository")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *file, *update); err != nil {
		stop()
		log.Fatal(err) //nolint:gocritic // stop has been called
	}
}

func run(ctx context.Context, file string, update bool) error {
	if update {
		now, err := measureAll(ctx, shorter)
		if err != nil {
			return err
		}
		return os.WriteFile(file, now.format(), 0o644)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, err := parseResults(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	now, err := measureAll(ctx, longer)
	if err != nil {
		return err
	}
	for range attempts - 1 {
		worse := before.worse(now)
		if len(worse) == 0 {
			break
		}
		again, err := measureSome(ctx, worse, longer)
		if err != nil {
			return err
		}
		now.improve(again)
	}
	faults, notes := before.compare(now)
	if len(notes) > 0 {
		fmt.Printf("%s\nBetter than the baseline, or not in it: run \"make baseline\" on a machine that does nothing else, and commit %s\n",
			strings.Join(notes, "\n"), file)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s\n\nSomething on a hot path has become worse. If it need not be, find it with\n"+
			"\tgo test -run '^$' -bench NAME -benchmem -memprofile mem.out PACKAGE\n"+
			"and mend it. If it is the price of something wanted, or a benchmark has changed, run \"make baseline\" on a machine that does nothing else, "+
			"commit %s and say why", strings.Join(faults, "\n"), file)
	}
	fmt.Printf("%d benchmarks: allocations as before, none more than %.1f times slower\n", len(before), margin)
	return nil
}

// measureAll runs all benchmarks.
func measureAll(ctx context.Context, unit func(a, b time.Duration) time.Duration) (results, error) {
	all := make(results)
	for _, p := range paths {
		some, err := measure(ctx, p.pkg, p.bench, unit)
		if err != nil {
			return nil, err
		}
		if len(some) == 0 {
			return nil, fmt.Errorf("no benchmark of %s matches %s: correct the table in bench/cmd/baseline", p.pkg, p.bench)
		}
		all.improve(some)
	}
	return all, nil
}

// measureSome runs the benchmarks of some packages.
func measureSome(ctx context.Context, packages []string, unit func(a, b time.Duration) time.Duration) (results, error) {
	all := make(results)
	for _, p := range paths {
		if !slices.Contains(packages, p.pkg) {
			continue
		}
		some, err := measure(ctx, p.pkg, p.bench, unit)
		if err != nil {
			return nil, err
		}
		all.improve(some)
	}
	return all, nil
}
