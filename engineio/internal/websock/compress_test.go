package websock

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/bufpool"
	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
)

// holder is an owner that notes what is held.
type holder struct {
	held  atomic.Int64
	begun chan int // gets what begins to be held
}

func (*holder) ControlQueued()   {}
func (*holder) ControlFlood()    {}
func (*holder) Watcher() Watcher { return nil }
func (*holder) Readable()        {}

func (h *holder) Holds(n int) {
	h.held.Add(int64(n))
	if n > 0 {
		h.begun <- n
	}
}

// dialDeflate returns both ends of a connection with permessage-deflate.
func dialDeflate(t *testing.T) (client *websocket.Conn, server *Conn, owner *holder) {
	opts := &Options{WriteTimeout: time.Minute, Limit: 100, ControlRate: 1000, Deflate: true, DeflateThreshold: 100}
	accepted := make(chan *Conn, 1)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, opts, func() error { return nil })
		if assert.NoError(t, err) && assert.NoError(t, c.WriteAlone(nil)) {
			accepted <- c
		}
	}))
	t.Cleanup(web.Close)
	client, _, err := websocket.Dial(context.Background(), web.URL, &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover})
	require.NoError(t, err)
	server = <-accepted
	require.NotNil(t, server.library)
	owner = &holder{begun: make(chan int, 10)}
	server.SetOwner(owner)
	t.Cleanup(func() {
		_ = client.CloseNow()
		server.Cut()
	})
	return client, server, owner
}

// What is compressed for one client is held, and counted, until the client has taken it or is gone. Little is not counted.
func TestCompressedMessagesAreCounted(t *testing.T) {
	client, server, owner := dialDeflate(t)
	_, err := server.Write([]*outgoing.Unit{text(strings.Repeat("little", 1000))})
	require.NoError(t, err)
	assert.Empty(t, owner.begun)

	noise := make([]byte, 4<<20) // more than the kernel takes
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(noise)
	large := new(outgoing.Unit)
	outgoing.Init(large, "", false, [][]byte{noise})
	written := make(chan error, 1)
	go func() {
		_, err := server.Write([]*outgoing.Unit{large})
		written <- err
	}()
	assert.Greater(t, <-owner.begun, len(noise))
	assert.Greater(t, owner.held.Load(), int64(len(noise)))
	assert.Empty(t, written)
	require.NoError(t, client.CloseNow())
	require.Error(t, <-written)
	assert.Zero(t, owner.held.Load())
	assert.Greater(t, len(noise), bufpool.Max)
}

// No more messages are compressed at a time than there are places. What is too short to be compressed needs none.
func TestFewCompressAtATime(t *testing.T) {
	_, server, _ := dialDeflate(t)
	before := compressing
	defer func() { compressing = before }()
	synctest.Test(t, func(t *testing.T) {
		compressing = make(chan struct{}, 1)
		compressing <- struct{}{}
		compress := func(s string) <-chan string {
			done := make(chan string, 1)
			go func() {
				p, _, buf, err := server.compress([]*outgoing.Unit{text(s)})
				assert.NoError(t, err)
				done <- string(p)
				bufpool.Put(buf)
			}()
			synctest.Wait()
			return done
		}
		assert.Equal(t, "\x81\x064short", <-compress("short"))
		done := compress(strings.Repeat("long", 100))
		assert.Empty(t, done)
		<-compressing
		synctest.Wait()
		assert.Less(t, len(<-done), 100)
		assert.Empty(t, compressing, "the place is free again")
	})
}
