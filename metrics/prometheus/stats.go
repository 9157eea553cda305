package prometheus

import (
	client "github.com/prometheus/client_golang/prometheus"

	"github.com/seed-d124fa34/socketio"
)

// prefix is what all names begin with.
const prefix = "socketio_"

// descs are those of all metrics that are read at a scrape.
var descs []*client.Desc

func describe(name, help string, labels ...string) *client.Desc {
	d := client.NewDesc(prefix+name, help, labels, nil)
	descs = append(descs, d)
	return d
}

var (
	connections    = describe("connections", "Open connections by their present transport.", "transport")
	sockets        = describe("sockets", `Sockets by namespace; "*" are those of namespaces that clients named.`, "namespace")
	rooms          = describe("rooms", "Rooms with at least one member.")
	sendQueueBytes = describe("send_queue_bytes", "Bytes that wait to be written to clients.")

	opened    = describe("connections_opened_total", "Connections that were accepted.")
	closed    = describe("connections_closed_total", `Connections that have ended, by reason; "slow client" are those that did not take what was sent to them.`, "reason")
	refused   = describe("requests_refused_total", "HTTP requests answered with an error, by cause.", "cause")
	upgrades  = describe("upgrades_total", "Upgrades from polling to WebSocket that were begun, by result.", "result")
	limitHits = describe("limit_hits_total", "How often a limit was reached, by the name of its option.", "limit")

	packetsReceived = describe("packets_received_total", "Packets from clients, heartbeats included.")
	packetsSent     = describe("packets_sent_total", "Packets to clients, heartbeats included.")
	bytesReceived   = describe("received_bytes_total", "Bytes of the packets from clients, after decompression.")
	bytesSent       = describe("sent_bytes_total", "Bytes of the packets to clients, before compression.")
	eventsReceived  = describe("events_received_total", "Events from clients.")
	eventsSent      = describe("events_sent_total", "Events to clients, once for each recipient.")
	volatileDropped = describe("volatile_events_dropped_total", "Volatile events that were not sent to a client.")

	connectErrors = describe("connect_errors_total", "Clients refused by a namespace.")
	handlerErrors = describe("handler_errors_total", "Errors of handlers, middleware and callbacks, arguments that did not fit, and unknown events that asked for an acknowledgement.")
	panics        = describe("panics_total", "Panics of the application's code that were recovered.")
)

func collectStats(ch chan<- client.Metric, srv *socketio.Server) {
	st := srv.Stats()
	gauge := func(d *client.Desc, v float64, labels ...string) {
		ch <- client.MustNewConstMetric(d, client.GaugeValue, v, labels...)
	}
	counter := func(d *client.Desc, v uint64, labels ...string) {
		ch <- client.MustNewConstMetric(d, client.CounterValue, float64(v), labels...)
	}

	gauge(connections, float64(st.Polling), "polling")
	gauge(connections, float64(st.WebSocket), "websocket")
	for ns, n := range fold(st.Sockets, srv.Namespaces()) {
		gauge(sockets, float64(n), ns)
	}
	gauge(rooms, float64(st.Rooms))
	gauge(sendQueueBytes, float64(st.QueuedBytes))

	counter(opened, st.Opened)
	for reason, n := range st.Closed {
		counter(closed, n, string(reason))
	}
	for cause, n := range st.Refused {
		counter(refused, n, cause)
	}
	counter(upgrades, st.Upgrades, "completed")
	counter(upgrades, st.UpgradesFailed, "failed")
	for limit, n := range st.LimitHits {
		counter(limitHits, n, limit)
	}

	counter(packetsReceived, st.PacketsIn)
	counter(packetsSent, st.PacketsOut)
	counter(bytesReceived, st.BytesIn)
	counter(bytesSent, st.BytesOut)
	counter(eventsReceived, st.EventsIn)
	counter(eventsSent, st.EventsOut)
	counter(volatileDropped, st.VolatileDropped)

	counter(connectErrors, st.ConnectErrors)
	counter(handlerErrors, st.HandlerErrors)
	counter(panics, st.Panics)
}

// fold counts the sockets of namespaces that the server does not know as those
// of "*", since clients chose the names.
func fold(sockets map[string]int, known []string) map[string]int {
	folded := make(map[string]int, len(known))
	for _, ns := range known {
		folded[ns] = 0 // a series that exists before its first client
	}
	for ns, n := range sockets {
		if _, ok := folded[ns]; !ok {
			ns = unnamed
		}
		folded[ns] += n
	}
	return folded
}

// unnamed is the label of what only clients have named.
const unnamed = "*"
