package recovery

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/seed-d124fa34/socketio/internal/faulty"
)

// The kinds of servers.
const (
	Ours       = "ours"
	NPM        = "npm"         // the reference server, in memory
	NPMStreams = "npm-streams" // the reference server, on a Redis with its Redis Streams adapter
)

// Config says how scenarios are played.
type Config struct {
	Server     string     // one of the kinds
	Broker     string     // what connects several servers: Redis, if empty, or NATS
	Clients    int        // the number of clients
	Short      bool       // the times are short
	Transports [][]string // the clients have these in turn
	NodeDir    string     // where the scripts are: e2e/node
	Trace      io.Writer  // gets each line that servers and clients print; may be nil
}

// Scenario is one way in which clients lose their connections.
type Scenario struct {
	Name                      string
	Servers                   int           // 0 means 1; with two, half of the clients begin on each
	Window                    time.Duration // how long sessions are kept; 0 means 2 minutes
	PingInterval, PingTimeout time.Duration // 0 means those of the server
	Transports                [][]string    // nil means those of Config
	Namespaces                []string      // nil means "/"
	NeedsHistory              bool          // without a broker.History nothing is recovered, so our servers have one
	Play                      func(st *Stage)
}

// Fits reports whether the scenario can be played with a kind of server on a broker.
func (sc Scenario) Fits(server, broker string) bool {
	switch server {
	case NPM:
		return sc.Servers < 2
	case NPMStreams:
		return sc.Servers == 2 && broker == Redis
	}
	return true
}

// libs are the newest and the oldest client library with recovery.
var libs = []string{"socket.io-client-4", "socket.io-client-4-6"}

// roomSize is how many clients share a room.
const roomSize = 10

func serverName(i int) string { return string(rune('A' + i)) }

// Run plays a scenario and judges it. It returns an error if the scenario could not be played.
func Run(ctx context.Context, config Config, sc Scenario) (Verdict, error) {
	if sc.Servers == 0 {
		sc.Servers = 1
	}
	if sc.Namespaces == nil {
		sc.Namespaces = []string{"/"}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	st := &Stage{
		ctx: ctx, config: config, scenario: sc, byName: make(map[string]*Seat), changed: make(chan struct{}),
		journals:  journals{servers: make(map[string][]line), killed: make(map[string]int64)},
		connected: make(map[seat]bool), connects: make(map[seat]int),
	}
	if sc.Servers > 1 {
		url, stop, err := startBroker(ctx, config.Broker)
		if err != nil {
			return Verdict{}, err
		}
		defer stop()
		st.broker = url
	}
	st.fail(st.build())
	if !st.failed() {
		sc.Play(st)
	}
	v, err := st.end()
	if err != nil {
		return Verdict{}, fmt.Errorf("%s, %s: %w", sc.Name, config.Server, err)
	}
	return v, nil
}

// build starts servers and proxies.
func (st *Stage) build() error {
	for i := range st.scenario.Servers {
		if err := st.startServer(serverName(i)); err != nil {
			return err
		}
	}
	for i := range st.config.Clients {
		proxy, err := faulty.NewProxy(st.addrs[i%len(st.addrs)], uint64(i))
		if err != nil {
			return err
		}
		s := &Seat{Proxy: proxy, Name: "c" + strconv.Itoa(i), Index: i}
		s.Rooms = []string{room(i / roomSize), "user " + s.Name}
		st.seats = append(st.seats, s)
		st.byName[s.Name] = s
	}
	return nil
}

func room(i int) string { return "room " + strconv.Itoa(i) }

// window is how long the servers keep a session.
func (st *Stage) window() time.Duration {
	switch w := st.scenario.Window; {
	case w == 0:
		return 2 * time.Minute
	case st.config.Short: // other tests run at the same time, on a machine that may be slow
		return 2 * w
	default:
		return w
	}
}

// startServer starts one more server.
func (st *Stage) startServer(name string) error {
	interval, timeout := st.scenario.PingInterval, st.scenario.PingTimeout
	if interval == 0 {
		interval, timeout = 25*time.Second, 20*time.Second
	}
	config, err := json.Marshal(programConfig{
		Name: name, Broker: st.broker, History: st.scenario.NeedsHistory, Window: int(st.window().Milliseconds()), Namespaces: st.scenario.Namespaces,
		PingInterval: int(interval.Milliseconds()), PingTimeout: int(timeout.Milliseconds()),
	})
	if err != nil {
		return err
	}
	dir, argv := "", []string(nil)
	if st.config.Server == Ours {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		argv = []string{self}
	} else {
		dir, argv = st.config.NodeDir, []string{"node", "recovery-server.mjs"}
	}
	p, ready, err := startProcess(st.ctx, "server "+name, dir, argv, []string{programEnv + "=" + string(config)}, st.traced(name, st.hearServer(name)))
	if err != nil {
		return err
	}
	st.servers = append(st.servers, p)
	st.addrs = append(st.addrs, ready.To)
	st.version = ready.Reason
	return nil
}

// Rooms returns the rooms of the clients: roomSize clients share one.
func (st *Stage) Rooms() (rooms []string) {
	for _, s := range st.seats {
		rooms = append(rooms, s.Rooms[0])
	}
	return slices.Compact(rooms)
}
