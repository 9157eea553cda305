// Package plot draws a figure over a size, as an SVG image, and writes the same as CSV.
package plot

import (
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Plot is several lines over one axis of sizes. The axis of sizes is logarithmic. The axis of values
// begins at zero, so that a constant cost is a flat line.
type Plot struct {
	Title  string
	X, Y   string // names of the axes
	Series []Series
}

// Series is a line.
type Series struct {
	Name   string
	Points []Point
}

// Point is a value with its spread at a size, which is at least 1.
type Point struct {
	Size          int
	Min, Mid, Max float64
}

const (
	width, height            = 760, 400
	left, right, top, bottom = 60, 170, 40, 50
)

var colours = []string{"#1f6feb", "#cf222e", "#1a7f37", "#8250df", "#bf8700", "#57606a"}

// CSV returns a line for each point.
func (p Plot) CSV() string {
	var w strings.Builder
	w.WriteString("series,size,min,median,max\n")
	for _, s := range p.Series {
		for _, pt := range s.Points {
			fmt.Fprintf(&w, "%s,%d,%.3f,%.3f,%.3f\n", strings.ReplaceAll(s.Name, ",", ""), pt.Size, pt.Min, pt.Mid, pt.Max)
		}
	}
	return w.String()
}

// sizes returns all sizes, sorted, and the highest value.
func (p Plot) sizes() (sizes []int, highest float64) {
	for _, s := range p.Series {
		for _, pt := range s.Points {
			sizes = append(sizes, pt.Size)
			highest = max(highest, pt.Max)
		}
	}
	slices.Sort(sizes)
	return slices.Compact(sizes), highest
}

// SVG returns the image.
func (p Plot) SVG() string {
	sizes, highest := p.sizes()
	if len(sizes) == 0 {
		sizes = []int{1}
	}
	step := niceStep(highest)
	ceiling := step * max(1, math.Ceil(highest/step))
	low, high := math.Log(float64(sizes[0])), math.Log(float64(sizes[len(sizes)-1]))
	x := func(size int) float64 {
		if high == low {
			return left
		}
		return left + (math.Log(float64(size))-low)/(high-low)*(width-left-right)
	}
	y := func(v float64) float64 { return height - bottom - v/ceiling*(height-top-bottom) }

	var w strings.Builder
	fmt.Fprintf(&w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&w, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	text(&w, left, 22, "start", "#1f2328", p.Title)
	text(&w, (left+width-right)/2, height-12, "middle", "#57606a", p.X)
	fmt.Fprintf(&w, `<g transform="rotate(-90 16 %d)">`, (top+height-bottom)/2)
	text(&w, 16, float64(top+height-bottom)/2, "middle", "#57606a", p.Y)
	w.WriteString("</g>\n")
	for v := 0.0; v <= ceiling+step/2; v += step {
		fmt.Fprintf(&w, `<path d="M%d %.1fH%d" stroke="#d0d7de"/>`+"\n", left, y(v), width-right)
		text(&w, left-8, y(v)+4, "end", "#57606a", strconv.FormatFloat(v, 'g', 4, 64))
	}
	last := math.Inf(-1)
	for _, size := range sizes {
		if x(size)-last < 40 { // no room for its number
			continue
		}
		last = x(size)
		text(&w, last, height-bottom+18, "middle", "#57606a", strconv.Itoa(size))
	}
	ends := labels(p.Series, y)
	for i, s := range p.Series {
		colour := colours[i%len(colours)]
		var line strings.Builder
		for j, pt := range s.Points {
			fmt.Fprintf(&line, "%c%.1f %.1f", "ML"[min(j, 1)], x(pt.Size), y(pt.Mid))
			fmt.Fprintf(&w, `<path d="M%.1f %.1fV%.1f" stroke="%s" opacity=".5"/><circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n",
				x(pt.Size), y(pt.Min), y(pt.Max), colour, x(pt.Size), y(pt.Mid), colour)
		}
		fmt.Fprintf(&w, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", line.String(), colour)
		text(&w, width-right+8, ends[i], "start", colour, s.Name)
	}
	w.WriteString("</svg>\n")
	return w.String()
}

// labels returns the places of the names of the lines: at their ends, without overlapping.
func labels(series []Series, y func(float64) float64) []float64 {
	at, order := make([]float64, len(series)), make([]int, len(series))
	for i, s := range series {
		order[i] = i
		if n := len(s.Points); n > 0 {
			at[i] = y(s.Points[n-1].Mid) + 4
		}
	}
	slices.SortFunc(order, func(a, b int) int { return int(at[a]*10 - at[b]*10) })
	for i := 1; i < len(order); i++ {
		at[order[i]] = max(at[order[i]], at[order[i-1]]+14)
	}
	return at
}

// niceStep returns the distance between the marks of an axis that ends at highest.
func niceStep(highest float64) float64 {
	if highest <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(highest)))
	for _, f := range []float64{0.1, 0.2, 0.25, 0.5, 1} {
		if highest <= 6*f*power {
			return f * power
		}
	}
	return 2 * power
}

func text(w *strings.Builder, x, y float64, anchor, colour, s string) {
	fmt.Fprintf(w, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">`, x, y, anchor, colour)
	_ = xml.EscapeText(w, []byte(s)) // writing to a Builder does not fail
	w.WriteString("</text>\n")
}
