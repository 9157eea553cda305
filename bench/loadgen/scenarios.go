package loadgen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-d124fa34/socketio/bench/workload"
)

// Scenario is one kind of load.
type Scenario struct {
	Name    string
	Title   string
	Unit    string // what Result.Messages counts
	Answer  string // the event of package workload that a bare server answers
	Clients int
	Polling bool // it needs no WebSocket
	Memory  bool // it measures memory, not CPU time
	Fleet   bool // it needs another server and a Redis
	Untimed bool // it measures no latency
	TLS     bool // it needs a server with TLS

	run func(*run) error
}

type template struct {
	name, title, unit, answer string
	clients, quick            int // default sizes
	polling, memory           bool
	fleet, untimed, tls       bool
	named                     bool // it runs only if it is named, because not every kind of server supports it
	build                     func(n int) func(*run) error
}

var templates = []template{
	{name: "echo", title: "echo with ack, %s clients, one in flight each, 64 bytes", unit: "message", answer: workload.Echo, clients: 100,
		build: func(n int) func(*run) error { return echo(n, 1, workload.Echo) }},
	{name: "echo-many", title: "echo, %s clients", unit: "message", answer: workload.Echo, clients: 2000,
		build: func(n int) func(*run) error { return echo(n, 1, workload.Echo) }},
	{name: "echo-pipelined", title: "echo, %s clients, 32 in flight each", unit: "message", answer: workload.Echo, clients: 20,
		build: func(n int) func(*run) error { return echo(n, 32, workload.Echo) }},
	{name: "json", title: "echo of a 1 KiB JSON object, decoded into a struct, %s clients", unit: "message", answer: workload.EchoJSON, clients: 100,
		build: func(n int) func(*run) error { return echo(n, 1, workload.EchoJSON) }},
	{name: "json-raw", title: "the same, %s clients, relayed as it came: socketio.Raw", unit: "message", answer: workload.EchoRaw, clients: 100, named: true,
		build: func(n int) func(*run) error { return echo(n, 1, workload.EchoRaw) }},
	{name: "binary", title: "binary echo, 64 bytes, %s clients", unit: "message", answer: workload.EchoBinary, clients: 100,
		build: func(n int) func(*run) error { return echo(n, 1, workload.EchoBinary) }},
	{name: "tls", title: "echo with ack over TLS, %s clients, one in flight each, 64 bytes", unit: "message", answer: workload.Echo, clients: 100, tls: true,
		build: tlsEcho},
	{name: "polling", title: "polling echo, %s clients", unit: "message", answer: workload.Echo, clients: 100, polling: true,
		build: pollingEcho},
	{name: "broadcast", title: "broadcast to %s, one at a time", unit: "delivery", answer: workload.Broadcast, clients: 1000,
		build: func(n int) func(*run) error { return broadcast(n, 1) }},
	{name: "broadcast-pipelined", title: "broadcast to %s, 8 in flight", unit: "delivery", answer: workload.Broadcast, clients: 1000,
		build: func(n int) func(*run) error { return broadcast(n, 8) }},
	{name: "rooms-own", title: "messages to own room, 100 clients, %s rooms", unit: "message", answer: workload.Room, clients: 1000,
		build: func(n int) func(*run) error { return ownRooms(min(n, 100), max(1, n/100)) }},
	{name: "connect", title: "connect (WebSocket, one namespace) and close, %s at a time", unit: "connection", answer: workload.Echo, clients: 16,
		build: connecting},
	{name: "upgrade", title: "connect by polling, upgrade, close, %s at a time", unit: "connection", answer: workload.Echo, clients: 64,
		build: upgrading},
	{name: "idle", title: "memory of an idle WebSocket client, %s of them", unit: "connection", answer: workload.Echo, clients: 10_000, quick: 3000, memory: true,
		build: idle},
	{name: "room-large", title: "message to one room of %s", unit: "delivery", answer: workload.Room, clients: 10_000,
		build: func(n int) func(*run) error { return sharedRooms(n, 1, 1) }},
	{name: "rooms-shared", title: "messages to rooms of 10, %s clients", unit: "delivery", answer: workload.Room, clients: 10_000,
		build: func(n int) func(*run) error { return sharedRooms(n, max(1, n/10), 64) }},
	{name: "stalled", title: "100 broadcasts a second of 10 KiB to 50 clients, beside %s that have stopped reading", unit: "delivery", answer: workload.Broadcast, clients: 500, named: true,
		build: stalled},
	{name: "storm", title: "%s clients cut off at once, all reconnect", unit: "connection", answer: workload.Echo, clients: 18_000, quick: 5000,
		build: func(n int) func(*run) error { return storm(n, 1024) }},
	{name: "cross", title: "messages to a room of %s on another server, 8 in flight: the server that delivers", unit: "delivery", clients: 1000, fleet: true,
		build: func(n int) func(*run) error { return cross(n, 1, 8, false) }},
	{name: "cross-one", title: "messages to %s single clients on another server, one in flight each: the server that delivers", unit: "message", clients: 100, fleet: true,
		build: func(n int) func(*run) error { return cross(n, n, 1, false) }},
	{name: "cross-emit", title: "the same, %s clients: the server that emits", unit: "message", clients: 100, fleet: true,
		build: func(n int) func(*run) error { return cross(n, n, 1, true) }},
	{name: "elsewhere", title: "messages of 64 bytes to %s rooms without members here", unit: "message", clients: 100, fleet: true, untimed: true,
		build: func(n int) func(*run) error { return elsewhere(n, 1) }},
	{name: "elsewhere-4k", title: "messages of 4 KiB to %s rooms without members here", unit: "message", clients: 100, fleet: true, untimed: true,
		build: func(n int) func(*run) error { return elsewhere(n, 64) }},
}

