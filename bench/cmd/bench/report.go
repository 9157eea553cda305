package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-d124fa34/socketio/bench/internal/peer"
	"github.com/seed-d124fa34/socketio/bench/internal/stats"
	"github.com/seed-d124fa34/socketio/bench/loadgen"
)

// report returns the tables in Markdown.
func (b *bench) report(now time.Time) string {
	var w strings.Builder
	fmt.Fprintf(&w, "Measured on %s; %s; the server on one core, the load generator on another; median of %s of %v each",
		now.Format("2006-01-02"), machine(), plural(b.rounds, "round"), b.measure)
	if b.rounds > 1 {
		w.WriteString(" (lowest to highest)")
	}
	w.WriteString(".\n\n")
	b.versions(&w)
	b.costs(&w)
	b.latencies(&w)
	b.rates(&w)
	b.stalls(&w)
	b.proof(&w)
	b.failures(&w)
	return w.String()
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (b *bench) versions(w *strings.Builder) {
	for _, s := range b.servers {
		if err := b.missing[s.Name]; err != nil {
			first, _, _ := strings.Cut(err.Error(), "\n")
			fmt.Fprintf(w, "- %s: left out: %s\n", s.Title, first)
			continue
		}
		version := b.version[s.Name]
		if fleet := b.fleets[s.Name]; version == "" {
			version = fleet
		} else if fleet != "" && fleet != version {
			version += "; with Redis: " + fleet
		}
		if version != "" {
			fmt.Fprintf(w, "- %s: %s\n", s.Title, version)
		}
	}
	w.WriteString("\n")
}

// present returns the servers that are installed.
func (b *bench) present() []*peer.Server {
	var all []*peer.Server
	for _, s := range b.servers {
		if b.missing[s.Name] == nil {
			all = append(all, s)
		}
	}
	return all
}

// head begins a table with a column for each server.
func (b *bench) head(w *strings.Builder, first string, last ...string) {
	columns := []string{first}
	for _, s := range b.present() {
		columns = append(columns, s.Title)
	}
	columns = append(columns, last...)
	fmt.Fprintf(w, "| %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("--:|", len(columns)-1))
}

func (b *bench) costs(w *strings.Builder) {
	var last []string
	ratios := b.has(peer.Ours) && b.has(peer.Bare)
	if ratios {
		last = []string{"ours ÷ bare"}
	}
	b.head(w, "server CPU, µs per message (memory: KiB, after a collection in brackets)", last...)
	for _, sc := range b.scenarios {
		fmt.Fprintf(w, "| %s", sc.Title)
		if !sc.Memory && sc.Unit != "message" {
			fmt.Fprintf(w, " (per %s)", sc.Unit)
		}
		for _, s := range b.present() {
			fmt.Fprintf(w, " | %s", b.cost(sc, s.Name))
		}
		if ratios {
			fmt.Fprintf(w, " | %s", b.ratio(sc, peer.Ours, peer.Bare))
		}
		w.WriteString(" |\n")
	}
	w.WriteString("\n")
}

func (b *bench) has(server string) bool {
	for _, s := range b.present() {
		if s.Name == server {
			return true
		}
	}
	return false
}

// values returns a figure for each round in which the server has not failed.
func (b *bench) values(sc loadgen.Scenario, server string, figure func(loadgen.Result) float64) []float64 {
	var vs []float64
	for _, m := range b.results[sc.Name] {
		if m.server == server && m.err == nil {
			vs = append(vs, figure(m.result))
		}
	}
	return vs
}

// figure returns the function for the figure that a scenario measures: CPU time or memory.
func figure(sc loadgen.Scenario) func(loadgen.Result) float64 {
	if sc.Memory {
		return func(r loadgen.Result) float64 { return r.Memory / 1024 }
	}
	return func(r loadgen.Result) float64 { return micros(r.PerMessage()) }
}

const none = "–"

func (b *bench) cost(sc loadgen.Scenario, server string) string {
	vs := b.values(sc, server, figure(sc))
	if len(vs) == 0 {
		return none
	}
	cell := spread(stats.Summarize(vs), len(vs) > 1)
	if sc.Memory {
		collected := b.values(sc, server, func(r loadgen.Result) float64 { return r.Collected / 1024 })
		cell += " [" + number(stats.Summarize(collected).Median) + "]"
	}
	return cell
}

// ratio returns the median over the rounds of the cost of one server, divided by the cost of the other
// one in the same round.
func (b *bench) ratio(sc loadgen.Scenario, server, by string) string {
	of := figure(sc)
	var vs []float64
	for _, m := range b.results[sc.Name] {
		if m.server != server || m.err != nil {
			continue
		}
		for _, n := range b.results[sc.Name] {
			if n.server == by && n.round == m.round && n.err == nil && of(n.result) > 0 {
				vs = append(vs, of(m.result)/of(n.result))
			}
		}
	}
	if len(vs) == 0 {
		return none
	}
	s := stats.Summarize(vs)
	if len(vs) == 1 {
		return fmt.Sprintf("%.2f", s.Median)
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", s.Median, s.Min, s.Max)
}

func spread(s stats.Spread, several bool) string {
	if !several {
		return number(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", number(s.Median), number(s.Min), number(s.Max))
}

// number formats a value with three significant digits, and without decimals from 100 on.
func number(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func (b *bench) latencies(w *strings.Builder) {
	timed := slices.DeleteFunc(slices.Clone(b.scenarios), func(sc loadgen.Scenario) bool { return sc.Memory || sc.Untimed })
	if len(timed) == 0 {
		return
	}
	b.head(w, "latency under this load, ms: p50 / p90 / p99")
	for _, sc := range timed {
		fmt.Fprintf(w, "| %s", sc.Title)
		for _, s := range b.present() {
			quantile := func(of func(loadgen.Latency) time.Duration) string {
				vs := b.values(sc, s.Name, func(r loadgen.Result) float64 { return micros(of(r.Latency)) / 1000 })
				if len(vs) == 0 {
					return none
				}
				return number(stats.Summarize(vs).Median)
			}
			fmt.Fprintf(w, " | %s / %s / %s",
				quantile(func(l loadgen.Latency) time.Duration { return l.P50 }),
				quantile(func(l loadgen.Latency) time.Duration { return l.P90 }),
				quantile(func(l loadgen.Latency) time.Duration { return l.P99 }))
		}
		w.WriteString(" |\n")
	}
	w.WriteString("\n")
}

// rates writes how many messages a second several servers have handled. They share two cores with Redis
// and the load generator, so the server that is measured may be idle at times.
func (b *bench) rates(w *strings.Builder) {
	fleets := slices.DeleteFunc(slices.Clone(b.scenarios), func(sc loadgen.Scenario) bool { return !sc.Fleet })
	if len(fleets) == 0 {
		return
	}
	b.head(w, "thousands a second (busy: measured server, the other one, Redis, load generator)")
	for _, sc := range fleets {
		fmt.Fprintf(w, "| %s (%s)", sc.Title, sc.Unit)
		for _, s := range b.present() {
			median := func(of func(loadgen.Result) float64) float64 {
				return stats.Summarize(b.values(sc, s.Name, of)).Median
			}
			if len(b.values(sc, s.Name, figure(sc))) == 0 {
				fmt.Fprintf(w, " | %s", none)
				continue
			}
			busy := func(of func(loadgen.Result) time.Duration) float64 {
				return median(func(r loadgen.Result) float64 { return percent(of(r), r.Wall) })
			}
			fmt.Fprintf(w, " | %s (%.0f, %.0f, %.0f, %.0f %%)",
				number(median(func(r loadgen.Result) float64 { return float64(r.Messages) / r.Wall.Seconds() / 1000 })),
				busy(func(r loadgen.Result) time.Duration { return r.ServerCPU }),
				busy(func(r loadgen.Result) time.Duration { return r.OtherCPU }),
				busy(func(r loadgen.Result) time.Duration { return r.RedisCPU }),
				busy(func(r loadgen.Result) time.Duration { return r.ClientCPU }))
		}
		w.WriteString(" |\n")
	}
	w.WriteString("\n")
}

// stalls writes what clients that do not read cost the others.
func (b *bench) stalls(w *strings.Builder) {
	for _, sc := range b.scenarios {
		for _, s := range b.present() {
			median := func(of func(*loadgen.Stalled, loadgen.Latency) float64) string {
				return number(stats.Summarize(b.values(sc, s.Name, func(r loadgen.Result) float64 { return of(r.Stalled, r.Latency) })).Median)
			}
			if rounds := b.results[sc.Name]; !slices.ContainsFunc(rounds, func(m measurement) bool { return m.server == s.Name && m.result.Stalled != nil }) {
				continue
			}
			fmt.Fprintf(w, "%s: %s: p99 %s ms without them, %s ms beside them; memory (RSS) %s MiB, at most %s MiB beside them.\n\n", sc.Title, s.Title,
				median(func(st *loadgen.Stalled, _ loadgen.Latency) float64 { return micros(st.Before.P99) / 1000 }),
				median(func(_ *loadgen.Stalled, l loadgen.Latency) float64 { return micros(l.P99) / 1000 }),
				median(func(st *loadgen.Stalled, _ loadgen.Latency) float64 { return mebi(st.RSSBefore) }),
				median(func(st *loadgen.Stalled, _ loadgen.Latency) float64 { return mebi(st.RSSPeak) }))
		}
	}
}

// proof writes which side was the limit. It must not be the load generator, also with the cheapest
// server.
func (b *bench) proof(w *strings.Builder) {
	var against []*peer.Server
	for _, s := range b.present() {
		switch s.Name {
		case peer.Bare, "bare-queue", peer.Ours:
			against = append(against, s)
		}
	}
	alone := slices.DeleteFunc(slices.Clone(b.scenarios), func(sc loadgen.Scenario) bool { return sc.Memory || sc.Fleet })
	if len(against) == 0 || len(alone) == 0 {
		return
	}
	w.WriteString("How busy the two cores were, server / load generator. A load generator that works less than the server waits for it, " +
		"and so is not the limit; where it works as much (marked †) the server may not have been driven to its own limit, and its CPU " +
		"per message is that of the rate it got.\n\n")
	w.WriteString("| |")
	for _, s := range against {
		fmt.Fprintf(w, " %s |", s.Title)
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("--:|", len(against)))
	marked, measured := 0, 0
	for _, sc := range alone {
		fmt.Fprintf(w, "| %s", sc.Title)
		for _, s := range against {
			server := b.values(sc, s.Name, func(r loadgen.Result) float64 { return percent(r.ServerCPU, r.Wall) })
			load := b.values(sc, s.Name, func(r loadgen.Result) float64 { return percent(r.ClientCPU, r.Wall) })
			if len(server) == 0 {
				fmt.Fprintf(w, " | %s", none)
				continue
			}
			ms, ml := stats.Summarize(server).Median, stats.Summarize(load).Median
			mark := ""
			measured++
			if loadIsLimit(ms, ml) {
				mark = " †"
				marked++
			}
			fmt.Fprintf(w, " | %.0f %% / %.0f %%%s", ms, ml, mark)
		}
		w.WriteString(" |\n")
	}
	fmt.Fprintf(w, "\nThe load generator may have been the limit in %d of these %d.\n\n", marked, measured)
}

// loadIsLimit reports whether the load generator may have been the limit, and not the server. Both are in
// percent of a core. Other programs may take a part of the cores, so the load generator counts as
// the limit if it has worked more than the server.
func loadIsLimit(server, load float64) bool { return load > 20 && load >= server }

func (b *bench) failures(w *strings.Builder) {
	for _, sc := range b.scenarios {
		for _, m := range b.results[sc.Name] {
			if m.err != nil {
				first, _, _ := strings.Cut(m.err.Error(), "\n")
				fmt.Fprintf(w, "- %s failed in round %d of %s\n", m.server, m.round+1, first)
			}
		}
	}
}
