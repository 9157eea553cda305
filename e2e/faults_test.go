package e2e

import (
	"encoding/json"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/faulty"
)

// The heartbeat is so short that a test notices a lost connection, and so long that
// a slow connection survives.
var (
	hasty   = numbersConfig{Addr: "127.0.0.1:0", PingInterval: 300 * time.Millisecond, PingTimeout: 700 * time.Millisecond}
	patient = numbersConfig{Addr: "127.0.0.1:0", PingInterval: 500 * time.Millisecond, PingTimeout: 8 * time.Second}
)

var (
	everyTransport = []string{"polling", "websocket", "upgrade"}
	overWebSocket  = []string{"websocket", "upgrade"} // after the upgrade, if there is one
	overPolling    = []string{"polling"}

	// broken are the reasons for a connection that is lost without a close packet. A polling
	// client whose request failed sends its close packet in another request.
	broken = []socketio.Reason{
		socketio.ReasonTransportClose, socketio.ReasonTransportError,
		socketio.ReasonPingTimeout, socketio.ReasonClientDisconnect,
	}
)

// fault is one kind of bad network: a faulty.Proxy between clients and server, or a
// faulty.Web if habits are set.
type fault struct {
	config     numbersConfig
	transports []string // every one if nil
	habits     *faulty.Habits
	// run causes the fault. The test undoes afterwards what run has done to the network.
	run func(net *faulty.Proxy, r *rand.Rand)
	expectation
}

var faults = map[string]fault{
	"delay and jitter": {
		config: patient,
		run: steady(faulty.Conditions{
			Up:   faulty.Link{Delay: 20 * time.Millisecond, Jitter: 30 * time.Millisecond},
			Down: faulty.Link{Delay: 10 * time.Millisecond, Jitter: 50 * time.Millisecond},
		}),
		expectation: expectation{keeps: everyTransport},
	},
	"loss": {
		config: patient,
		run: steady(faulty.Conditions{
			Up:   faulty.Link{Loss: 0.05, Retransmit: 250 * time.Millisecond},
			Down: faulty.Link{Loss: 0.05, Retransmit: 250 * time.Millisecond},
		}),
		expectation: expectation{keeps: everyTransport},
	},
	"little bandwidth": {
		config:      patient,
		run:         steady(faulty.Conditions{Up: faulty.Link{Bandwidth: 30_000}, Down: faulty.Link{Bandwidth: 20_000}}),
		expectation: expectation{keeps: everyTransport},
	},
	"silence": { // shorter than the ping timeout
		config: patient,
		run: times(4, func(net *faulty.Proxy, r *rand.Rand) {
			net.Silence(pick(r, faulty.Up, faulty.Down, faulty.Both))
			pause(r, 100, 500)
			net.Resume()
			pause(r, 50, 300)
		}),
		expectation: expectation{keeps: everyTransport},
	},
	"long silence": { // what was sent arrives at last, when nobody waits for it any more
		config: hasty,
		run: times(2, func(net *faulty.Proxy, r *rand.Rand) {
			net.Silence(pick(r, faulty.Up, faulty.Both))
			pause(r, 1300, 1500)
			net.Resume()
			pause(r, 50, 300)
		}),
		expectation: expectation{ends: everyTransport, reasons: broken},
	},
	"resets": {
		config: hasty,
		run: times(8, func(net *faulty.Proxy, r *rand.Rand) {
			pause(r, 50, 500)
			net.ResetSome(pick(r, 0.3, 0.6, 1), r)
		}),
		// If a reused connection is reset, newer clients send the request again. The session
		// goes on if no poll waited at that moment.
		expectation: expectation{ends: overWebSocket, reasons: broken},
	},
	"half open": { // no side receives anything, not even the end of the connection
		config: hasty,
		run: times(2, func(net *faulty.Proxy, r *rand.Rand) {
			pause(r, 100, 400)
			net.HalfOpen(faulty.Both)
			pause(r, 1300, 1500)
		}),
		// A polling client that has a request under way at that moment gives up, too, and
		// sends its close packet on a new connection.
		expectation: expectation{
			ends:    overWebSocket,
			reasons: []socketio.Reason{socketio.ReasonPingTimeout},
			polled:  []socketio.Reason{socketio.ReasonClientDisconnect, socketio.ReasonTransportError},
		},
	},
	"half open upwards": {
		config: hasty,
		run: times(2, func(net *faulty.Proxy, r *rand.Rand) {
			pause(r, 100, 400)
			net.HalfOpen(faulty.Up)
			pause(r, 1300, 1500)
		}),
		expectation: expectation{ends: overWebSocket, reasons: broken},
	},
	"half open downwards": {
		config: hasty,
		run: times(2, func(net *faulty.Proxy, r *rand.Rand) {
			pause(r, 100, 400)
			net.HalfOpen(faulty.Down)
			pause(r, 1300, 1500)
		}),
		expectation: expectation{ends: overWebSocket, reasons: broken},
	},
	"everything": {
		config: hasty,
		run: times(8, func(net *faulty.Proxy, r *rand.Rand) {
			net.Set(faulty.Conditions{Up: anyLink(r), Down: anyLink(r)})
			pause(r, 100, 400)
			direction := pick(r, faulty.Up, faulty.Down, faulty.Both)
			switch r.IntN(4) {
			case 0:
				net.ResetSome(pick(r, 0.3, 1), r)
			case 1:
				net.HalfOpen(direction)
			case 2:
				net.Silence(direction)
				pause(r, 50, 600)
				net.Resume()
			}
		}),
		expectation: expectation{reasons: broken},
	},
	"a proxy that buffers": {
		config:      patient,
		habits:      &faulty.Habits{BufferBodies: true},
		run:         steady(faulty.Conditions{}),
		expectation: expectation{keeps: everyTransport},
	},
	"a proxy that cuts WebSocket": {
		config: patient,
		habits: &faulty.Habits{CutWebSocket: 500 * time.Millisecond},
		run:    steady(faulty.Conditions{}),
		// If the cut comes after the client has sent its UPGRADE packet and before the server
		// has read it, the server goes on waiting for polls.
		expectation: expectation{
			keeps:   overPolling,
			ends:    overWebSocket,
			reasons: []socketio.Reason{socketio.ReasonTransportClose},
			polled:  []socketio.Reason{socketio.ReasonPingTimeout},
		},
	},
	"a proxy without WebSocket": {
		config:      patient,
		transports:  []string{"polling", "upgrade"},
		habits:      &faulty.Habits{StripUpgrade: true},
		run:         steady(faulty.Conditions{}),
		expectation: expectation{keeps: everyTransport},
	},
}

