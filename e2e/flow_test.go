package e2e

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/faulty"
)

// flowRow is something to send over each network, see node/flow.mjs.
type flowRow struct {
	Row   string  `json:"row"`
	N     int     `json:"n,omitempty"`
	Size  int     `json:"size,omitempty"`
	Pause float64 `json:"pause,omitempty"` // ms, of the handler of each event
}

// flowRows are the loads with which users have reported lost clients: bursts, floods, packed
// events, large messages.
var (
	flowGreeting = flowRow{Row: "greeting", N: 4, Size: 500_000}
	flowBurst    = flowRow{Row: "burst", N: 2000, Size: 2000}
	flowEvents   = flowRow{Row: "flood", N: 6000, Size: 1000, Pause: 1}
	flowUploads  = flowRow{Row: "flood", N: 12, Size: 900_000, Pause: 1}
	flowSmall    = flowRow{Row: "flood", N: 20_000, Size: 1}
	flowLarge    = flowRow{Row: "large", Size: 6_000_000}
)

// flowNetwork is what is between clients and server.
type flowNetwork struct {
	name  string
	wire  faulty.Wire
	speed int           // bytes a second, each way; 0 means any
	stall time.Duration // nothing passes for so long, then everything passes for half as long
	work  []flowRow
}

// FLOW_FULL sends large messages at the reported speed. They take longer than the default
// write timeout, and the test takes minutes.
func flowNetworks() []flowNetwork {
	ethernet := faulty.Wire{Segment: faulty.EthernetSegment}
	narrow := faulty.Wire{Segment: faulty.EthernetSegment, Buffer: 64 << 10}
	if os.Getenv("FLOW_FULL") != "" {
		return []flowNetwork{
			{name: "500 kB/s, 12 MB", wire: narrow, speed: 500_000, work: []flowRow{{Row: "large", Size: 12_000_000}}},
			{name: "500 kB/s, 20 MB", wire: narrow, speed: 500_000, work: []flowRow{{Row: "large", Size: 20_000_000}}},
			{name: "500 kB/s, the rest", wire: narrow, speed: 500_000, work: []flowRow{flowGreeting, flowBurst, flowEvents, flowUploads, flowSmall}},
		}
	}
	return []flowNetwork{
		{name: "Ethernet", wire: ethernet, work: []flowRow{flowGreeting, flowBurst, flowEvents, flowUploads, flowSmall, flowLarge}},
		{name: "slow", wire: narrow, speed: 600_000, work: []flowRow{flowLarge, flowGreeting, flowBurst, flowEvents, flowSmall}},
		{name: "stalling", wire: narrow, speed: 3_000_000, stall: flowWriteTimeout / 3, work: []flowRow{flowLarge, flowGreeting, flowBurst, flowEvents, flowUploads, flowSmall}},
	}
}

// flowWriteTimeout is less than the default, so that a message that takes several write
// timeouts does not take long. All other options are at their defaults.
const flowWriteTimeout = 3 * time.Second

// TestFlow sends more through bad networks than they can carry at one moment. No client is
// disconnected and nothing is lost, with TLS and without. For a change, CI uses TLS for some
// transports of each network, and none for the others.
func TestFlow(t *testing.T) {
	enable(t)
	t.Parallel()
	for i, transport := range everyTransport {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			var scripts []*script // each network has a process of its own, because a busy client would slow down the others
			for j, network := range flowNetworks() {
				if transport == "polling" {
					network.work = lighter(network.work)
				}
				var targets []flowTarget
				schemes := []string{"http", "https"}
				if quick() {
					schemes = schemes[(i+j)%2:][:1]
				}
				for _, scheme := range schemes {
					targets = append(targets, flowTarget{network.name + ", " + scheme, serveFlow(t, network, scheme), network.work})
				}
				list, err := json.Marshal(targets)
				require.NoError(t, err)
				scripts = append(scripts, startScript(t, "flow", "TARGETS="+string(list), "TRANSPORT="+transport, "SCRIPT_TIMEOUT=170000"))
			}
			for _, s := range scripts {
				s.wait()
				for line := range strings.Lines(s.output.String()) {
					t.Log(strings.TrimSpace(line))
				}
			}
		})
	}
}

