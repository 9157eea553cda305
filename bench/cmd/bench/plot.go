package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/seed-d124fa34/socketio/bench/internal/plot"
	"github.com/seed-d124fa34/socketio/bench/internal/stats"
	"github.com/seed-d124fa34/socketio/bench/loadgen"
)

// plotted returns the costs of the scenarios over their sizes, a line for each kind of scenario and
// server.
func (b *bench) plotted() plot.Plot {
	p := plot.Plot{X: "clients", Y: "server CPU, µs per " + b.scenarios[0].Unit}
	if b.scenarios[0].Memory {
		p.Y = "memory of a client, KiB"
	}
	bases, sizes := b.bases()
	if bases[0] == "rooms-own" {
		p.X = "rooms"
	}
	p.Title = fmt.Sprintf("%s: from %d to %d %s", strings.Join(bases, ", "), slices.Min(sizes), slices.Max(sizes), p.X)
	for _, base := range bases {
		for _, s := range b.present() {
			line := plot.Series{Name: s.Title}
			if len(bases) > 1 {
				line.Name = base + ", " + s.Name
			}
			for _, sc := range b.scenarios {
				if baseOf(sc) != base {
					continue
				}
				if vs := b.values(sc, s.Name, figure(sc)); len(vs) > 0 {
					spread := stats.Summarize(vs)
					line.Points = append(line.Points, plot.Point{Size: sc.Clients, Min: spread.Min, Mid: spread.Median, Max: spread.Max})
				}
			}
			slices.SortFunc(line.Points, func(x, y plot.Point) int { return x.Size - y.Size })
			p.Series = append(p.Series, line)
		}
	}
	return p
}

func baseOf(sc loadgen.Scenario) string {
	base, _, _ := strings.Cut(sc.Name, "@")
	return base
}

// bases returns the kinds of scenarios, and all sizes.
func (b *bench) bases() (bases []string, sizes []int) {
	for _, sc := range b.scenarios {
		if base := baseOf(sc); !slices.Contains(bases, base) {
			bases = append(bases, base)
		}
		sizes = append(sizes, sc.Clients)
	}
	return bases, sizes
}

// plottable returns an error if the scenarios cannot share an axis.
func (b *bench) plottable() error {
	for _, sc := range b.scenarios {
		if sc.Memory != b.scenarios[0].Memory || (baseOf(sc) == "rooms-own") != (baseOf(b.scenarios[0]) == "rooms-own") {
			return errors.New("-plot: choose scenarios that share their axes: memory or CPU, rooms or clients, such as -scenarios echo@100,echo@1000")
		}
	}
	return nil
}

// writePlot writes name.svg and name.csv.
func (b *bench) writePlot(name string) error {
	p := b.plotted()
	return errors.Join(os.WriteFile(name+".svg", []byte(p.SVG()), 0o644), os.WriteFile(name+".csv", []byte(p.CSV()), 0o644))
}
