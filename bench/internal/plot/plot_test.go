package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlot(t *testing.T) {
	p := Plot{Title: "cost & size", X: "clients", Y: "µs", Series: []Series{
		{"ours", []Point{{100, 8, 9, 10}, {10_000, 9, 10, 11.5}}},
		{"bare, plain", []Point{{100, 7, 8, 9}, {10_000, 9, 10, 11}}},
	}}
	assert.Equal(t, "series,size,min,median,max\nours,100,8.000,9.000,10.000\nours,10000,9.000,10.000,11.500\n"+
		"bare plain,100,7.000,8.000,9.000\nbare plain,10000,9.000,10.000,11.000\n", p.CSV())
	svg := p.SVG()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err, svg)
		}
	}
	// Up to 11.5 the axis ends at 12: 310 pixels above the line of zero.
	for _, want := range []string{"cost &amp; size", ">10000<", ">12<", `<circle cx="60.0" cy="117.5"`, `<circle cx="590.0" cy="91.7"`, "M60.0 117.5L590.0 91.7"} {
		assert.Contains(t, svg, want)
	}
	assert.NotContains(t, Plot{}.SVG(), "NaN")
	one := Plot{Series: []Series{{"one", []Point{{5, 0, 0, 0}}}}}
	assert.NotContains(t, one.SVG(), "NaN")
}

func TestLabelsDoNotOverlap(t *testing.T) {
	point := func(v float64) Series { return Series{Points: []Point{{1, v, v, v}}} }
	at := labels([]Series{point(10), point(11), point(100)}, func(v float64) float64 { return v })
	assert.Equal(t, []float64{14, 28, 104}, at)
}

func TestNiceStep(t *testing.T) {
	for highest, want := range map[float64]float64{0: 1, 11.5: 2, 0.9: 0.2, 60: 10, 61: 20, 99: 20, 1.4: 0.25, 0.013: 0.0025} {
		assert.InDelta(t, want, niceStep(highest), want/1e6, highest)
	}
}
