package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed-d124fa34/socketio"
)

// Limits. What one person can draw must not use up the memory of all.
const (
	boardWidth, boardHeight = 1600, 1000 // units of points, whatever the size of a page
	maxWidth                = 40         // of a line
	maxBatch                = 500        // points in one event
	maxPoints               = 100_000    // on the board
	maxName                 = 24         // characters
)

// stroke is a line, as it is drawn. Pages send it in parts: From is how many points came
// before this part, so that a part that is sent twice counts once.
type stroke struct {
	ID     string   `json:"id"` // chosen by the page, at random
	Color  string   `json:"color"`
	Width  int      `json:"width"`
	From   int      `json:"from"`
	Points [][2]int `json:"points"`

	owner string // the sid of who draws it
}

var (
	strokeID = regexp.MustCompile(`^[0-9a-f]{16,32}$`)
	color    = regexp.MustCompile(`^#[0-9a-f]{6}$`)

	errStroke = &socketio.Error{Message: "this is no stroke"}
	errGone   = &socketio.Error{Message: "this stroke has ended"}
	errFull   = &socketio.Error{Message: "the board is full: clear it"}
)

func (s stroke) valid() bool {
	outside := func(p [2]int) bool { return p[0] < 0 || p[0] > boardWidth || p[1] < 0 || p[1] > boardHeight }
	return strokeID.MatchString(s.ID) && color.MatchString(s.Color) && s.Width >= 1 && s.Width <= maxWidth &&
		s.From >= 0 && len(s.Points) >= 1 && len(s.Points) <= maxBatch && !slices.ContainsFunc(s.Points, outside)
}

// board is what has been drawn, and who is here. Everything is emitted while the lock is
// held (Emit never waits for a client): all pages see all changes in one order, which is
// that of the board.
type board struct {
	srv *socketio.Server

	mu      sync.Mutex
	strokes []*stroke // in the order in which they were begun
	byID    map[string]*stroke
	points  int
	people  map[string]string // names by sid
}

// newServer returns the server of an empty board.
func newServer() *socketio.Server {
	srv := socketio.NewServer(&socketio.Options{
		// Recovery is all that a reconnect takes: the session goes on, with its sid, so that a
		// stroke can be continued, and what others draw meanwhile is delivered afterwards.
		// Who is away for longer gets the whole board, as anybody who is new.
		Recovery: &socketio.Recovery{Window: time.Minute},
		Limits:   socketio.Limits{EventRate: 50, EventBurst: 100, MaxPayload: 32 << 10, MaxNamespaces: 1},
	})
	b := &board{srv: srv, byID: map[string]*stroke{}, people: map[string]string{}}
	srv.On("connect", func(c *socketio.Context, auth struct{ Name string }) error {
		c.Session().Set("name", cleanName(auth.Name))
		return nil
	})
	srv.On("enter", b.enter)
	srv.On("draw", b.draw)
	srv.On("clear", b.clear)
	srv.On("disconnect", b.leave)
	return srv
}

// cleanName makes a name of what somebody has typed. Pages show it as text.
func cleanName(typed string) string {
	name := strings.Join(strings.FieldsFunc(typed, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if utf8.RuneCountInString(name) > maxName {
		name = strings.TrimSpace(string([]rune(name)[:maxName]))
	}
	if name == "" {
		return "somebody"
	}
	return name
}

// enter is what a page sends when it is connected. A page that was recovered has the board:
// what it has missed is on its way. Any other one gets all of it.
func (b *board) enter(c *socketio.Context, has bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !has {
		if err := c.Emit("board", append([]*stroke{}, b.strokes...)); err != nil {
			return err
		}
	}
	b.people[c.ID()], _ = c.Session().Get("name").(string)
	return b.emitPeople()
}

func (b *board) leave(c *socketio.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.people, c.ID())
	return b.emitPeople()
}

func (b *board) emitPeople() error {
	return b.srv.Emit("people", slices.Sorted(maps.Values(b.people)))
}

// draw begins or continues a stroke. Its sender gets it as well, as all others do: only
// what comes back is on the board. The acknowledgement says that it need not be sent again.
func (b *board) draw(c *socketio.Context, part stroke) error {
	if !part.valid() {
		return errStroke
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.byID[part.ID]
	switch {
	case s == nil && part.From > 0, s != nil && part.From > len(s.Points):
		return errGone // the board was cleared meanwhile
	case s != nil && s.owner != c.ID():
		return errGone // somebody else's, or that of a session which has not been recovered
	case s != nil && part.From+len(part.Points) <= len(s.Points):
		return nil // it came twice
	case s != nil:
		part.Points = part.Points[len(s.Points)-part.From:]
		part.From, part.Color, part.Width = len(s.Points), s.Color, s.Width
	}
	if b.points+len(part.Points) > maxPoints {
		return errFull
	}
	if s == nil {
		s = &stroke{ID: part.ID, Color: part.Color, Width: part.Width, owner: c.ID()}
		b.byID[s.ID] = s
		b.strokes = append(b.strokes, s)
	}
	s.Points = append(s.Points, part.Points...)
	b.points += len(part.Points)
	return b.srv.Emit("draw", part)
}

// clear empties the board. Strokes that somebody is drawing end: errGone.
func (b *board) clear(*socketio.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.byID)
	b.strokes, b.points = nil, 0
	return b.srv.Emit("cleared", nil)
}
