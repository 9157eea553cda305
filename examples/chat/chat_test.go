package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lobby signs up ann and bob, who are in a room, with a tab each.
func lobby(s *site) (ann, bob *tab, browsers [2]*browser) {
	browsers = [2]*browser{s.signUp("ann"), s.signUp("bob")}
	ann, bob = browsers[0].open(), browsers[1].open()
	ann.does("create", "lobby")
	bob.does("join", "lobby")
	ann.Received()
	bob.Received()
	return ann, bob, browsers
}

func TestRooms(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		b := s.signUp("ann")
		ann, annToo, bob := b.open(), b.open(), s.signUp("bob").open()
		ann.does("create", " Lobby ")
		for _, tab := range []*tab{ann, annToo} { // it is in all tabs
			tab.Expect("joined", conversation{In: "#lobby", Missed: []message{}})
			tab.Expect("people", presence{"lobby", []person{{"ann", "ann"}}})
			tab.ExpectNothing()
		}
		bob.ExpectNothing()
		assert.Equal(t, errRoomTaken.Error(), bob.refused("create", "lobby"))
		assert.Equal(t, errNoRoom.Error(), bob.refused("join", "garden"))
		assert.Equal(t, errRoomName.Error(), bob.refused("join", "#lobby"))

		// Who is not in a room can neither read nor write there.
		assert.Equal(t, errNotMember.Error(), bob.refused("say", saying{In: "#lobby", Text: "hi"}))
		assert.Equal(t, errNotMember.Error(), bob.refused("history", question{In: "#lobby"}))
		assert.Equal(t, errNotMember.Error(), bob.refused("typing", "#lobby"))
		ann.says("#lobby", "alone")
		ann.hears("#lobby", "ann", "alone")
		annToo.hears("#lobby", "ann", "alone")
		bob.ExpectNothing()

		bob.does("join", "lobby")
		bob.Expect("joined", conversation{In: "#lobby", Last: 1, Missed: []message{}})
		bob.Expect("people", presence{"lobby", []person{{"ann", "ann"}, {"bob", "bob"}}})
		ann.Expect("came", presence{"lobby", []person{{"bob", "bob"}}})
		bob.says("#lobby", "hi")
		d := ann.hears("#lobby", "bob", "hi")
		assert.Equal(t, uint64(2), d.ID)
		bob.hears("#lobby", "bob", "hi")
		assert.JSONEq(t, `[[{"online":2,"room":"lobby"}]]`, ann.Call("rooms").String())

		bob.does("leave", "lobby")
		bob.Expect("left", "#lobby")
		ann.Expect("went", presence{"lobby", []person{{User: "bob"}}})
		ann.says("#lobby", "alone again")
		bob.ExpectNothing()
		bob.does("leave", "lobby") // is fine
	})
}

// Somebody is online from their first tab to their last.
func TestOnline(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		ann, bob, browsers := lobby(s)
		bobToo := browsers[1].open()
		ann.ExpectNothing()
		bob.Disconnect()
		ann.ExpectNothing()
		bobToo.Drop()
		ann.Expect("went", presence{"lobby", []person{{User: "bob"}}})
		assert.JSONEq(t, `[[{"online":1,"room":"lobby"}]]`, ann.Call("rooms").String())

		bob = &tab{browsers[1].open().Client, t}
		ann.Expect("came", presence{"lobby", []person{{"bob", "bob"}}})
		bob.sync(nil) // once more
		bob.Expect("people", presence{"lobby", []person{{"ann", "ann"}, {"bob", "bob"}}})
		ann.ExpectNothing()
	})
}

