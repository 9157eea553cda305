package adminui

import (
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// serverStats is the event server_stats.
type serverStats struct {
	ServerID         string         `json:"serverId"`
	Hostname         string         `json:"hostname"`
	PID              int            `json:"pid"`
	Uptime           float64        `json:"uptime"` // seconds
	Clients          int            `json:"clientsCount"`
	PollingClients   int            `json:"pollingClientsCount"`
	AggregatedEvents []count        `json:"aggregatedEvents"`
	Namespaces       []namespaceLen `json:"namespaces"`
}

type namespaceLen struct {
	Name    string `json:"name"`
	Sockets int    `json:"socketsCount"`
}

// count is how often something happened since the previous report.
type count struct {
	Timestamp int64  `json:"timestamp"` // ms
	Type      string `json:"type"`
	SubType   string `json:"subType,omitempty"`
	Count     uint64 `json:"count"`
}

// report sends the server's figures to all pages that have logged in, until UI.Close is called. Pages that are
// connected to other servers on the same broker get them, too.
func (ui *UI) report(before socketio.Stats) {
	tick := time.NewTicker(ui.opts.StatsInterval)
	defer tick.Stop()
	for {
		select {
		case <-ui.closing:
			return
		case <-tick.C:
		}
		now := ui.srv.Stats()
		if err := ui.ns.Emit("server_stats", ui.stats(now, changes(&before, &now, time.Now())), socketio.To(ui.room)); err != nil {
			ui.log.Debug("adminui: server_stats not sent", "error", err)
		}
		before = now
	}
}

// stats returns the present figures, without the namespace of the pages.
func (ui *UI) stats(st socketio.Stats, events []count) serverStats {
	s := serverStats{
		ServerID: ui.opts.ServerID, Hostname: ui.host, PID: os.Getpid(), Uptime: time.Since(ui.began).Seconds(),
		Clients: st.Polling + st.WebSocket, PollingClients: st.Polling,
		AggregatedEvents: events, Namespaces: []namespaceLen{},
	}
	if events == nil {
		s.AggregatedEvents = []count{}
	}
	for name, n := range st.Sockets {
		if name != ui.ns.Name() {
			s.Namespaces = append(s.Namespaces, namespaceLen{name, n})
		}
	}
	slices.SortFunc(s.Namespaces, func(a, b namespaceLen) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// changes returns what has happened between two reports: the page draws it as curves.
func changes(before, now *socketio.Stats, at time.Time) []count {
	all := []count{}
	add := func(what, sub string, was, is uint64) {
		if is > was {
			all = append(all, count{at.Truncate(time.Second).UnixMilli(), what, sub, is - was})
		}
	}
	add("rawConnection", "", before.Opened, now.Opened)
	for reason, n := range now.Closed {
		add("rawDisconnection", string(reason), before.Closed[reason], n)
	}
	add("packetsIn", "", before.PacketsIn, now.PacketsIn)
	add("packetsOut", "", before.PacketsOut, now.PacketsOut)
	add("bytesIn", "", before.BytesIn, now.BytesIn)
	add("bytesOut", "", before.BytesOut, now.BytesOut)
	return all
}
