package moves_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// modelClient is a client, and what it is owed.
type modelClient struct {
	*siotest.Returner
	rooms     map[string]bool
	owed      []string
	connected bool
}

// Whatever happens in whatever order, each client gets what was emitted to it, once and in order, and
// stays in its session: random schedules of emits, joins, leaves, drops, returns to any server, and servers that
// are replaced. MOVES_SEED repeats one.
func TestModel(t *testing.T) {
	rounds, seed := 30, rand.Uint64()
	if s := os.Getenv("MOVES_SEED"); s != "" {
		rounds = 1
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	for range rounds {
		synctest.Test(t, func(t *testing.T) { modelRound(t, seed) })
		seed++
	}
}

func modelRound(t *testing.T, seed uint64) {
	t.Logf("MOVES_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	f := newFleet(t, 3, nil)
	servers := f.Servers
	any := func() *socketio.Server { return servers[random.IntN(len(servers))] }
	modes := []eiotest.Mode{eiotest.WebSocket, eiotest.Polling}
	var clients []*modelClient
	for i := range 4 {
		c := siotest.NewReturner(t, any(), modes[i%2]).Connect()
		clients = append(clients, &modelClient{Returner: c, rooms: map[string]bool{"r": true}, connected: true})
	}
	for n := range 80 {
		c := clients[random.IntN(len(clients))]
		room := []string{"r", "x", "y"}[random.IntN(3)]
		switch random.IntN(8) {
		case 0, 1, 2:
			to := []string{room}
			if random.IntN(3) == 0 {
				to = append(to, c.SID)
			}
			require.NoError(t, any().Emit("e", n, socketio.To(to...)))
			for _, other := range clients {
				if other.rooms[room] || len(to) > 1 && other == c {
					other.owed = append(other.owed, fmt.Sprintf(`["e",%d]`, n))
				}
			}
		case 3:
			require.NoError(t, any().JoinRoom(c.SID, room))
			c.rooms[room] = true
		case 4:
			require.NoError(t, any().LeaveRoom(c.SID, room))
			delete(c.rooms, room)
		case 5:
			if c.connected {
				c.look(t)
				c.Drop() // of polling, the server does not hear
				c.connected = false
			}
		case 6:
			if !c.connected {
				c.comeBack(t, any(), random.IntN(3) == 0)
			}
		case 7:
			if random.IntN(4) == 0 {
				i := random.IntN(len(servers))
				servers = slices.Clone(servers)
				servers[i] = replace(t, f, servers[i], clients)
			}
		}
		synctest.Wait()
	}
	for _, c := range clients {
		if !c.connected {
			c.comeBack(t, any(), false)
		}
		c.look(t)
		require.Empty(t, c.owed, "seed %d", seed)
	}
}

// replace shuts a server down after another one has started, which it returns.
func replace(t *testing.T, f *fleet, old *socketio.Server, clients []*modelClient) *socketio.Server {
	f.add(&socketio.Options{Recovery: &socketio.Recovery{}})
	require.NoError(t, old.Shutdown(t.Context()))
	for _, c := range clients { // some of them have lost their connections
		if c.connected {
			c.look(t)
			c.Drop()
			c.connected = false
		}
	}
	return f.Servers[len(f.Servers)-1]
}

// look has the client look at what has come: that is what it is owed first.
func (c *modelClient) look(t *testing.T) {
	t.Helper()
	got := c.Received()
	require.LessOrEqual(t, len(got), len(c.owed))
	if len(got) > 0 {
		require.Equal(t, c.owed[:len(got)], got)
	}
	c.owed = c.owed[len(got):]
}

// comeBack connects to a server, perhaps after it has begun to at another one.
func (c *modelClient) comeBack(t *testing.T, srv *socketio.Server, twice bool) {
	t.Helper()
	c.To(srv)
	if twice {
		c.Dial()
		c.SendConnect()
		c.Drop()
		c.look(t) // it has perhaps told the server that it has this
	}
	sid := c.SID
	c.Connect()
	require.True(t, c.Recovered)
	require.Equal(t, sid, c.SID)
	c.connected = true
}
