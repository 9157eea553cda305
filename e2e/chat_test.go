package e2e

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestChat has three people use examples/chat in Chromium, one of them in two
// tabs, and restarts the server while they do.
func TestChat(t *testing.T) {
	enableAtNight(t)
	t.Parallel()
	browser := chromium(t)
	binary := buildExample(t, "chat")
	client, err := filepath.Abs(filepath.Join("node", "node_modules", "socket.io-client-4", "dist"))
	require.NoError(t, err)
	db := filepath.Join(t.TempDir(), "chat.db")

	chat := startDemo(t, binary, "127.0.0.1:0", client, "-db", db)
	script := startScript(t, "chat", "PAGE_URL="+chat.url, "CHROMIUM="+browser, "IMAGES="+images(t, "chat"))
	script.expect("restart, please")
	chat.stop()
	script.expect("server gone")
	startDemo(t, binary, chat.addr(), client, "-db", db)
	script.expect("all done")
	script.wait()
}
