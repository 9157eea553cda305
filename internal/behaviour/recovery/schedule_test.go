package recovery_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// emit emits an event to somebody.
func (m *model) emit() {
	synctest.Wait()
	m.events++
	n := m.events
	event, data, shown := "e", any(n), fmt.Sprintf(`["e",%d]`, n)
	switch m.pick(5) {
	case 0:
		data, shown = socketio.Args{n, "text"}, fmt.Sprintf(`["e",%d,"text"]`, n)
	case 1:
		data, shown = socketio.Args{n, []byte("b")}, fmt.Sprintf(`["e",%d,{"_placeholder":true,"num":0}] b:b`, n)
	case 2:
		event, data, shown = fmt.Sprint("e", n), nil, fmt.Sprintf(`["e%d"]`, n)
	}
	var opts []socketio.EmitOption
	reaches := func(string, *session) bool { return true }
	to := "everyone"
	switch m.pick(4) {
	case 0:
		sid := m.anySID()
		if sid == "" {
			return
		}
		to = "client"
		opts, reaches = append(opts, socketio.To(sid)), func(s string, _ *session) bool { return s == sid }
	case 1:
		room := m.room()
		to = room
		opts, reaches = append(opts, socketio.To(room)), func(_ string, s *session) bool { return s.rooms[room] }
	case 2:
		room, other := m.room(), m.room()
		to = room + " except " + other
		opts = append(opts, socketio.To(room), socketio.Except(other))
		reaches = func(_ string, s *session) bool { return s.rooms[room] && !s.rooms[other] }
	}
	question := 0
	switch m.pick(6) {
	case 0: // volatile events may be lost, and are never seen twice
		opts = append(opts, socketio.Volatile())
		event, data = "volatile", socketio.Args{n, "text"}
		reaches = func(string, *session) bool { return false }
	case 1:
		question, shown = n, "?"+shown
		opts = append(opts, socketio.AckTimeout(20*time.Second), socketio.OnAck(func(c *socketio.Context, err error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			k := key(n, c.ID())
			m.outcomes[k]++
			m.failed[k] = err != nil
		}))
	}
	m.note("emit %s to %s", shown, to)
	m.mu.Lock()
	for sid, s := range m.sessions {
		if !s.ended && reaches(sid, s) {
			s.owed = append(s.owed, owed{shown, question})
			if question != 0 {
				m.asked[key(n, sid)] = true
			}
		}
	}
	m.mu.Unlock()
	require.NoError(m.t, m.srv.Emit(event, data, opts...))
}

func key(question int, sid string) string { return fmt.Sprint(question, sid) }

func (m *model) room() string { return fmt.Sprint("room", m.pick(3)) }

