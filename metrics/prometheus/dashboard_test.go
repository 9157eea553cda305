package prometheus_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

type panel struct {
	Title   string
	Type    string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr, LegendFormat string }
}

var (
	metric   = regexp.MustCompile(`\bsocketio_\w+`)
	grouping = regexp.MustCompile(`\bby \(([^)]*)\)`)
	matcher  = regexp.MustCompile(`(\w+)=~?"`)
	legend   = regexp.MustCompile(`{{(\w+)}}`)
)

// collected returns the labels of every series that a scrape can contain, by name.
func collected(t *testing.T) map[string][]string {
	r := newRig(t, &socketio.Options{Recovery: new(socketio.Recovery), Cluster: socketio.ClusterOptions{Broker: new(brokertest.Memory).Connect()}})
	r.srv.On("say", func(*socketio.Context) error { return &socketio.Error{Message: "no"} })
	socketiotest.Connect(t, r.srv, nil).Call("say")
	labels := map[string][]string{} // by name of the series
	for series := range r.scrape() {
		name, in, _ := strings.Cut(series, "{")
		if !strings.HasPrefix(name, "socketio_") {
			continue
		}
		labels[name] = append(labels[name], "job", "instance") // the scraping server's
		for _, m := range matcher.FindAllStringSubmatch(in, -1) {
			labels[name] = append(labels[name], m[1])
		}
	}
	return labels
}

// The dashboard uses only series and labels that exist, and shows everything that is collected.
func TestDashboardAsksForWhatIsCollected(t *testing.T) {
	labels := collected(t)
	text, err := os.ReadFile("../grafana/dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels     []panel
		Templating struct {
			List []struct {
				Name, Type string
				Definition string
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	asked := map[string]bool{}
	variables := map[string]bool{"__rate_interval": true}
	for _, v := range dashboard.Templating.List {
		variables[v.Name] = true
		for _, name := range metric.FindAllString(v.Definition, -1) {
			assert.Contains(t, labels, name, "variable %s", v.Name)
		}
	}
	for _, p := range dashboard.Panels {
		require.True(t, p.Type == "row" || len(p.Targets) > 0, p.Title)
		for _, q := range p.Targets {
			names := metric.FindAllString(q.Expr, -1)
			assert.NotEmpty(t, names, q.Expr)
			var used, grouped []string
			for _, m := range matcher.FindAllStringSubmatch(q.Expr, -1) {
				used = append(used, m[1])
			}
			for _, m := range grouping.FindAllStringSubmatch(q.Expr, -1) {
				grouped = append(grouped, strings.Split(m[1], ", ")...)
			}
			for _, m := range legend.FindAllStringSubmatch(q.LegendFormat, -1) {
				assert.Contains(t, grouped, m[1], "%s: the legend of %s", p.Title, q.Expr)
			}
			for _, name := range names {
				asked[family(name)] = true
				assert.Subset(t, labels[name], append(used, grouped...), "%s: no such series: %s", p.Title, q.Expr)
			}
			for _, v := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(q.Expr, -1) {
				assert.True(t, variables[v[1]], "%s: no variable %s", p.Title, v[0])
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		assert.True(t, asked[family(name)], "%s is not on the dashboard", name)
	}
}

// The table in the document lists exactly what is collected.
func TestDocumentNamesWhatIsCollected(t *testing.T) {
	text, err := os.ReadFile("../../docs/observability.md")
	require.NoError(t, err)
	families := map[string]bool{}
	for name := range collected(t) {
		families[family(name)] = true
	}
	named := map[string]bool{}
	for _, name := range metric.FindAllString(string(text), -1) {
		named[family(name)] = true
	}
	assert.Equal(t, slices.Sorted(maps.Keys(families)), slices.Sorted(maps.Keys(named)))
}

// No panel hides another.
func TestDashboardPanelsDoNotOverlap(t *testing.T) {
	text, err := os.ReadFile("../grafana/dashboard.json")
	require.NoError(t, err)
	var dashboard struct{ Panels []panel }
	require.NoError(t, json.Unmarshal(text, &dashboard))
	require.NotEmpty(t, dashboard.Panels)
	taken := map[[2]int]string{}
	for _, p := range dashboard.Panels {
		g := p.GridPos
		require.True(t, g.W > 0 && g.H > 0 && g.X+g.W <= 24, p.Title)
		for x := range g.W {
			for y := range g.H {
				place := [2]int{g.X + x, g.Y + y}
				require.Empty(t, taken[place], "%s is where another panel is", p.Title)
				taken[place] = p.Title
			}
		}
	}
}

// family returns the name of a metric: that of a series without the suffix of a histogram.
func family(series string) string {
	return regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(series, "")
}
