package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// What e2e has the official client do with the same app on the other servers.
func TestTalk(t *testing.T) {
	srv := newServer()
	ann := socketiotest.Connect(t, srv, &socketiotest.Options{Auth: credentials{"ann"}})
	bob := socketiotest.Connect(t, srv, &socketiotest.Options{Auth: credentials{"bob"}})
	ann.Emit("join", "den")
	ann.Expect("joined", "ann")
	bob.Emit("join", "den")
	ann.Expect("joined", "bob")
	bob.Expect("joined", "bob")
	ann.Emit("say", "den", "hello")
	ann.Expect("said", message{"ann", "hello"})
	bob.Expect("said", message{"ann", "hello"})
	assert.Equal(t, "[3]", ann.Call("add", 1, 2).String())
}