func TestDirectMessages(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		ann, bob, browsers := lobby(s)
		eve := s.signUp("eve").open()
		eve.does("join", "lobby")
		annToo, bobToo := browsers[0].open(), browsers[1].open()
		for _, tab := range []*tab{ann, bob, eve} {
			tab.Received()
		}
		assert.Equal(t, uint64(1), ann.says("@bob", "psst"))
		assert.Equal(t, uint64(2), bob.says("@ann", "yes?"))
		for _, tab := range []*tab{ann, annToo} {
			tab.hears("@bob", "ann", "psst")
			tab.hears("@bob", "bob", "yes?")
		}
		for _, tab := range []*tab{bob, bobToo} {
			tab.hears("@ann", "ann", "psst")
			tab.hears("@ann", "bob", "yes?")
		}
		eve.ExpectNothing()
		assert.Empty(t, eve.history("@ann", 0).Messages)
		assert.Equal(t, []string{"psst", "yes?"}, texts(bob.history("@ann", 0).Messages))

		// Notes to oneself.
		eve.says("@eve", "remember")
		eve.hears("@eve", "eve", "remember")
		eve.ExpectNothing()

		assert.Equal(t, errNoUser.Error(), eve.refused("say", saying{In: "@nobody", Text: "hi"}))
		assert.Equal(t, errNoUser.Error(), eve.refused("say", saying{In: "lobby", Text: "hi"}))
		assert.Equal(t, errNoUser.Error(), eve.refused("person", "nobody"))
		assert.JSONEq(t, `[{"user":"bob","nick":"bob"}]`, eve.Call("person", "Bob").String())

		// The conversation is there next time.
		again := browsers[1].open().sync(nil)
		require.Len(t, again.Conversations, 2)
		assert.Equal(t, conversation{In: "@ann", Nick: "ann", Last: 2, Missed: []message{}}, again.Conversations[1])
	})
}

func (t *tab) history(in string, before uint64) (p page) {
	t.t.Helper()
	t.Call("history", question{in, before}).Bind(&p)
	return p
}

func TestTyping(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		ann, bob, browsers := lobby(s)
		annToo := browsers[0].open()
		bob.Received()
		ann.Emit("typing", "#lobby")
		bob.Expect("typing", typist{"#lobby", person{"ann", "ann"}})
		ann.Emit("typing", "@bob")
		bob.Expect("typing", typist{"@ann", person{"ann", "ann"}})
		ann.ExpectNothing()
		annToo.ExpectNothing()
	})
}

func TestNicknames(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		ann, bob, browsers := lobby(s)
		assert.JSONEq(t, `[{"user":"ann","nick":"Ann with spaces"}]`, ann.Call("nick", "  Ann  with spaces ").String())
		bob.Expect("renamed", person{"ann", "Ann with spaces"})
		ann.Expect("renamed", person{"ann", "Ann with spaces"})
		assert.Equal(t, errNickTaken.Error(), bob.refused("nick", "ANN WITH SPACES"), "somebody else's")
		for _, wrong := range []string{"", "  ", strings.Repeat("x", 33), "a\u202eb", "a\u200bb", "a\x00b"} {
			assert.Equal(t, errNick.Error(), bob.refused("nick", wrong), "%q", wrong)
		}
		ann.says("#lobby", "it is me")
		assert.Equal(t, "Ann with spaces", bob.hears("#lobby", "ann", "it is me").Nick)

		bob.Call("nick", "ann") // it is free again
		ann.Call("nick", "Ann")
		assert.Equal(t, errNickTaken.Error(), ann.refused("nick", "ann"))
		assert.Equal(t, "ann", browsers[1].open().sync(nil).Me.Nick)
		eve := s.signUp("eve")
		eve.open().Call("nick", "dan")
		assert.Equal(t, "dan (2)", s.signUp("dan").open().sync(nil).Me.Nick, "its nickname is taken, the name is not")
	})
}

