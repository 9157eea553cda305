package engineio_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// crowded is a receiver that has no room after a message "full", until the test makes some.
type crowded struct {
	*peer
	mu   sync.Mutex
	room chan struct{}
}

func (f *crowded) Message(data []byte, binary bool) <-chan struct{} {
	f.peer.Message(data, binary)
	if string(data) != "full" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.room = make(chan struct{})
	return f.room
}

func (f *crowded) makeRoom() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.room)
}

// newFullHost has receivers that can be full.
func newFullHost(t *testing.T, opts *engineio.Options) (*host, <-chan *crowded) {
	h := newHost(t, opts, nil)
	all := make(chan *crowded, 10)
	h.onNew = func(p *peer) (engineio.Receiver, error) {
		f := &crowded{peer: p}
		h.mu.Lock()
		h.all = append(h.all, p)
		h.mu.Unlock()
		all <- f
		return f, nil
	}
	return h, all
}

func dialFull(t *testing.T, h *host, all <-chan *crowded, opts eiotest.Options) (*eiotest.Client, *crowded) {
	opts.Transport = h.tr
	c := eiotest.Connect(t, nil, &opts)
	return c, next(t, all)
}

// What arrives while the receiver has no room comes when it has, in order.
func TestReceiverWithoutRoomHoldsTheClientBack(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h, all := newFullHost(t, nil)
		c, f := dialFull(t, h, all, eiotest.Options{Mode: mode})
		for _, m := range []string{"one", "full", "two", strings.Repeat("x", 100_000), "full", "three"} {
			require.NoError(t, c.Send(m))
		}
		f.want("text one", "text full")
		synctest.Wait()
		f.wantNone()
		assert.Equal(t, 1, h.srv.Stats().Paused)
		f.text("sent meanwhile")
		wantMessages(t, c, "text sent meanwhile")

		f.makeRoom()
		f.want("text two", "text "+strings.Repeat("x", 100_000), "text full")
		synctest.Wait()
		f.wantNone()
		f.makeRoom()
		f.want("text three")
		synctest.Wait()
		assert.Zero(t, h.srv.Stats().Paused)
		f.isOpen(c)
	})
}

// A client that is held back is pinged, since it closes by itself otherwise, and is not closed for pongs that the server
// does not read. Then it has time for a pong, and no more than that.
func TestClientHeldBackIsNotTimedOut(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h, all := newFullHost(t, &heartbeat)
		c, f := dialFull(t, h, all, eiotest.Options{Mode: mode})
		require.NoError(t, c.Send("full"))
		require.NoError(t, c.Send("later"))
		time.Sleep(time.Hour) // a client without pings gives up after 14 seconds
		require.Nil(t, c.Err())
		f.want("text full")
		f.wantNone()
		f.makeRoom()
		f.want("text later")
		time.Sleep(time.Hour)
		f.isOpen(c)
	})
}

func TestSilentClientEndsAfterItWasHeldBack(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h, all := newFullHost(t, &heartbeat)
		c, f := dialFull(t, h, all, eiotest.Options{Mode: mode, NoAutoPong: true})
		require.NoError(t, c.Send("full"))
		time.Sleep(time.Minute)
		f.makeRoom()
		resumed := time.Now()
		assert.Error(t, f.wantClosed(engineio.ReasonPingTimeout))
		took := time.Since(resumed)
		assert.GreaterOrEqual(t, took, heartbeat.PingInterval+heartbeat.PingTimeout, "a chance to answer")
		assert.LessOrEqual(t, took, 3*(heartbeat.PingInterval+heartbeat.PingTimeout))
		next(t, c.Closed())
	})
}

// The end of a connection does not wait for room.
func TestEndOfAClientHeldBack(t *testing.T) {
	for _, tt := range []struct {
		name   string
		end    func(t *testing.T, h *host, c *eiotest.Client, f *crowded)
		reason engineio.Reason
	}{
		{"Close", func(t *testing.T, h *host, c *eiotest.Client, f *crowded) {
			f.Close(engineio.ReasonServerDisconnect, nil)
		}, engineio.ReasonServerDisconnect},
		{"Shutdown", func(t *testing.T, h *host, c *eiotest.Client, f *crowded) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			assert.NoError(t, h.srv.Shutdown(ctx))
		}, engineio.ReasonServerShutdown},
		{"too slow", func(t *testing.T, h *host, c *eiotest.Client, f *crowded) {
			f.Close(engineio.ReasonSlowClient, engineio.ErrSendQueueFull)
		}, engineio.ReasonSlowClient},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
				h, all := newFullHost(t, nil)
				c, f := dialFull(t, h, all, eiotest.Options{Mode: mode})
				require.NoError(t, c.Send("full"))
				require.NoError(t, c.Send("never"))
				f.want("text full")
				synctest.Wait()
				begin := time.Now()
				tt.end(t, h, c, f)
				f.wantClosed(tt.reason)
				assert.Less(t, time.Since(begin), 10*time.Second)
				next(t, c.Closed())
				synctest.Wait()
				f.wantNone()
				assert.Zero(t, h.srv.Stats().Paused)
			})
		})
	}
}

// A POST is answered when there is room, and what is behind its packets is delivered behind them: here the WebSocket of
// an upgrade that does not wait for the answer.
func TestPostThatWaitsComesBeforeTheUpgrade(t *testing.T) {
	h, all := newFullHost(t, nil) // no bubble: the upgrade waits with a mutex
	raw := &eiotest.Raw{Transport: h.tr}
	_, _, err := raw.Handshake(t.Context())
	require.NoError(t, err)
	f := next(t, all)
	post := async(t, func() (*eiotest.Response, error) {
		return raw.Post(t.Context(), "4one\x1e4full\x1e4two")
	})
	f.want("text one", "text full")
	ws := dialProbe(t, raw, "2probe")
	ws.want("3probe")
	ws.send("5", "4three")
	f.wantNone()
	assert.Empty(t, post)
	assert.Equal(t, engineio.Polling, f.Transport())
	f.makeRoom()
	f.want("text two", "text three")
	resp := next(t, post)
	wantOK(t, resp, nil, "ok")
	assert.Equal(t, engineio.WebSocket, f.Transport())
}
