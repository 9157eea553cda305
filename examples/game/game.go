package main

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/seed-d124fa34/socketio"
)

const (
	maxRooms   = 500
	maxPlayers = 4
	maxName    = 24 // characters, of players and of rooms
)

var (
	errName    = &socketio.Error{Message: "a name has 1 to 24 characters"}
	errFull    = &socketio.Error{Message: "there is no seat left"}
	errRunning = &socketio.Error{Message: "a game runs in this room: wait for its end"}
	errPlayers = &socketio.Error{Message: "it takes two players"}
	errTurn    = &socketio.Error{Message: "it is not your turn"}
	errTaken   = &socketio.Error{Message: "this line has been drawn"}
)

type player struct {
	ID   string `json:"id"` // the sid
	Name string `json:"name"`
	Away bool   `json:"away"` // has lost the connection, and may come back
}

// game is what goes on in a room. Its pages get all of it after each change.
type game struct {
	Room    string          `json:"room"`
	Round   int             `json:"round"`   // which game it is that is played here
	Players map[int]*player `json:"players"` // by colour, 1 to maxPlayers
	Turn    int             `json:"turn"`    // the colour whose turn it is; nobody: no game runs
	grid
}

// seat is where somebody plays.
type seat struct {
	*game
	color int
}

// lobby is all games. Everything is emitted while the lock is held (Emit never waits for a
// client), so that all pages of a room see all changes in the order in which they were made.
type lobby struct {
	srv   *socketio.Server
	mu    sync.Mutex
	games map[string]*game // by room
	seats map[string]seat  // by sid
}

func newServer(window time.Duration) *socketio.Server {
	srv := socketio.NewServer(&socketio.Options{
		// Recovery keeps the seat: a player who loses the connection is away, stays in the room
		// with the same sid, and gets the moves of the others when the network is back.
		// OnExpired hears of those who do not come back within the window.
		Recovery: &socketio.Recovery{Window: window},
		Limits:   socketio.Limits{EventRate: 20, EventBurst: 40, MaxPayload: 4096, MaxNamespaces: 1},
	})
	l := &lobby{srv: srv, games: map[string]*game{}, seats: map[string]seat{}}
	srv.On("connect", func(c *socketio.Context) error { return l.away(c.ID(), false) })
	srv.On("join", l.join)
	srv.On("leave", func(c *socketio.Context) error { return l.remove(c.ID()) })
	srv.On("start", l.start)
	srv.On("draw", l.draw)
	srv.On("disconnect", func(c *socketio.Context) error {
		if c.Away() {
			return l.away(c.ID(), true)
		}
		return l.remove(c.ID())
	})
	srv.OnExpired(func(s *socketio.Socket, _ socketio.Expiry) { _ = l.remove(s.ID()) })
	return srv
}

// join seats somebody in a room, which begins with its first player. Pages show names as text.
func (l *lobby) join(c *socketio.Context, form struct{ Room, Name string }) error {
	room, name := strings.TrimSpace(form.Room), strings.TrimSpace(form.Name)
	if room == "" || name == "" || max(utf8.RuneCountInString(room), utf8.RuneCountInString(name)) > maxName {
		return errName
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.games[room]
	switch {
	case g == nil && len(l.games) >= maxRooms:
		return errFull
	case g == nil:
		g = &game{Room: room, Players: map[int]*player{}}
	case g == l.seats[c.ID()].game:
		return nil // it came twice
	case g.Turn != nobody:
		return errRunning
	case len(g.Players) >= maxPlayers:
		return errFull
	}
	if err := errors.Join(l.leaveGame(c.ID()), c.Join("game "+room)); err != nil {
		return err
	}
	color := 1
	for ; g.Players[color] != nil; color++ {
	}
	g.Players[color] = &player{ID: c.ID(), Name: name}
	l.games[room], l.seats[c.ID()] = g, seat{g, color}
	return l.show(g)
}

// next gives the turn to the player behind the one who has it.
func (g *game) next() {
	for g.Turn = g.Turn%maxPlayers + 1; g.Players[g.Turn] == nil; g.Turn = g.Turn%maxPlayers + 1 {
	}
}

// show sends a game to its room. Those who are away get it when they are back.
func (l *lobby) show(g *game) error { return l.srv.Emit("game", g, socketio.To("game "+g.Room)) }

// start begins a game. Who presses second is told that it runs.
func (l *lobby) start(c *socketio.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.seats[c.ID()].game
	switch {
	case g == nil || len(g.Players) < 2:
		return errPlayers
	case g.Turn != nobody:
		return errRunning
	}
	g.Round++
	g.grid = grid{}
	g.next()
	return l.show(g)
}

// draw is a move. It names its round, so that one for the last game is none in the next.
func (l *lobby) draw(c *socketio.Context, move struct{ Round, Line int }) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.seats[c.ID()]
	switch {
	case s.game == nil || s.Turn != s.color || move.Round != s.Round:
		return errTurn
	case move.Line < 0 || move.Line >= lineCount || s.Lines[move.Line] != nobody:
		return errTaken
	}
	if !s.grid.draw(move.Line, s.color) {
		s.next()
	}
	if !slices.Contains(s.Boxes[:], nobody) {
		s.Turn = nobody // the end
	}
	return l.show(s.game)
}

// away shows whether a player is away.
func (l *lobby) away(sid string, away bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.seats[sid]
	if s.game == nil {
		return nil
	}
	s.Players[s.color].Away = away
	return l.show(s.game)
}

func (l *lobby) remove(sid string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leaveGame(sid)
}

// leaveGame takes somebody out of a game, whatever goes on there: the turn passes on, and
// if one player is left, the game ends. It is called with the lock held.
func (l *lobby) leaveGame(sid string) error {
	s := l.seats[sid]
	if s.game == nil {
		return nil
	}
	delete(l.seats, sid)
	delete(s.Players, s.color)
	_ = l.srv.LeaveRoom(sid, "game "+s.Room) // an error: the socket has gone
	switch {
	case len(s.Players) == 0:
		delete(l.games, s.Room)
		return nil
	case len(s.Players) == 1:
		s.Turn = nobody
	case s.Turn == s.color:
		s.next()
	}
	return l.show(s.game)
}
