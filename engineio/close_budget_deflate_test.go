package engineio

import (
	"context"
	"math/rand/v2"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is compressed counts for each client that has not taken it, besides the message that all of them share.
func TestBudgetOfCompressedMessages(t *testing.T) {
	s := budgetServer(t, Options{PerMessageDeflate: true, WriteTimeout: time.Minute})
	web := httptest.NewServer(s)
	defer web.Close()
	const clients = 3
	for range clients {
		ws, _, err := websocket.Dial(t.Context(), web.URL+"/engine.io/?EIO=4&transport=websocket", &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover})
		require.NoError(t, err)
		defer ws.CloseNow()
	}
	noise := make([]byte, 4<<20) // more than the kernel takes
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(noise)
	f := BinaryFrames(noise)
	for c := range s.Conns() {
		require.NoError(t, c.Send(f))
	}
	want := f.unit.Cost() + clients*int64(len(noise))
	require.Eventually(t, func() bool { return s.budget.Used() >= want }, time.Minute, time.Millisecond)
	assert.Less(t, s.budget.Used(), want+clients*int64(len(noise)), "a buffer that grows is at most twice as large")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Shutdown(ctx) // the end of budgetServer checks that nothing is counted any more
}
