package socketiotest_test

import (
	"testing"
	"testing/synctest"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// The tests of example_test.go, which has none of its own so that the
// documentation shows all of it.
func TestExample(t *testing.T) {
	t.Run("Chat", testChat)
	t.Run("ChatRefusesStrangers", testChatRefusesStrangers)
	t.Run("ChatSkipsTheSpeaker", testChatSkipsTheSpeaker)
	t.Run("ChatReminds", testChatReminds)
	t.Run("ChatNoticesDeadClients", testChatNoticesDeadClients)
}

// The tests of the package documentation.

func TestEcho(t *testing.T) {
	srv := socketio.NewServer(nil)
	srv.On("say", func(c *socketio.Context, text string) error {
		return c.Emit("said", text, socketio.Broadcast())
	})

	ann := socketiotest.Connect(t, srv, nil)
	bob := socketiotest.Connect(t, srv, nil)
	ann.Emit("say", "hello")
	bob.Expect("said", "hello")
}

func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := socketio.NewServer(nil)
		ann := socketiotest.Connect(t, srv, nil)
		bob := socketiotest.Connect(t, srv, &socketiotest.Options{IgnorePings: true})
		bob.WaitDisconnect() // 45 s by the server's clock, at once by yours
		ann.ExpectNothing()
	})
}
