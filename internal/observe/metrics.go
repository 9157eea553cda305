// Package observe is what the modules for Prometheus and OpenTelemetry have in common: the
// metrics of a server, and the classes of errors.
package observe

import (
	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/broker"
)

// Metric is a value of a server, or a set of values that differ by a label.
type Metric struct {
	Name  string // without the prefix "socketio", with dots as in OpenTelemetry
	Unit  string // as UCUM writes it; "" for none
	Help  string
	Label string // of its values; "" if there is one value
	Total bool   // it counts since the server was made, and never shrinks
	read  func(*state, func(label string, value int64))
}

// unnamed is the label for all names that clients have chosen.
const unnamed = "*"

// Metrics are all metrics. Those of the broker, and of recovery, have no values on a server
// without it.
var Metrics = []*Metric{
	{"connections", "{connection}", "Open connections by their present transport.", "transport", false,
		func(st *state, yield func(string, int64)) {
			yield("polling", int64(st.Polling))
			yield("websocket", int64(st.WebSocket))
		}},
	{"connections.by_revision", "{connection}", "Open connections by the revision of Engine.IO that their clients speak.", "revision", false,
		func(st *state, yield func(string, int64)) {
			yield("3", int64(st.Revision3))
			yield("4", int64(st.Polling+st.WebSocket-st.Revision3))
		}},
	{"sockets", "{socket}", `Sockets by namespace; "*" are those of namespaces that clients named.`, "namespace", false, readSockets},
	{"rooms", "{room}", "Rooms with at least one member.", "", false,
		one(func(st *state) int { return st.Rooms })},
	{"connections.paused", "{connection}", "Connections that are not read from, because their events wait for their handlers.", "", false,
		one(func(st *state) int { return st.Paused })},
	{"send_queue", "By", "Bytes that wait to be written to clients.", "", false,
		one(func(st *state) int64 { return st.QueuedBytes })},

	{"connections.opened", "{connection}", "Connections that were accepted.", "", true,
		one(func(st *state) uint64 { return st.Opened })},
	{"connections.closed", "{connection}", `Connections that have ended, by reason; "slow client" are those that did not take what was sent to them.`, "reason", true,
		each(func(st *state) map[socketio.Reason]uint64 { return st.Closed })},
	{"requests.refused", "{request}", "HTTP requests answered with an error, by cause.", "cause", true,
		each(func(st *state) map[string]uint64 { return st.Refused })},
	{"requests.handed_over", "{request}", "HTTP requests of other servers' sessions that those have answered.", "", true,
		one(func(st *state) uint64 { return st.HandedOver })},
	{"upgrades", "{upgrade}", "Upgrades from polling to WebSocket that were begun, by result.", "result", true,
		func(st *state, yield func(string, int64)) {
			yield("completed", int64(st.Upgrades))
			yield("failed", int64(st.UpgradesFailed))
		}},
	{"limit_hits", "{hit}", "How often a limit was reached, by the name of its option.", "limit", true,
		each(func(st *state) map[string]uint64 { return st.LimitHits })},

	{"packets.received", "{packet}", "Packets from clients, heartbeats included.", "", true,
		one(func(st *state) uint64 { return st.PacketsIn })},
	{"packets.sent", "{packet}", "Packets to clients, heartbeats included.", "", true,
		one(func(st *state) uint64 { return st.PacketsOut })},
	{"received", "By", "Bytes of the packets from clients, after decompression.", "", true,
		one(func(st *state) uint64 { return st.BytesIn })},
	{"sent", "By", "Bytes of the packets to clients, before compression.", "", true,
		one(func(st *state) uint64 { return st.BytesOut })},
	{"events.received", "{event}", "Events from clients.", "", true,
		one(func(st *state) uint64 { return st.EventsIn })},
	{"events.sent", "{event}", "Events to clients, once for each recipient.", "", true,
		one(func(st *state) uint64 { return st.EventsOut })},
	{"volatile_events.dropped", "{event}", "Volatile events that were not sent to a client.", "", true,
		one(func(st *state) uint64 { return st.VolatileDropped })},

	{"connect_errors", "{error}", "Clients refused by a namespace.", "", true,
		one(func(st *state) uint64 { return st.ConnectErrors })},
	{"handler_errors", "{error}", "Errors of handlers, middleware and callbacks, arguments that did not fit, and unknown events that asked for an acknowledgement.", "", true,
		one(func(st *state) uint64 { return st.HandlerErrors })},
	{"panics", "{panic}", "Panics of the application's code that were recovered.", "", true,
		one(func(st *state) uint64 { return st.Panics })},

	{"recovery.away", "{socket}", "Sockets whose clients have lost their connection and may come back.", "", false,
		ofRecovery(func(r *socketio.RecoveryStats, yield func(string, int64)) {
			away := 0
			for _, n := range r.Away {
				away += n
			}
			yield("", int64(away))
		})},
	{"recovery.kept", "By", "Memory of the events that are kept for clients that may come back.", "", false,
		ofRecovery(func(r *socketio.RecoveryStats, yield func(string, int64)) { yield("", r.KeptBytes) })},
	{"recovery.recovered", "{client}", "Clients that came back to their session.", "", true,
		ofRecovery(func(r *socketio.RecoveryStats, yield func(string, int64)) { yield("", int64(r.Recovered)) })},
	{"recovery.not_recovered", "{client}", "Clients that wanted to come back and got a new session, by cause.", "cause", true,
		ofRecovery(func(r *socketio.RecoveryStats, yield func(string, int64)) {
			for cause, n := range r.NotRecovered {
				yield(cause, int64(n))
			}
		})},
	{"recovery.expired", "{session}", "Sessions that have ended while their client was away, by cause.", "cause", true,
		ofRecovery(func(r *socketio.RecoveryStats, yield func(string, int64)) {
			for why, n := range r.Expired {
				yield(string(why), int64(n))
			}
		})},
	{"recovery.moved", "{session}", `Sessions that have moved between servers, by direction: "in" to this server or "out" to another one.`, "direction", true,
		ofRecovery(func(r *socketio.RecoveryStats, yield func(string, int64)) {
			yield("in", int64(r.MovedIn))
			yield("out", int64(r.MovedOut))
		})},

	{"broker.connected", "", "1 while messages go to the other servers and come from them, else 0.", "", false,
		ofBroker(func(b *broker.Status) int {
			if b.Connected {
				return 1
			}
			return 0
		})},
	{"broker.outages", "{outage}", "How often the connection with the broker was lost.", "", true,
		ofBroker(func(b *broker.Status) uint64 { return b.Outages })},
	{"broker.queue.messages", "{message}", "Messages that wait to be published.", "", false,
		ofBroker(func(b *broker.Status) int { return b.Waiting })},
	{"broker.queue", "By", "Bytes of the messages that wait to be published.", "", false,
		ofBroker(func(b *broker.Status) int { return b.WaitingBytes })},
	{"broker.messages.published", "{message}", "Messages published.", "", true,
		ofBroker(func(b *broker.Status) uint64 { return b.Published })},
	{"broker.messages.received", "{message}", "Messages received from other servers.", "", true,
		ofBroker(func(b *broker.Status) uint64 { return b.Received })},
	{"broker.messages.replayed", "{message}", "Messages received late, after an outage, from the broker's history.", "", true,
		ofBroker(func(b *broker.Status) uint64 { return b.Replayed })},
	{"broker.gaps", "{gap}", "Outages that were longer than the broker's history, so that messages were lost.", "", true,
		ofBroker(func(b *broker.Status) uint64 { return b.Gaps })},
	{"broker.messages.dropped", "{message}", "Messages not published because the broker was away or too slow.", "", true,
		ofBroker(func(b *broker.Status) uint64 { return b.Dropped })},
	{"broker.messages.ignored", "{message}", "Messages on the channel that could not be used.", "", true,
		ofBroker(func(b *broker.Status) uint64 { return b.Ignored })},
}

