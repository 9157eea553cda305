package main

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// The page is compiled against what the handlers are today.
func TestTypesAreUpToDate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.ts")
	require.NoError(t, writeTypes(file))
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join("web", "events.ts"))
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got), "run go generate ./examples/typescript")
}

func TestBoard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		ann := socketiotest.Connect(t, srv, &socketiotest.Options{Auth: Login{"ann"}})
		bob := socketiotest.Connect(t, srv, &socketiotest.Options{Auth: Login{"bob"}})

		var note Note
		ann.Call("post", Draft{Text: "milk", Tags: []string{"shop"}}).Bind(&note)
		assert.Equal(t, Note{ID: 1, Author: "ann", Text: "milk", Tags: []string{"shop"}, At: note.At}, note)
		bob.Expect("posted", note)

		bob.Emit("like", 1)
		ann.Expect("liked", 1, 1)
		bob.Expect("liked", 1, 1)
		bob.Emit("like", 7)

		note.Likes = 1
		var notes []Note
		bob.Call("list", Filter{Tag: "shop"}).Bind(&notes)
		assert.Equal(t, []Note{note}, notes)
		bob.Call("list", Filter{Tag: "work"}).Bind(&notes)
		assert.Equal(t, []Note{}, notes)
		ann.ExpectNothing()
		bob.ExpectNothing()
	})
}
