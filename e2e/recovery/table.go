package recovery

import (
	"fmt"
	"slices"
	"strings"
)

// Table has the verdicts of several scenarios and kinds of servers.
type Table struct {
	rows    []tableRow
	servers []string // its columns
}

type tableRow struct {
	name  string
	cells map[string]tableCell
}

type tableCell struct {
	Verdict
	times int
	err   error
}

// Add adds a verdict, or the error if there is none. Verdicts for the same scenario and kind of
// server add up.
func (t *Table) Add(sc Scenario, server string, v Verdict, err error) {
	if !slices.Contains(t.servers, server) {
		t.servers = append(t.servers, server)
	}
	i := slices.IndexFunc(t.rows, func(r tableRow) bool { return r.name == sc.Name })
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, tableRow{sc.Name, make(map[string]tableCell)})
	}
	c := t.rows[i].cells[server]
	c.times++
	if err != nil {
		c.err = err
	}
	c.Clients += v.Clients
	c.Perfect += v.Perfect
	c.Owed += v.Owed
	c.Delivered += v.Delivered
	c.Twice += v.Twice
	c.Disorder += v.Disorder
	c.Forbidden += v.Forbidden
	c.Returns += v.Returns
	c.Recovered += v.Recovered
	c.Faults += v.Faults
	t.rows[i].cells[server] = c
}

// Bad counts the scenarios in which a kind of server did not do what recovery
// promises.
func (t *Table) Bad(server string) (n int) {
	for _, r := range t.rows {
		if c, ok := r.cells[server]; ok && (c.err != nil || !c.Good()) {
			n++
		}
	}
	return n
}

// Markdown returns the table.
func (t *Table) Markdown() string {
	order := []string{NPM, NPMStreams, Ours}
	slices.SortFunc(t.servers, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	var b strings.Builder
	fmt.Fprintf(&b, "| scenario | %s |\n|---|%s\n", strings.Join(t.servers, " | "), strings.Repeat("---|", len(t.servers)))
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| %s |", r.name)
		for _, server := range t.servers {
			text := ""
			if c, ok := r.cells[server]; ok {
				text = c.String()
			}
			fmt.Fprintf(&b, " %s |", text)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// String returns the share of the events that were delivered, in parentheses the share of the returns
// that were recovered, and what else went wrong.
func (c tableCell) String() string {
	if c.err != nil {
		return "failed"
	}
	text := fmt.Sprintf("%s (%s)", percent(c.Delivered, c.Owed), percent(c.Recovered, c.Returns))
	for _, fault := range []struct {
		n    int
		what string
	}{{c.Twice, "twice"}, {c.Disorder, "out of order"}, {c.Forbidden, "forbidden"}, {c.Faults, "other faults"}} {
		if fault.n > 0 {
			text += fmt.Sprintf(", %d %s", fault.n, fault.what)
		}
	}
	return text
}

// percent returns a share such as "99.9". It returns "100" only if nothing is missing.
func percent(part, whole int) string {
	switch {
	case part == whole:
		return "100"
	case part == 0:
		return "0"
	}
	return fmt.Sprintf("%.1f", min(float64(part)/float64(whole)*100, 99.9))
}
