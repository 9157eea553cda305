package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// bubble runs a test with an empty board, in a synctest bubble.
func bubble(t *testing.T, f func(t *testing.T, srv *socketio.Server)) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		t.Cleanup(func() { assert.NoError(t, srv.Shutdown(context.Background())) })
		f(t, srv)
	})
}

// first decodes the first argument of an event. A second one, if there is one, is for Recovery.
func first(e socketiotest.Event, v any) { e.Bind(append([]any{v}, make([]any, e.Len()-1)...)...) }

// page is what a page knows.
type page struct {
	*socketiotest.Client
	t       *testing.T
	strokes map[string][][2]int
	people  []string
}

// open connects a page, which gets the board.
func open(t *testing.T, srv *socketio.Server, name string) *page {
	t.Helper()
	p := &page{Client: socketiotest.Connect(t, srv, &socketiotest.Options{Auth: map[string]string{"name": name}}), t: t}
	p.Call("enter", false)
	p.read()
	require.NotNil(t, p.strokes, "it got no board")
	return p
}

// read takes in all that the server has sent. Other pages' parts must fit to what is there.
func (p *page) read() {
	p.t.Helper()
	for _, e := range p.Received() {
		switch e.Name {
		case "board":
			var all []stroke
			first(e, &all)
			p.strokes = map[string][][2]int{}
			for _, s := range all {
				p.strokes[s.ID] = s.Points
			}
		case "draw":
			var s stroke
			first(e, &s)
			require.Len(p.t, p.strokes[s.ID], s.From, "a part of a stroke is missing, or came twice")
			p.strokes[s.ID] = append(p.strokes[s.ID], s.Points...)
		case "cleared":
			p.strokes = map[string][][2]int{}
		case "people":
			first(e, &p.people)
		}
	}
}

// draw sends a part of a stroke and returns the error that is answered, "" for none.
func (p *page) draw(id string, from int, points ...[2]int) string {
	p.t.Helper()
	var answer struct{ Error struct{ Message string } }
	if args := p.Call("draw", stroke{ID: id, Color: "#0000ff", Width: 4, From: from, Points: points}); args.Len() > 0 {
		args.Bind(&answer)
	}
	return answer.Error.Message
}

var one, two = strings.Repeat("1", 24), strings.Repeat("2", 24)

func TestDraw(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		ann, bob := open(t, srv, "ann"), open(t, srv, " b\x00o\n b<b> ")
		require.Empty(t, ann.draw(one, 0, [2]int{1, 1}, [2]int{2, 2}))
		require.Empty(t, bob.draw(two, 0, [2]int{9, 9}))
		require.Empty(t, ann.draw(one, 2, [2]int{3, 3}))
		require.Empty(t, ann.draw(one, 2, [2]int{3, 3}), "a part that was sent twice")
		require.Empty(t, ann.draw(one, 1, [2]int{2, 2}, [2]int{3, 3}, [2]int{4, 4}), "and one that goes on")
		cyd := open(t, srv, "")
		want := map[string][][2]int{one: {{1, 1}, {2, 2}, {3, 3}, {4, 4}}, two: {{9, 9}}}
		for _, p := range []*page{ann, bob, cyd} {
			p.read()
			assert.Equal(t, want, p.strokes)
			assert.Equal(t, []string{"ann", "b o b<b>", "somebody"}, p.people)
		}
		bob.Disconnect()
		ann.read()
		assert.Equal(t, []string{"ann", "somebody"}, ann.people)
	})
}

// The board is cleared in the middle of a stroke: its rest is on no page.
func TestClear(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		ann, bob := open(t, srv, "ann"), open(t, srv, "bob")
		require.Empty(t, ann.draw(one, 0, [2]int{1, 1}))
		bob.Call("clear")
		assert.Equal(t, errGone.Message, ann.draw(one, 1, [2]int{2, 2}))
		require.Empty(t, ann.draw(two, 0, [2]int{2, 2}))
		for _, p := range []*page{ann, bob, open(t, srv, "cyd")} {
			p.read()
			assert.Equal(t, map[string][][2]int{two: {{2, 2}}}, p.strokes)
		}
	})
}

// All draw and clear at once: all pages end with the same board, and so does one that
// comes in the middle.
func TestAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		var pages []*page
		for range 4 {
			pages = append(pages, open(t, srv, "x"))
		}
		var wg sync.WaitGroup
		for i, p := range pages {
			wg.Go(func() {
				id := strings.Repeat(string(rune('a'+i)), 24)
				for n := range 15 {
					p.Emit("draw", stroke{ID: id, Color: "#0000ff", Width: 4, From: n, Points: [][2]int{{n, i}}})
					if n == 7 && i == 0 {
						p.Emit("clear")
					}
				}
			})
		}
		late := open(t, srv, "late")
		wg.Wait()
		synctest.Wait()
		last := open(t, srv, "last")
		for _, p := range append(pages, late) {
			p.read()
			assert.Equal(t, last.strokes, p.strokes)
		}
	})
}

func TestLimits(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		ann, bob := open(t, srv, strings.Repeat("é", 100)), open(t, srv, "bob")
		assert.Equal(t, []string{strings.Repeat("é", maxName)}, ann.people)
		good := stroke{ID: one, Color: "#0000ff", Width: 4, Points: [][2]int{{1, 1}}}
		for what, change := range map[string]func(*stroke){
			"id":       func(s *stroke) { s.ID = "<b>" },
			"color":    func(s *stroke) { s.Color = "red;background:url(x)" },
			"width":    func(s *stroke) { s.Width = maxWidth + 1 },
			"outside":  func(s *stroke) { s.Points = [][2]int{{boardWidth + 1, 0}} },
			"negative": func(s *stroke) { s.Points = [][2]int{{0, -1}} },
			"nothing":  func(s *stroke) { s.Points = nil },
			"too much": func(s *stroke) { s.Points = make([][2]int, maxBatch+1) },
			"from":     func(s *stroke) { s.From = -1 },
		} {
			s := good
			change(&s)
			var answer struct{ Error struct{ Message string } }
			ann.Call("draw", s).Bind(&answer)
			assert.Equal(t, errStroke.Message, answer.Error.Message, what)
		}
		require.Empty(t, ann.draw(one, 0, [2]int{1, 1}))
		assert.Equal(t, errGone.Message, bob.draw(one, 1, [2]int{2, 2}), "somebody else's stroke")
		assert.Equal(t, errGone.Message, ann.draw(one, 3, [2]int{2, 2}), "a gap")
	})
}

func TestFull(t *testing.T) {
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		b := &board{srv: srv, byID: map[string]*stroke{}, points: maxPoints - 1}
		srv.On("draw to the end", b.draw)
		ann := open(t, srv, "ann")
		draw := func(points ...[2]int) socketiotest.Args {
			return ann.Call("draw to the end", stroke{ID: one, Color: "#0000ff", Width: 4, Points: points})
		}
		var answer struct{ Error struct{ Message string } }
		draw([2]int{1, 1}, [2]int{2, 2}).Bind(&answer)
		assert.Equal(t, errFull.Message, answer.Error.Message)
		assert.Zero(t, draw([2]int{1, 1}).Len())
	})
}

func TestPage(t *testing.T) {
	srv := newServer()
	t.Cleanup(func() { assert.NoError(t, srv.Shutdown(context.Background())) })
	for path, want := range map[string]int{"/": 200, "/static/page.js": 200, "/nothing": 404} {
		w := httptest.NewRecorder()
		newHandler(srv).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		assert.Equal(t, want, w.Code, path)
	}
}