// steady sets network conditions for a while.
func steady(c faulty.Conditions) func(*faulty.Proxy, *rand.Rand) {
	return func(net *faulty.Proxy, r *rand.Rand) {
		if net != nil {
			net.Set(c)
		}
		pause(r, 2000, 2500)
	}
}

func times(n int, f func(*faulty.Proxy, *rand.Rand)) func(*faulty.Proxy, *rand.Rand) {
	return func(net *faulty.Proxy, r *rand.Rand) {
		for range n {
			f(net, r)
		}
	}
}

// pause waits between min and max milliseconds.
func pause(r *rand.Rand, min, max int) {
	time.Sleep(time.Duration(min+r.IntN(max-min)) * time.Millisecond)
}

func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

func anyLink(r *rand.Rand) faulty.Link {
	return faulty.Link{
		Delay:      time.Duration(r.IntN(20)) * time.Millisecond,
		Jitter:     time.Duration(1+r.IntN(30)) * time.Millisecond,
		Loss:       pick(r, 0, 0.02, 0.05),
		Retransmit: 250 * time.Millisecond,
		Bandwidth:  pick(r, 0, 0, 50_000),
	}
}

// schedule returns the random numbers that decide the course of a fault. $FAULTS_SEED repeats
// a run that failed.
func schedule(t *testing.T) (r *rand.Rand, seed uint64) {
	t.Helper()
	seed = uint64(time.Now().UnixNano())
	if s := os.Getenv("FAULTS_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("repeat with FAULTS_SEED=%d", seed)
	name := fnv.New64a()
	name.Write([]byte(t.Name()))
	return rand.New(rand.NewPCG(seed, name.Sum64())), seed
}

// startClients starts numbers.mjs and waits until each of its clients got an
// acknowledgement.
func startClients(t *testing.T, addr string, transports []string, env ...string) *script {
	t.Helper()
	if transports == nil {
		transports = everyTransport
	}
	s := startScript(t, "numbers", append([]string{"SERVER_URL=http://" + addr,
		"CLIENTS=socket.io-client-3,socket.io-client-4", "TRANSPORTS=" + strings.Join(transports, ",")}, env...)...)
	s.expect("running")
	return s
}

// finish ends the clients and returns their reports.
func finish(t *testing.T, s *script) (reports []report) {
	t.Helper()
	require.NoError(t, s.stdin.Close())
	s.wait()
	for word := range s.words {
		var r report
		require.NoError(t, json.Unmarshal([]byte(word), &r))
		reports = append(reports, r)
	}
	return reports
}

// check judges what was seen, and logs figures.
func check(t *testing.T, j *journal, reports []report, v expectation) {
	t.Helper()
	records := j.all()
	for _, problem := range judge(records, reports, v) {
		assert.Fail(t, problem)
	}
	sent, handled := 0, 0
	reasons := make(map[socketio.Reason]int)
	for _, r := range records {
		switch r.Kind {
		case recUp:
			handled++
		case recDisconnect:
			reasons[r.Reason]++
		}
	}
	for _, c := range reports {
		sent += c.Sent
		t.Logf("%s: %d sent, sessions %d, ends %q", c.Name, c.Sent, len(c.Sessions), slices.Compact(c.Reasons))
	}
	t.Logf("%d sent, %d handled, ends of sessions: %v", sent, handled, reasons)
}

// TestFaults sends numbers through each kind of bad network. The comment of judge says what must hold.
func TestFaults(t *testing.T) {
	enable(t)
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, seed := schedule(t)
			var j journal
			addr := serveNumbers(t, f.config, &j)
			var net *faulty.Proxy
			if f.habits != nil {
				web, err := faulty.NewWeb(addr, *f.habits)
				require.NoError(t, err)
				t.Cleanup(web.Close)
				addr = web.Addr()
			} else {
				var err error
				net, err = faulty.NewProxy(addr, seed)
				require.NoError(t, err)
				t.Cleanup(net.Close)
				addr = net.Addr()
			}
			clients := startClients(t, addr, f.transports)
			f.run(net, r)
			if net != nil {
				net.Set(faulty.Conditions{})
				net.Resume()
			}
			reports := finish(t, clients)
			// Every session ends by itself, by the heartbeat at the latest.
			assert.Eventually(t, func() bool { return j.open() == 0 }, f.config.PingInterval+f.config.PingTimeout+5*time.Second, 10*time.Millisecond,
				"sessions without an end")
			check(t, &j, reports, f.expectation)
		})
	}
}

// TestServerKilled kills the server's process again and again. Its clients go
// on with the next one, on the same port.
func TestServerKilled(t *testing.T) {
	enable(t)
	r, _ := schedule(t)
	var j journal
	config := hasty
	server, addr := startNumbers(t, config, &j)
	config.Addr = addr
	clients := startClients(t, addr, nil)
	for range 3 {
		pause(r, 300, 800)
		server.kill()
		pause(r, 1, 300)
		server, _ = startNumbers(t, config, &j)
	}
	pause(r, 300, 800)
	check(t, &j, finish(t, clients), expectation{ends: everyTransport, reasons: broken, killed: true})
}

// TestNoWebSocket checks what clients see that begin with WebSocket behind a proxy without it.
func TestNoWebSocket(t *testing.T) {
	enable(t)
	t.Parallel()
	web, err := faulty.NewWeb(serve(t, "127.0.0.1:0").addr, faulty.Habits{StripUpgrade: true})
	require.NoError(t, err)
	t.Cleanup(web.Close)
	startScript(t, "fallback", "SERVER_URL=http://"+web.Addr()).wait()
}
