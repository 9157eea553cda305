package survival_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// slow is a broker that takes its time to publish, so that the order of the history is not that in
// which the servers emit.
type slow struct {
	history
	mu     sync.Mutex
	random *rand.Rand
}

type history interface {
	broker.History
	broker.RecordStore
}

// publishing is how long publishing takes at most, and more.
const publishing = time.Second

func (b *slow) Publish(ctx context.Context, channel string, data []byte) error {
	b.mu.Lock()
	d := time.Duration(b.random.IntN(8)) * time.Millisecond
	b.mu.Unlock()
	time.Sleep(d)
	return b.history.Publish(ctx, channel, data)
}

// model is what the clients of some servers must get.
type model struct {
	t       *testing.T
	f       *fleet
	random  *rand.Rand
	alive   []int
	clients []*modelClient
	n       int // of events
}

type modelClient struct {
	*siotest.Returner
	server int
	since  time.Time // when it came to its server
	away   bool
	rooms  map[string]bool
	owed   []owedEvent
	got    []int
}

type owedEvent struct {
	n, from int
	at      time.Time
}

var number = regexp.MustCompile(`^\["e",(\d+)\]$`)

// look has the client look at some, or all, of what has arrived.
func (c *modelClient) look(m *model, all bool) {
	if c.away {
		return
	}
	n := c.Arrived()
	if !all && n > 0 {
		n = m.random.IntN(n + 1)
	}
	c.Look(n)
	for _, text := range c.Take() {
		part := number.FindStringSubmatch(text)
		require.NotNil(m.t, part, text)
		n, _ := strconv.Atoi(part[1])
		c.got = append(c.got, n)
	}
}

func (m *model) pick() *modelClient { return m.clients[m.random.IntN(len(m.clients))] }

// emit has a server emit something.
func (m *model) emit() {
	from := m.alive[m.random.IntN(len(m.alive))]
	m.n++
	var opts []socketio.EmitOption
	to := func(*modelClient) bool { return true }
	switch c := m.pick(); m.random.IntN(5) {
	case 0: // one client, by its session id
		opts = append(opts, socketio.To(c.SID))
		to = func(o *modelClient) bool { return o == c }
	case 1, 2:
		room := fmt.Sprint("room ", m.random.IntN(3))
		opts = append(opts, socketio.To(room))
		to = func(o *modelClient) bool { return o.rooms[room] }
	case 3:
		opts = append(opts, socketio.Except("room 0"))
		to = func(o *modelClient) bool { return !o.rooms["room 0"] }
	}
	require.NoError(m.t, m.f.Servers[from].Emit("e", m.n, opts...))
	for _, c := range m.clients {
		if to(c) {
			c.owed = append(c.owed, owedEvent{m.n, from, time.Now()})
		}
	}
}

// move has a client join or leave a room, when nothing is under way.
func (m *model) move() {
	time.Sleep(publishing)
	synctest.Wait()
	c, room := m.pick(), fmt.Sprint("room ", m.random.IntN(3))
	by := m.f.Servers[m.alive[m.random.IntN(len(m.alive))]] // its own server, or another one
	if c.rooms[room] = !c.rooms[room]; c.rooms[room] {
		require.NoError(m.t, by.JoinRoom(c.SID, room))
	} else {
		require.NoError(m.t, by.LeaveRoom(c.SID, room))
	}
	time.Sleep(publishing)
	synctest.Wait()
}

func (m *model) drop(c *modelClient) {
	if !c.away {
		c.look(m, m.random.IntN(2) == 0)
		c.Drop()
		c.away = true
	}
}

// add starts a server. It does not ping by itself: clients would confirm what they have not looked at.
func (m *model) add() {
	m.f.add(&socketio.Options{PingInterval: time.Hour, Recovery: &socketio.Recovery{Window: time.Hour}})
}

// pass is before time passes: clients have looked at what they confirm when they are pinged.
func (m *model) pass() {
	time.Sleep(publishing)
	for _, c := range m.clients {
		c.look(m, true)
	}
}