// move has a client join or leave a room.
func (m *model) move() {
	synctest.Wait()
	sid, room := m.anySID(), m.room()
	if sid == "" {
		return
	}
	m.mu.Lock()
	s := m.sessions[sid]
	ended := s.ended
	join := m.rand.IntN(2) == 0
	m.mu.Unlock()
	if ended {
		return
	}
	m.note("%s joins %s: %v", sid[:4], room, join)
	change := m.srv.LeaveRoom
	if join {
		change = m.srv.JoinRoom
	}
	if err := change(sid, room); err != nil {
		require.True(m.t, m.tight, err) // the session has ended, of which the hooks may hear late
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.rooms[room] = join
}

// connect has a client connect, and perhaps not wait for the answer.
func (m *model) connect(g *guest) {
	g.Mode = eiotest.Modes[m.pick(len(eiotest.Modes))]
	g.Auth = nil
	switch m.pick(12) {
	case 0:
		g.Auth = map[string]any{"refuse": true}
	case 1, 2:
		g.Auth = map[string]any{"slow": true}
	}
	m.note("%d connects by %s with %v", g.n, g.Mode, g.Auth)
	g.Dial()
	g.SendConnect()
	g.connected, g.answered = true, false
	if m.chance(3) {
		m.look(g, m.float())
	}
}

// step does something.
func (m *model) step() {
	g := m.clients[m.pick(len(m.clients))]
	switch p := m.pick(100); {
	case p < 40:
		m.emit()
	case p < 50:
		m.move()
	case p < 62:
		if g.connected {
			m.look(g, 1)
			if g.answered {
				m.check(g.sid, true)
			}
		}
	case p < 75:
		m.lose(g, "drops", g.Drop)
	case p < 80:
		m.lose(g, "is half open", g.Abandon)
	case p < 94:
		if !g.connected {
			m.connect(g)
		}
	case p < 95:
		if g.connected && g.answered {
			m.note("%d leaves", g.n)
			m.look(g, 1)
			if g.connected {
				g.Send("1")
				synctest.Wait()
				m.end(g.sid)
				g.connected, g.answered = false, false
				g.Drop()
			}
		} else if g.sid != "" {
			synctest.Wait()
			m.note("disconnect %s", g.sid[:4])
			_ = m.srv.Disconnect(g.sid)
			m.end(g.sid)
			synctest.Wait()
		}
	case p < 96:
		m.sleep(window + time.Second)
	case p < 97:
		m.sleep(10 * time.Second)
	default:
		m.sleep(time.Duration(m.pick(1000)) * time.Millisecond)
	}
}

// lose makes a client lose its connection by what f does, after it has looked at some of what has come.
func (m *model) lose(g *guest, how string, f func()) {
	if !g.connected {
		return
	}
	m.look(g, m.float())
	if g.connected {
		m.note("%d %s", g.n, how)
		f()
		g.connected, g.answered = false, false
	}
}

// sleep lets time pass. Who is connected goes on looking meanwhile.
func (m *model) sleep(d time.Duration) {
	m.note("sleep %v", d)
	time.Sleep(d)
	for _, g := range m.clients {
		if g.connected {
			m.look(g, 1)
		}
	}
}

func (m *model) run(steps int) {
	for i := range 4 {
		m.clients = append(m.clients, &guest{Returner: siotest.NewReturner(m.t, m.srv, eiotest.WebSocket), n: i})
	}
	for range steps {
		m.step()
		if m.t.Failed() {
			return
		}
	}
	for _, g := range m.clients { // everybody comes back
		if !g.connected {
			g.Auth = nil
			g.Dial()
			g.SendConnect()
			g.connected, g.answered = true, false
		}
		time.Sleep(2 * time.Second)
		m.look(g, 1)
		if g.answered {
			m.check(g.sid, true)
		}
	}
	m.mu.Lock()
	sids := slices.Sorted(func(yield func(string) bool) {
		for sid := range m.sessions {
			if !yield(sid) {
				return
			}
		}
	})
	m.mu.Unlock()
	for _, sid := range sids {
		m.check(sid, false)
	}
	for _, g := range m.clients {
		g.Drop()
	}
	require.NoError(m.t, m.srv.Shutdown(m.t.Context()))
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.asked {
		if m.outcomes[k] > 1 || m.outcomes[k] == 0 && !m.tight { // a session may have ended before, of which the hooks heard late
			m.t.Errorf("question %s has %d outcomes", k, m.outcomes[k])
		}
	}
}

// Random schedules: each client sees what it must, each event once and in order.
// RECOVERY_SEED repeats one, RECOVERY_SCHEDULES says how many there are.
func TestModel(t *testing.T) {
	first, n := rand.Uint64()>>16, 150
	if text := os.Getenv("RECOVERY_SCHEDULES"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	if text := os.Getenv("RECOVERY_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		first, n = seed, 1
	}
	if testing.Short() {
		n = min(n, 30)
	}
	for i := range n {
		seed := first + uint64(i)
		ok := t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				keep := &socketio.Recovery{Window: window}
				if seed%4 == 0 {
					keep.SessionLimit = 2500
				}
				m := newModel(t, seed, &socketio.Options{
					Recovery: keep, AlwaysConnect: seed%5 == 0, AsyncHandlers: seed%7 == 0,
					PingInterval: 5 * time.Second, PingTimeout: 4 * time.Second,
				})
				defer func() {
					if t.Failed() {
						t.Logf("RECOVERY_SEED=%d", seed)
						for _, line := range m.trace {
							t.Log(line)
						}
					}
				}()
				m.run(150)
			})
		})
		if !ok {
			return
		}
	}
}
