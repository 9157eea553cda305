package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// bubble runs a test with a server without games, in a synctest bubble.
func bubble(t *testing.T, f func(t *testing.T, srv *socketio.Server)) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(30 * time.Second)
		t.Cleanup(func() { assert.NoError(t, srv.Shutdown(context.Background())) })
		f(t, srv)
	})
}

// first decodes the first argument of an event. A second one, if there is one, is for Recovery.
func first(e socketiotest.Event, v any) { e.Bind(append([]any{v}, make([]any, e.Len()-1)...)...) }

// page is what a page knows.
type page struct {
	*socketiotest.Client
	t    *testing.T
	game game
}

// sit connects somebody and seats them.
func sit(t *testing.T, srv *socketio.Server, room, name string) *page {
	t.Helper()
	p := &page{Client: socketiotest.Connect(t, srv, nil), t: t}
	require.Empty(t, p.does("join", map[string]string{"room": room, "name": name}))
	return p
}

// does sends an event, and returns the error that is answered, "" for none.
func (p *page) does(event string, args ...any) string {
	p.t.Helper()
	var answer struct{ Error struct{ Message string } }
	if got := p.Call(event, args...); got.Len() > 0 {
		got.Bind(&answer)
	}
	return answer.Error.Message
}

func (p *page) draws(line int) string {
	p.t.Helper()
	return p.does("draw", map[string]int{"round": p.sees().Round, "line": line})
}

// sees returns the game as the page shows it.
func (p *page) sees() game {
	p.t.Helper()
	for _, e := range p.Received() {
		require.Equal(p.t, "game", e.Name)
		p.game = game{}
		first(e, &p.game)
	}
	return p.game
}

// names are those of the players, in the order of the colours; a star is for who is away.
func (p *page) names() (all []string) {
	p.t.Helper()
	g := p.sees()
	for color := range maxPlayers {
		if player := g.Players[color+1]; player != nil && player.Away {
			all = append(all, player.Name+"*")
		} else if player != nil {
			all = append(all, player.Name)
		}
	}
	return all
}

func TestRules(t *testing.T) {
	var g grid
	for box := range g.Boxes {
		require.Len(t, linesOf(box), 4)
		for _, line := range linesOf(box) {
			require.Less(t, line, lineCount)
		}
	}
	around := linesOf(5)
	for _, line := range around[:3] {
		assert.False(t, g.draw(line, 1))
	}
	assert.True(t, g.draw(around[3], 2))
	assert.Equal(t, 2, g.Boxes[5])
	// A line between two boxes can complete both.
	for _, line := range linesOf(6) {
		if g.Lines[line] == nobody {
			g.draw(line, 1)
		}
	}
	assert.Equal(t, 1, g.Boxes[6])
}

// A whole game of three, each of whom draws the first line that is free.
func TestGame(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		ann := sit(t, srv, "den", "ann")
		assert.Equal(t, errPlayers.Message, ann.does("start"))
		bob, cyd := sit(t, srv, "den", " bob "), sit(t, srv, "den", "<b>")
		other := sit(t, srv, "attic", "dan")
		require.Empty(t, bob.does("start"))
		assert.Equal(t, errRunning.Message, ann.does("start"), "who presses second")
		assert.Equal(t, []string{"ann", "bob", "<b>"}, cyd.names())
		assert.Equal(t, errRunning.Message, other.does("join", map[string]string{"room": "den", "name": "dan"}))
		assert.Equal(t, []string{"dan"}, other.names(), "the seat in the other room is lost")

		players := map[int]*page{1: ann, 2: bob, 3: cyd}
		assert.Equal(t, errTurn.Message, bob.draws(0))
		assert.Equal(t, errTaken.Message, ann.draws(lineCount))
		assert.Equal(t, errTaken.Message, ann.draws(-1))
		for line := range lineCount {
			turn := ann.sees().Turn
			require.NotEqual(t, nobody, turn)
			require.Empty(t, players[turn].draws(line))
			after := ann.sees()
			assert.Equal(t, errTurn.Message, players[turn%3+1].does("draw", map[string]int{"round": 7, "line": line}))
			if line < horizontal && after.Turn != nobody {
				assert.Equal(t, turn%3+1, after.Turn, "nobody has a box yet")
			}
		}
		end := cyd.sees()
		assert.Equal(t, nobody, end.Turn)
		assert.NotContains(t, end.Boxes, nobody)
		require.Empty(t, cyd.does("start"))
		assert.Equal(t, 2, bob.sees().Round)
		assert.NotContains(t, bob.sees().Lines, 1)
		assert.Equal(t, errTurn.Message, ann.does("draw", map[string]int{"round": 1, "line": 0}), "a move of the last game")
		other.ExpectNothing()
	})
}

