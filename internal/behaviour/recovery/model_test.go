package recovery_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

const window = 30 * time.Second

// session is what the model knows of a session of the server.
type session struct {
	rooms map[string]bool
	owed  []owed
	seen  []string
	ended bool
	lost  time.Time // when the connection was lost last
}

// owed is an event that the client of a session must see.
type owed struct {
	event    string
	question int // 0: none
}

// model runs a random schedule on a server, and knows what each client must have seen.
type model struct {
	t     *testing.T
	rand  *rand.Rand
	tight bool // sessions end because of SessionLimit
	srv   *socketio.Server

	mu       sync.Mutex
	sessions map[string]*session // by sid
	outcomes map[string]int      // of questions, by number and sid
	failed   map[string]bool     // questions that have no answer, by the same

	clients []*guest
	events  int
	asked   map[string]bool // number and sid
	began   time.Time
	noting  sync.Mutex
	trace   []string
}

// guest is a client.
type guest struct {
	*siotest.Returner
	n         int
	connected bool // it has a connection, and its CONNECT was sent
	answered  bool // and was answered
	sid       string
}

func newModel(t *testing.T, seed uint64, opts *socketio.Options) *model {
	m := &model{
		t: t, rand: rand.New(rand.NewPCG(seed, 7)), tight: opts.Recovery.SessionLimit > 0, sessions: map[string]*session{},
		began: time.Now(), outcomes: map[string]int{}, failed: map[string]bool{}, asked: map[string]bool{},
	}
	m.srv = siotest.NewServer(t, opts)
	m.srv.On("connect", func(c *socketio.Context, auth map[string]any) error {
		if auth["slow"] != nil {
			time.Sleep(700 * time.Millisecond)
		}
		if auth["refuse"] != nil && c.Recovered() {
			return &socketio.Error{Message: "no"}
		}
		return nil
	})
	late := rand.New(rand.NewPCG(seed, 8)) // of its own, so that a seed repeats a schedule
	m.srv.On("disconnect", func(c *socketio.Context) {
		m.mu.Lock()
		sleeps := late.IntN(5) == 0
		m.mu.Unlock()
		if sleeps {
			time.Sleep(300 * time.Millisecond)
		}
	})
	m.srv.AddHooks(socketio.Hooks{
		SocketConnected: func(s *socketio.Socket) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.note("\thook: connected %s, recovered %v", s.ID()[:4], s.Recovered())
			if !s.Recovered() {
				m.sessions[s.ID()] = &session{rooms: map[string]bool{}, ended: !s.Connected() && !s.Away()} // it left while its handler ran
			}
		},
		SocketDisconnected: func(s *socketio.Socket, why socketio.Reason, _ error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.note("\thook: disconnected %s: %v, away %v", s.ID()[:4], why, s.Away())
			m.sessions[s.ID()].lost = time.Now()
			m.sessions[s.ID()].ended = m.sessions[s.ID()].ended || !s.Away()
		},
		Expired: func(s *socketio.Socket, why socketio.Expiry) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.note("\thook: expired %s: %v", s.ID()[:4], why)
			ses := m.sessions[s.ID()]
			if why == socketio.ExpiredWindow && time.Since(ses.lost) < window-2*time.Second {
				t.Errorf("%s expired %v after it was lost", s.ID(), time.Since(ses.lost))
			}
			ses.ended = true
		},
	})
	return m
}

// chance is true once in n times.
func (m *model) chance(n int) bool { return m.rand.IntN(n) == 0 }

func (m *model) pick(n int) int { return m.rand.IntN(n) }

func (m *model) float() float64 { return m.rand.Float64() }

func (m *model) note(format string, args ...any) {
	m.noting.Lock()
	defer m.noting.Unlock()
	m.trace = append(m.trace, fmt.Sprintf("%8.3f ", time.Since(m.began).Seconds())+fmt.Sprintf(format, args...))
}

// anySID returns the session id of a client, "" if it has none.
func (m *model) anySID() string {
	return m.clients[m.pick(len(m.clients))].sid
}

// look has a client look at some of what has arrived.
func (m *model) look(g *guest, share float64) {
	before := g.SID
	hadPID := g.PID
	g.Refused = ""
	synctest.Wait()
	m.mu.Lock()
	mustRecover := before != "" && m.sessions[before] != nil && !m.sessions[before].ended && g.Auth["refuse"] == nil && !m.tight
	m.mu.Unlock()
	answers := g.Answers
	g.LookAt(share)
	switch {
	case g.Refused != "":
		g.connected = false
		g.Drop()
	case g.Answers > answers:
		g.answered = true
		if mustRecover && !g.Recovered {
			m.t.Errorf("client %d is not recovered: had %s %s", g.n, before, hadPID)
		}
		if g.Recovered {
			require.Equal(m.t, before, g.SID)
		}
		g.sid = g.SID
	}
	m.take(g)
}

// take notes what a client has seen.
func (m *model) take(g *guest) {
	for _, e := range g.Seen() {
		if e == "disconnected" {
			g.connected, g.answered = false, false
			g.Drop()
			return
		}
		if !g.answered {
			m.t.Errorf("client %d got %s before it was connected", g.n, e)
			return
		}
		if len(e) > 10 && e[:11] == `["volatile"` {
			continue
		}
		m.mu.Lock()
		m.sessions[g.sid].seen = append(m.sessions[g.sid].seen, e)
		m.mu.Unlock()
		if e[0] == '?' && m.pick(4) > 0 && g.connected {
			g.Answer(e[1:], `[]`)
		}
	}
}

// end notes that a session has ended; the hooks may hear of it later.
func (m *model) end(sid string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[sid].ended = true
}

// check compares what a client has seen with what it must have: whole if it is connected and quiet.
func (m *model) check(sid string, whole bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[sid]
	i := 0
	for _, o := range s.owed {
		switch {
		case i < len(s.seen) && s.seen[i] == o.event:
			i++
		case i == len(s.seen) && !whole:
			return
		case o.question != 0 && m.failed[key(o.question, sid)]:
		default:
			m.t.Errorf("session %s: got %v, want %s; owed %v", sid, s.seen[i:], o.event, s.owed)
			return
		}
	}
	if i < len(s.seen) {
		m.t.Errorf("session %s: got more: %v", sid, s.seen[i:])
	}
}