// back has a client come back to some server.
func (m *model) back(c *modelClient) {
	if !c.away {
		return
	}
	m.pass() // it takes a while until a server is given up
	c.server = m.alive[m.random.IntN(len(m.alive))]
	c.To(m.f.Servers[c.server]).Connect()
	require.True(m.t, c.Recovered)
	c.away, c.since = false, time.Now()
	c.look(m, true) // the server asks at once what it has
}

// kill kills a server, perhaps with events that it has not published, and starts another one.
func (m *model) kill() {
	i := m.random.IntN(len(m.alive))
	dead := m.alive[i]
	waits := m.random.IntN(2) == 0
	for _, c := range m.clients { // sessions are written behind
		waits = waits || c.server == dead && time.Since(c.since) < publishing
	}
	if waits {
		time.Sleep(publishing)
	}
	m.f.Service.Cut(m.f.Brokers[dead].(*slow).history)
	now := time.Now()
	m.alive = append(m.alive[:i:i], m.alive[i+1:]...)
	for _, c := range m.clients {
		if c.server == dead {
			m.drop(c)
		}
		kept := c.owed[:0]
		for _, e := range c.owed {
			if e.from != dead || now.Sub(e.at) >= publishing || c.has(e.n) {
				kept = append(kept, e)
			} else {
				e.n = -e.n // it may be lost
				kept = append(kept, e)
			}
		}
		c.owed = kept
	}
	m.add()
	m.alive = append(m.alive, len(m.f.Servers)-1)
}

func (c *modelClient) has(n int) bool {
	for _, g := range c.got {
		if g == n {
			return true
		}
	}
	return false
}

// check compares what a client got with what it was owed: each event once, those of one server in
// their order.
func (c *modelClient) check(t *testing.T) {
	t.Helper()
	from, may := make(map[int]int), make(map[int]bool)
	var want []int
	for _, e := range c.owed {
		n := max(e.n, -e.n)
		from[n], may[n] = e.from, e.n < 0
		if e.n > 0 || c.has(n) {
			want = append(want, n)
		}
	}
	require.ElementsMatch(t, want, c.got)
	last := make(map[int]int)
	for _, n := range c.got {
		require.Greater(t, n, last[from[n]], "of server %d: %v", from[n], c.got)
		last[from[n]] = n
	}
}

// Whatever happens, a client gets all that it must get, each once and in order.
func TestModel(t *testing.T) {
	runs := 10
	if testing.Short() {
		runs = 3
	}
	base := rand.Uint64()
	for run := range runs {
		seed := base + uint64(run)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { play(t, seed) })
		})
	}
}

func play(t *testing.T, seed uint64) {
	m := &model{t: t, f: newFleet(t, 0, 100_000), random: rand.New(rand.NewPCG(seed, 0))}
	m.f.Wrap = func(b socketio.Broker) socketio.Broker {
		return &slow{history: b.(history), random: rand.New(rand.NewPCG(seed, uint64(len(m.f.Servers))))}
	}
	for i := range 3 {
		m.add()
		m.alive = append(m.alive, i)
	}
	for i := range 4 {
		c := &modelClient{Returner: siotest.NewReturner(t, m.f.Servers[i%3], eiotest.WebSocket), server: i % 3, rooms: map[string]bool{"r": true}}
		c.Connect()
		m.clients = append(m.clients, c)
	}
	time.Sleep(publishing)
	kills := 0
	for range 150 {
		switch m.random.IntN(20) {
		case 0:
			m.move()
		case 1:
			m.drop(m.pick())
		case 2:
			m.back(m.pick())
		case 3:
			if kills++; kills <= 4 {
				m.kill()
			}
		case 4, 5:
			m.pick().look(m, false)
		case 6, 7:
			time.Sleep(time.Duration(m.random.IntN(10)) * time.Millisecond)
		case 8:
			m.pass()
			time.Sleep(time.Duration(m.random.IntN(40)) * time.Second)
		default:
			m.emit()
		}
	}
	time.Sleep(publishing)
	for _, c := range m.clients {
		m.back(c)
	}
	time.Sleep(publishing)
	for _, c := range m.clients {
		c.look(m, true)
		c.check(t)
	}
	for i := range m.f.Servers {
		m.f.Service.Restore(m.f.Brokers[i].(*slow).history)
	}
}