// Two draw the same line at once, and one of them twice: it is drawn once.
func TestAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		ann, bob := sit(t, srv, "den", "ann"), sit(t, srv, "den", "bob")
		ann.Emit("start")
		bob.Emit("start")
		synctest.Wait()
		require.Equal(t, 1, ann.sees().Round)
		move := map[string]int{"round": 1, "line": 3}
		ann.Emit("draw", move)
		bob.Emit("draw", move)
		ann.Emit("draw", move)
		synctest.Wait()
		for _, p := range []*page{ann, bob} {
			assert.Equal(t, 1, p.sees().Lines[3])
			assert.Equal(t, 2, p.sees().Turn)
		}
	})
}

// Players leave in the middle: their turn passes on, and the last one has no game.
func TestLeave(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		ann, bob, cyd := sit(t, srv, "den", "ann"), sit(t, srv, "den", "bob"), sit(t, srv, "den", "cyd")
		require.Empty(t, ann.does("start"))
		require.Empty(t, ann.does("leave"))
		assert.Equal(t, 2, bob.sees().Turn)
		require.Empty(t, bob.draws(0))
		assert.Equal(t, errTurn.Message, ann.does("draw", map[string]int{"round": 1, "line": 1}))
		ann.Received()
		cyd.Disconnect()
		assert.Equal(t, []string{"bob"}, bob.names())
		assert.Equal(t, nobody, bob.sees().Turn)
		ann.ExpectNothing()
		require.Empty(t, ann.does("join", map[string]string{"room": "den", "name": "ann"}))
		assert.Equal(t, []string{"ann", "bob"}, bob.names())
		require.Empty(t, ann.does("join", map[string]string{"room": "den", "name": "twice"}))
		assert.Equal(t, []string{"ann", "bob"}, bob.names())
		ann.Disconnect()
		bob.Disconnect()
		assert.Equal(t, 0, sit(t, srv, "den", "eve").sees().Round, "an empty room is forgotten")
	})
}

// The network of a player goes: the seat is kept for a while, and then the turn passes on.
func TestAway(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		silent := &page{Client: socketiotest.Connect(t, srv, &socketiotest.Options{IgnorePings: true}), t: t}
		require.Empty(t, silent.does("join", map[string]string{"room": "den", "name": "ann"}))
		bob, cyd := sit(t, srv, "den", "bob"), sit(t, srv, "den", "cyd")
		require.Empty(t, bob.does("start"))
		silent.WaitDisconnect()
		assert.Equal(t, []string{"ann*", "bob", "cyd"}, bob.names())
		assert.Equal(t, 1, bob.sees().Turn, "it is still ann's turn")
		time.Sleep(29 * time.Second)
		assert.Equal(t, []string{"ann*", "bob", "cyd"}, bob.names())
		time.Sleep(2 * time.Second)
		assert.Equal(t, []string{"bob", "cyd"}, cyd.names())
		assert.Equal(t, 2, cyd.sees().Turn)
	})
}

func TestLimits(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		for _, form := range []map[string]string{{}, {"room": " ", "name": "x"}, {"room": "x", "name": strings.Repeat("x", maxName+1)}} {
			p := &page{Client: socketiotest.Connect(t, srv, nil), t: t}
			assert.Equal(t, errName.Message, p.does("join", form))
		}
		for range maxPlayers {
			sit(t, srv, "den", strings.Repeat("é", maxName))
		}
		p := &page{Client: socketiotest.Connect(t, srv, nil), t: t}
		assert.Equal(t, errFull.Message, p.does("join", map[string]string{"room": "den", "name": "x"}))
		assert.Equal(t, errPlayers.Message, p.does("start"))
		assert.Equal(t, errTurn.Message, p.does("draw", map[string]int{}))
	})
}

func TestPage(t *testing.T) {
	srv := newServer(time.Second)
	t.Cleanup(func() { assert.NoError(t, srv.Shutdown(context.Background())) })
	for path, want := range map[string]int{"/": 200, "/static/page.js": 200, "/nothing": 404} {
		w := httptest.NewRecorder()
		newHandler(srv).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		assert.Equal(t, want, w.Code, path)
	}
}
