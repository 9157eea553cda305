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

// Heartbeats short enough for a lost connection to be noticed within a test,
// and long enough for one that is only slow.
var (
	hasty   = numbersConfig{Addr: "127.0.0.1:0", PingInterval: 300 * time.Millisecond, PingTimeout: 700 * time.Millisecond}
	patient = numbersConfig{Addr: "127.0.0.1:0", PingInterval: 500 * time.Millisecond, PingTimeout: 8 * time.Second}
)

var (
	everyTransport = []string{"polling", "websocket", "upgrade"}
	overWebSocket  = []string{"websocket", "upgrade"} // in the end
	overPolling    = []string{"polling"}

	// broken are the reasons that a connection lost without a word ends with. A
	// polling client whose request failed says good-bye with another one.
	broken = []socketio.Reason{
		socketio.ReasonTransportClose, socketio.ReasonTransportError,
		socketio.ReasonPingTimeout, socketio.ReasonClientDisconnect,
	}
)

// fault is one kind of bad network. Between clients and server is a
// faulty.Proxy, or a faulty.Web where habits are set.
type fault struct {
	config     numbersConfig
	transports []string // every one if nil
	habits     *faulty.Habits
	// run lets it happen; what it has done to the network is undone afterwards.
	run func(net *faulty.Proxy, r *rand.Rand)
	verdict
}

var faults = map[string]fault{
	"delay and jitter": {
		config: patient,
		run: steady(faulty.Conditions{
			Up:   faulty.Link{Delay: 20 * time.Millisecond, Jitter: 30 * time.Millisecond},
			Down: faulty.Link{Delay: 10 * time.Millisecond, Jitter: 50 * time.Millisecond},
		}),
		verdict: verdict{keeps: everyTransport},
	},
	"loss": {
		config: patient,
		run: steady(faulty.Conditions{
			Up:   faulty.Link{Loss: 0.05, Retransmit: 250 * time.Millisecond},
			Down: faulty.Link{Loss: 0.05, Retransmit: 250 * time.Millisecond},
		}),
		verdict: verdict{keeps: everyTransport},
	},
	"little bandwidth": {
		config:  patient,
		run:     steady(faulty.Conditions{Up: faulty.Link{Bandwidth: 30_000}, Down: faulty.Link{Bandwidth: 20_000}}),
		verdict: verdict{keeps: everyTransport},
	},
	"silence": { // shorter than the ping timeout
		config: patient,
		run: times(4, func(net *faulty.Proxy, r *rand.Rand) {
			net.Silence(pick(r, faulty.Up, faulty.Down, faulty.Both))
			pause(r, 100, 500)
			net.Resume()
			pause(r, 50, 300)
		}),
		verdict: verdict{keeps: everyTransport},
	},
	"long silence": { // what was sent comes in the end, when nobody waits for it any more
		config: hasty,
		run: times(2, func(net *faulty.Proxy, r *rand.Rand) {
			net.Silence(pick(r, faulty.Up, faulty.Both))
			pause(r, 1300, 1500)
			net.Resume()
			pause(r, 50, 300)
		}),
		verdict: verdict{ends: everyTransport, reasons: broken},
	},
	"resets": {
		config: hasty,
		run: times(8, func(net *faulty.Proxy, r *rand.Rand) {
			pause(r, 50, 500)
			net.ResetSome(pick(r, 0.3, 0.6, 1), r)
		}),
		// Newer clients repeat a request by themselves whose connection was reset that had
		// served another one before; if no poll waited just then, the session goes on.
		verdict: verdict{ends: overWebSocket, reasons: broken},
	},
	"half open": { // neither side hears of the other, nor of its leaving
		config: hasty,
		run: times(2, func(net *faulty.Proxy, r *rand.Rand) {
			pause(r, 100, 400)
			net.HalfOpen(faulty.Both)
			pause(r, 1300, 1500)
		}),
		// A polling client, if it has a request under way just then, gives up as
		// well, and says so on a new connection.
		verdict: verdict{
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
		verdict: verdict{ends: overWebSocket, reasons: broken},
	},
	"half open downwards": {
		config: hasty,
		run: times(2, func(net *faulty.Proxy, r *rand.Rand) {
			pause(r, 100, 400)
			net.HalfOpen(faulty.Down)
			pause(r, 1300, 1500)
		}),
		verdict: verdict{ends: overWebSocket, reasons: broken},
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
		verdict: verdict{reasons: broken},
	},
	"a proxy that buffers": {
		config:  patient,
		habits:  &faulty.Habits{BufferBodies: true},
		run:     steady(faulty.Conditions{}),
		verdict: verdict{keeps: everyTransport},
	},
	"a proxy that cuts WebSocket": {
		config: patient,
		habits: &faulty.Habits{CutWebSocket: 500 * time.Millisecond},
		run:    steady(faulty.Conditions{}),
		// When it cuts between the client's last word on the upgrade and the
		// server's reading it, the server goes on waiting for polls.
		verdict: verdict{
			keeps:   overPolling,
			ends:    overWebSocket,
			reasons: []socketio.Reason{socketio.ReasonTransportClose},
			polled:  []socketio.Reason{socketio.ReasonPingTimeout},
		},
	},
	"a proxy without WebSocket": {
		config:     patient,
		transports: []string{"polling", "upgrade"},
		habits:     &faulty.Habits{StripUpgrade: true},
		run:        steady(faulty.Conditions{}),
		verdict:    verdict{keeps: everyTransport},
	},
}

// steady sets conditions for a while.
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

// pause lets between min and max milliseconds pass.
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

// schedule returns what decides about a fault's course. $FAULTS_SEED repeats
// that of a run which failed.
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

// finish lets the clients come to their end and returns what they tell.
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

// check judges what was seen, and tells figures.
func check(t *testing.T, j *journal, reports []report, v verdict) {
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

// TestFaults sends numbers through each kind of bad network. What holds
// nevertheless is said at judge.
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
			// Every session ends without help, by the heartbeat at the latest.
			assert.Eventually(t, func() bool { return j.open() == 0 }, f.config.PingInterval+f.config.PingTimeout+5*time.Second, 10*time.Millisecond,
				"sessions without an end")
			check(t, &j, reports, f.verdict)
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
	check(t, &j, finish(t, clients), verdict{ends: everyTransport, reasons: broken, killed: true})
}

// TestNoWebSocket shows what clients see that begin with WebSocket where there is none.
func TestNoWebSocket(t *testing.T) {
	enable(t)
	t.Parallel()
	web, err := faulty.NewWeb(serve(t, "127.0.0.1:0").addr, faulty.Habits{StripUpgrade: true})
	require.NoError(t, err)
	t.Cleanup(web.Close)
	startScript(t, "fallback", "SERVER_URL=http://"+web.Addr()).wait()
}
