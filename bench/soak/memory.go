package soak

import "time"

// fewestSamples is how many samples it takes to speak of a trend.
const fewestSamples = 6

// steadyPart leaves the samples of the warm-up out: the first sixth.
func steadyPart(samples []sample) []sample { return samples[min(len(samples), (len(samples)+5)/6):] }

// trend is how a value developed.
type trend struct {
	mean float64
	rise float64 // over the whole span, by the line that fits best
	span time.Duration
}

// trendOf fits a line (least squares) to at least two samples.
func trendOf(samples []sample, value func(sample) int64) trend {
	n := float64(len(samples))
	var x, y, xx, xy float64
	for _, s := range samples {
		at, v := s.at.Seconds(), float64(value(s))
		x, y, xx, xy = x+at, y+v, xx+at*at, xy+at*v
	}
	t := trend{mean: y / n, span: samples[len(samples)-1].at - samples[0].at}
	if d := n*xx - x*x; d > 0 {
		t.rise = (n*xy - x*y) / d * t.span.Seconds()
	}
	return t
}