// Scenarios returns the scenarios of one server in their default sizes; quick makes the largest smaller.
func Scenarios(quick bool) []Scenario {
	var all []Scenario
	for _, t := range templates {
		if t.fleet || t.named {
			continue
		}
		n := t.clients
		if quick && t.quick > 0 {
			n = t.quick
		}
		all = append(all, t.sized(n, t.name))
	}
	return all
}

func (t template) sized(n int, name string) Scenario {
	return Scenario{
		Name: name, Title: fmt.Sprintf(t.title, group3(n)), Unit: t.unit, Answer: t.answer,
		Clients: n, Polling: t.polling, Memory: t.memory, Fleet: t.fleet, Untimed: t.untimed, TLS: t.tls, run: t.build(n),
	}
}

// maxClients is how many clients fit into the usual limit of 20,000 descriptors.
const maxClients = 19_000

// Select returns the scenarios in a list of names, separated by commas. A name
// may have a size: echo@18000 has 18,000 clients, rooms-own@5000 has 5,000 rooms.
func Select(names string, quick bool) ([]Scenario, error) {
	if names == "" {
		return Scenarios(quick), nil
	}
	var chosen []Scenario
	for name := range strings.SplitSeq(names, ",") {
		base, size, sized := strings.Cut(name, "@")
		found := false
		for _, t := range templates {
			if t.name != base {
				continue
			}
			found = true
			n := t.clients
			if quick && t.quick > 0 {
				n = t.quick
			}
			if sized {
				var err error
				if n, err = strconv.Atoi(size); err != nil || n < 1 || n > maxClients && base != "rooms-own" || n > 100*maxClients {
					return nil, fmt.Errorf("scenario %q: the size after @ must be from 1 to %d", name, maxClients)
				}
			}
			chosen = append(chosen, t.sized(n, name))
		}
		if !found {
			return nil, fmt.Errorf("no scenario %q, there are: %s", base, strings.Join(Names(), ", "))
		}
	}
	return chosen, nil
}

func Names() []string {
	var all []string
	for _, t := range templates {
		all = append(all, t.name)
	}
	return all
}

// group3 writes a number with commas.
func group3(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