func TestHistory(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		ann, _, _ := lobby(s)
		for i := range pageSize + 10 {
			require.Equal(t, uint64(i+1), ann.says("#lobby", fmt.Sprint("message ", i+1)))
			time.Sleep(time.Second)
		}
		p := ann.history("#lobby", 0)
		require.Len(t, p.Messages, pageSize)
		assert.True(t, p.More)
		assert.Equal(t, "message 11", p.Messages[0].Text)
		assert.Equal(t, "message 60", p.Messages[pageSize-1].Text)
		assert.Equal(t, int64(1000), p.Messages[1].At-p.Messages[0].At)
		p = ann.history("#lobby", p.Messages[0].ID)
		assert.Len(t, p.Messages, 10)
		assert.False(t, p.More)
		assert.Empty(t, ann.history("#lobby", 1).Messages)
		assert.Len(t, ann.history("#lobby", 1_000_000).Messages, pageSize)
		assert.Empty(t, ann.history("@ann", 7).Messages)

		s.app.store.keep = 5
		ann.says("#lobby", "message 61")
		time.Sleep(time.Second)
		p = ann.history("#lobby", 57)
		assert.Equal(t, uint64(55), p.Messages[len(p.Messages)-1].ID, "56 has gone")
	})
}

// Who was away gets what was missed, also when it was the server that was away.
func TestReconnect(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		ann, bob, browsers := lobby(s)
		ann.says("#lobby", "one")
		ann.says("@bob", "uno")
		bob.Drop()
		ann.says("#lobby", "two")
		ann.says("#lobby", "three")
		ann.says("@bob", "due")

		s.stop()
		s.start()
		for _, b := range browsers {
			b.site = s
		}
		bob = browsers[1].open()
		missed := bob.sync(map[string]uint64{"#lobby": 1, "@ann": 1, "#elsewhere": 3, "@eve": 0})
		require.Len(t, missed.Conversations, 2)
		lobby, direct := missed.Conversations[0], missed.Conversations[1]
		assert.Equal(t, "#lobby", lobby.In)
		assert.Equal(t, uint64(3), lobby.Last)
		assert.Equal(t, []string{"two", "three"}, texts(lobby.Missed))
		assert.Equal(t, []string{"due"}, texts(direct.Missed))
		assert.False(t, lobby.More)

		ann = browsers[0].open()
		bob.Received()
		for i := range maxMissed + 1 {
			ann.says("#lobby", fmt.Sprint(i))
			time.Sleep(time.Second)
		}
		missed = bob.sync(map[string]uint64{"#lobby": 3})
		assert.Len(t, missed.Conversations[0].Missed, maxMissed)
		assert.True(t, missed.Conversations[0].More)
	})
}

// A client that has not heard whether a message arrived sends it again. It is
// there once.
func TestSentAgain(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		ann, bob, _ := lobby(s)
		first := ann.says("#lobby", "hello")
		bob.hears("#lobby", "ann", "hello")
		bob.says("#lobby", "hello") // with the same Once
		bob.hears("#lobby", "bob", "hello")
		var again uint64
		ann.Call("say", saying{In: "#lobby", Text: "hello", Once: "hello", Again: true}).Bind(&again)
		assert.Equal(t, first, again)
		bob.ExpectNothing()
		ann.Call("say", saying{In: "#lobby", Text: "lost on the way", Once: "new", Again: true})
		bob.hears("#lobby", "ann", "lost on the way")
	})
}

func TestLimits(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		ann, bob, _ := lobby(s)
		for _, text := range []string{"", " \n", strings.Repeat("ä", maxText+1)} {
			assert.Equal(t, errText.Error(), ann.refused("say", saying{In: "#lobby", Text: text}))
		}
		assert.Equal(t, errText.Error(), ann.refused("say", saying{In: "#lobby", Text: "x", Once: strings.Repeat("x", 65)}))
		long := strings.Repeat("ä", maxText)
		ann.says("#lobby", long[:10])
		ann.Call("say", saying{In: "#lobby", Text: long})
		bob.Next()
		bob.hears("#lobby", "ann", long)
		assert.Equal(t, "that did not work", ann.refused("say", "not an object"))

		for i := range maxRoomsEach - 1 {
			ann.does("create", fmt.Sprint("room-", i))
			time.Sleep(time.Second)
		}
		assert.Equal(t, errManyOfYours.Error(), ann.refused("create", "one-more"))
		ann.does("join", "lobby") // is in it
		bob.Received()

		for range 70 {
			bob.Emit("rooms")
		}
		assert.Equal(t, "Too many events", bob.refused("say", saying{In: "#lobby", Text: "hi"}))
	})
}
