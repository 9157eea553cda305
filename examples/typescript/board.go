package main

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// Login is what a page gives when it connects.
type Login struct {
	Name string `json:"name"`
}

// Note is a note on the board.
type Note struct {
	ID     int       `json:"id"`
	Author string    `json:"author"`
	Text   string    `json:"text"`
	Tags   []string  `json:"tags"`
	At     time.Time `json:"at"`
	Likes  int       `json:"likes,omitempty"`
}

// Draft is a note that is not on the board yet.
type Draft struct {
	Text string   `json:"text"`
	Tags []string `json:"tags,omitempty"`
}

// Filter says which notes are wanted. Its zero value wants all.
type Filter struct {
	Tag string `json:"tag,omitempty"`
}

// board is all there is.
type board struct {
	mu    sync.Mutex
	notes []*Note
}

// newServer registers the handlers, and what the server emits by itself.
func newServer() *socketio.Server {
	srv := socketio.NewServer(nil)
	b := new(board)

	srv.On("connect", func(c *socketio.Context, login Login) error {
		if strings.TrimSpace(login.Name) == "" {
			return &socketio.Error{Message: "say who you are: auth is {name}"}
		}
		c.Session().Set("name", login.Name)
		return nil
	})
	srv.On("post", func(c *socketio.Context, d Draft) (Note, error) {
		name, _ := c.Session().Get("name").(string)
		note := b.post(name, d)
		return note, c.Emit("posted", note, socketio.Broadcast(), socketio.SkipSelf())
	})
	srv.On("list", func(c *socketio.Context, f Filter) ([]Note, error) { return b.list(f), nil })
	srv.On("like", func(c *socketio.Context, id int) error {
		if likes, ok := b.like(id); ok {
			return c.Emit("liked", socketio.Args{id, likes}, socketio.Broadcast())
		}
		return nil
	})

	srv.Declare("posted", func(Note) {})
	srv.Declare("liked", func(id, likes int) {})
	return srv
}

func (b *board) post(author string, d Draft) Note {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := &Note{ID: len(b.notes) + 1, Author: author, Text: d.Text, Tags: append([]string{}, d.Tags...), At: time.Now().UTC()}
	b.notes = append(b.notes, n)
	return *n
}

func (b *board) list(f Filter) []Note {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := []Note{} // an empty array on the page, not null
	for _, n := range b.notes {
		if f.Tag == "" || slices.Contains(n.Tags, f.Tag) {
			found = append(found, *n)
		}
	}
	return found
}

func (b *board) like(id int) (likes int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id < 1 || id > len(b.notes) {
		return 0, false
	}
	b.notes[id-1].Likes++
	return b.notes[id-1].Likes, true
}
