package socketiotest_test

import "testing"

// The tests of example_test.go, which has none of its own so that the
// documentation shows all of it.
func TestExample(t *testing.T) {
	t.Run("Chat", testChat)
	t.Run("ChatRefusesStrangers", testChatRefusesStrangers)
	t.Run("ChatSkipsTheSpeaker", testChatSkipsTheSpeaker)
	t.Run("ChatReminds", testChatReminds)
	t.Run("ChatNoticesDeadClients", testChatNoticesDeadClients)
}