// flowTarget is a server for node/flow.mjs, and what to send to it.
type flowTarget struct {
	Name string    `json:"name"`
	URL  string    `json:"url"`
	Work []flowRow `json:"work"`
}

// lighter reduces the size of a single answer to a poll. The client's XMLHttpRequest for Node.js
// copies the whole answer so far for each piece that arrives; a busy machine then reads too
// slowly.
func lighter(work []flowRow) []flowRow {
	work = slices.Clone(work)
	for i := range work {
		if work[i].Row == "large" && os.Getenv("FLOW_FULL") == "" {
			work[i].Size = 4_500_000
		}
	}
	return work
}

// serveFlow starts a server behind a network, and returns the URL at which clients
// find it.
func serveFlow(t *testing.T, network flowNetwork, scheme string) string {
	t.Helper()
	srv := newFlowServer(t)
	web := httptest.NewUnstartedServer(srv)
	if scheme == "https" {
		web.StartTLS()
	} else {
		web.Start()
	}
	addr := web.Listener.Addr().String()
	proxy, err := faulty.NewWiredProxy(addr, 1, network.wire)
	require.NoError(t, err)
	link := faulty.Link{Bandwidth: network.speed}
	proxy.Set(faulty.Conditions{Up: link, Down: link})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		stallFlow(proxy, network.stall, stop)
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
		proxy.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		assert.NoError(t, srv.Shutdown(ctx))
		web.Close()
	})
	return scheme + "://" + proxy.Addr()
}

// stallFlow passes on nothing for a while, then everything for half as long, and so on.
func stallFlow(proxy *faulty.Proxy, stall time.Duration, stop <-chan struct{}) {
	if stall == 0 {
		return
	}
	for {
		for _, phase := range []struct {
			set func()
			d   time.Duration
		}{{func() { proxy.Silence(faulty.Both) }, stall}, {proxy.Resume, stall / 2}} {
			phase.set()
			select {
			case <-stop:
				return
			case <-time.After(phase.d):
			}
		}
	}
}

// newFlowServer has the handlers for node/flow.mjs.
func newFlowServer(t *testing.T) *socketio.Server {
	t.Helper()
	options := &socketio.Options{WriteTimeout: flowWriteTimeout, Logger: slog.New(slog.DiscardHandler)}
	if os.Getenv("FLOW_FULL") != "" {
		options.WriteTimeout = 0
	}
	srv := socketio.NewServer(options)
	emit := func(c *socketio.Context, n, size int) error {
		text := "x" + strings.Repeat("-", max(size-2, 0)) + "y"
		for i := range n {
			if err := c.Emit("item", socketio.Args{i, text}); err != nil {
				return err
			}
		}
		return nil
	}
	srv.OnError(func(c *socketio.Context, err error) any {
		t.Errorf("event %q: %v", c.Event(), err)
		return nil
	})
	srv.On("connect", func(c *socketio.Context, greeting struct{ N, Size int }) error {
		return emit(c, greeting.N, greeting.Size)
	})
	srv.On("burst", emit)
	srv.On("large", func(_ *socketio.Context, size int) (string, error) { return strings.Repeat("x", size), nil })
	srv.On("add", func(_ *socketio.Context, a, b int) (int, error) { return a + b, nil })

	srv.On("pause", func(c *socketio.Context, ms float64) { c.Session().Set("pause", ms) })
	srv.On("take", func(c *socketio.Context, i int, _ string) {
		if ms, _ := c.Session().Get("pause").(float64); ms > 0 {
			time.Sleep(time.Duration(ms * float64(time.Millisecond)))
		}
		if n, _ := c.Session().Get("taken").(int); n == i {
			c.Session().Set("taken", n+1)
		}
	})
	srv.On("taken", func(c *socketio.Context) (any, error) { return c.Session().Get("taken"), nil })
	return srv
}
