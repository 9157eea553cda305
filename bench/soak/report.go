package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is what a soak found.
type Report struct {
	Markdown   string
	Violations int
}

func (r *run) report() *Report {
	violations := 0
	for _, n := range r.found {
		violations += n
	}
	var w strings.Builder
	verdict := "no violations"
	if violations > 0 {
		verdict = fmt.Sprintf("%d VIOLATIONS", violations)
	}
	fmt.Fprintf(&w, "Soak of %d clients for %v (seed %d): %s.\n\n", r.cfg.Clients, r.activeAt.Round(time.Second), r.cfg.Seed, verdict)
	r.writeFaults(&w)
	r.writeTraffic(&w)
	r.writeComings(&w)
	r.writeMemory(&w)
	return &Report{w.String(), violations}
}

func (r *run) writeFaults(w *strings.Builder) {
	for _, kind := range []string{faultLost, faultDuplicate, faultOrder, faultStray, faultPayload, faultProtocol, faultDisconnect,
		faultUnanswered, faultBooks, faultIndex, faultMemory, faultServer} {
		fmt.Fprintf(w, "- %s: %d\n", kind, r.found[kind])
	}
	w.WriteString("\n")
	for _, f := range r.faults {
		fmt.Fprintf(w, "    %s: %s\n", f.kind, f.text)
	}
	if len(r.faults) > 0 {
		w.WriteString("\n")
	}
}

func (r *run) writeTraffic(w *strings.Builder) {
	var sent, acked, heard int64
	w.WriteString("| | sent | acknowledged | heard | p50 ms | p99 ms | max ms |\n|---|--:|--:|--:|--:|--:|--:|\n")
	for k := range kinds {
		c, h := r.counts[k], &r.hists[k]
		if h.Count() == 0 && c.sent == 0 && c.heard == 0 {
			continue
		}
		sent, acked, heard = sent+c.sent, acked+c.acked, heard+c.heard
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s |\n", k, some(c.sent), some(c.acked), some(c.heard),
			millis(h.Quantile(0.5)), millis(h.Quantile(0.99)), millis(h.Max()))
	}
	fmt.Fprintf(w, "| all | %d | %d | %d | | | |\n\n", sent, acked, heard)
	seconds := max(r.activeAt.Seconds(), 0.001)
	fmt.Fprintf(w, "Of a core (100 %%) the server used %.0f %%, the clients %.0f %%. At worst the clients got round to nothing for %v, the server for %v: "+
		"where that is seconds the machine was too busy with something else, and clients and server may have timed out.\n\n",
		100*r.cpu.server.Seconds()/seconds, 100*r.cpu.clients.Seconds()/seconds,
		r.stall.Round(time.Millisecond), time.Duration(r.final.status.Stall).Round(time.Millisecond))
}

func some(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func millis(ns int64) string { return fmt.Sprintf("%.2f", float64(ns)/1e6) }

func (r *run) writeComings(w *strings.Builder) {
	s := r.final.status
	fmt.Fprintf(w, "Sockets: %d connected, %d disconnected, %d compared with what their clients knew.", s.Connects, s.Disconnects, r.ended)
	for _, why := range slices.Sorted(maps.Keys(s.Reasons)) {
		fmt.Fprintf(w, " %s: %d.", why, s.Reasons[why])
	}
	w.WriteString(" Clients that came and went, by how they left:")
	for e, n := range r.leaves {
		if n > 0 {
			fmt.Fprintf(w, " %v: %d.", ending(e), n)
		}
	}
	fmt.Fprintf(w, " Upgrades given up: %d.", r.abandons)
	if r.cfg.Recovery {
		fmt.Fprintf(w, " Clients that lost their connection and came back in their session: %d.", r.returns)
	}
	fmt.Fprintf(w, " The index was compared %d times.\n\n", r.audits+1)
}

func (r *run) writeMemory(w *strings.Builder) {
	row := func(what string, s sample) {
		fmt.Fprintf(w, "| %s | %v | %.1f | %.1f | %.1f | %.1f | %d | %d | %d | %d |\n", what, s.at.Round(time.Second),
			mib(s.rss), mib(s.collected), mib(s.live), mib(s.heap), s.goroutines, s.descriptors, s.sockets, s.conns)
	}
	w.WriteString("| server | at | RSS MiB | RSS after GC | objects on the heap | heap with gaps | goroutines | descriptors | sockets | clients' connections |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	row("before", r.base)
	if n := len(r.samples); n > 0 {
		row("first", r.samples[0])
		if n > 2 {
			row("middle", r.samples[n/2])
		}
		if n > 1 {
			row("last", r.samples[n-1])
		}
	}
	row("after", r.final)
	w.WriteString("\n")
	if steady := steadyPart(r.samples); len(steady) >= 2 {
		live := trendOf(steady, func(s sample) int64 { return s.live })
		heap := trendOf(steady, func(s sample) int64 { return s.heap })
		rss := trendOf(steady, func(s sample) int64 { return s.collected })
		fmt.Fprintf(w, "After the warm-up, in %v: objects on the heap %+.2f MiB (%.2f %%), heap with gaps %+.2f MiB (%.2f %%), RSS %+.2f MiB (%.2f %%), by the line that fits best.\n",
			live.span.Round(time.Second), live.rise/(1<<20), 100*live.rise/live.mean, heap.rise/(1<<20), 100*heap.rise/heap.mean, rss.rise/(1<<20), 100*rss.rise/rss.mean)
	}
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// progress logs a line now and then.
func (r *run) progress() {
	var events, heard int64
	at := r.elapsed()
	var again func()
	again = func() {
		var e, h int64
		for k := range kinds {
			e, h = e+r.counts[k].acked, h+r.counts[k].heard
		}
		now, found := r.elapsed(), 0
		for _, n := range r.found {
			found += n
		}
		seconds := (now - at).Seconds()
		p99 := time.Duration(r.hists[kindEcho].Quantile(0.99)).Round(10 * time.Microsecond)
		rss, _ := r.cfg.Server.RSS()
		r.cfg.Logf("%v: %d sockets, %d connections; %.0f events/s acknowledged, %.0f messages/s heard; echo p99 %v; server %.0f MiB; %d violations",
			now.Round(time.Second), len(r.sids), r.Conns(), float64(e-events)/seconds, float64(h-heard)/seconds, p99, mib(rss), found)
		events, heard, at = e, h, now
		r.After(r.cfg.Progress, again)
	}
	r.After(r.cfg.Progress, again)
}