// Read reads all metrics of a server at this moment. It takes as long as
// [socketio.Server.Stats].
func Read(srv *socketio.Server, yield func(m *Metric, label string, value int64)) {
	st := &state{srv.Stats(), srv.BrokerStatus(), srv.Namespaces()}
	for _, m := range Metrics {
		m.read(st, func(label string, value int64) { yield(m, label, value) })
	}
}

// state is what Read reads from.
type state struct {
	socketio.Stats
	broker broker.Status
	known  []string // namespaces that the application has named
}

type number interface{ int | int64 | uint64 }

func one[N number](get func(*state) N) func(*state, func(string, int64)) {
	return func(st *state, yield func(string, int64)) { yield("", int64(get(st))) }
}

func each[K ~string](get func(*state) map[K]uint64) func(*state, func(string, int64)) {
	return func(st *state, yield func(string, int64)) {
		for label, n := range get(st) {
			yield(string(label), int64(n))
		}
	}
}

// ofBroker has no value on a server without a broker, whose status is all zero.
func ofBroker[N number](get func(*broker.Status) N) func(*state, func(string, int64)) {
	return func(st *state, yield func(string, int64)) {
		if !st.broker.Since.IsZero() {
			yield("", int64(get(&st.broker)))
		}
	}
}

// ofRecovery has no values on a server without Options.Recovery.
func ofRecovery(read func(*socketio.RecoveryStats, func(string, int64))) func(*state, func(string, int64)) {
	return func(st *state, yield func(string, int64)) {
		if st.Recovery.Expired != nil {
			read(&st.Recovery, yield)
		}
	}
}

// readSockets counts the sockets of namespaces that the server does not know as
// those of unnamed, since clients chose the names.
func readSockets(st *state, yield func(string, int64)) {
	folded := make(map[string]int, len(st.known))
	for _, ns := range st.known {
		folded[ns] = 0 // a series that exists before its first client
	}
	for ns, n := range st.Sockets {
		if _, ok := folded[ns]; !ok {
			ns = unnamed
		}
		folded[ns] += n
	}
	for ns, n := range folded {
		yield(ns, int64(n))
	}
}
