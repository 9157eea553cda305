package engineio_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// The ends are spread over the window: by default not at all when they are few, and never beyond half of the context.
func TestDrainWindow(t *testing.T) {
	for _, tt := range []struct {
		clients         int
		window, timeout time.Duration
		want            time.Duration // until the last one's turn
	}{
		{1, time.Hour, 0, 0},
		{5, 10 * time.Second, 0, 8 * time.Second},
		{5, 10 * time.Second, 10 * time.Second, 4 * time.Second},
		{100, 0, 0, 0},
		{350, 0, 0, 250 * time.Millisecond * 349 / 350},
		{350, 0, 100 * time.Millisecond, 50 * time.Millisecond * 349 / 350},
		{350, -1, 0, 0},
	} {
		t.Run(fmt.Sprint(tt.clients, " clients, window ", tt.window, " timeout ", tt.timeout), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &engineio.Options{DrainWindow: tt.window}, nil)
				var peers []*peer
				for range tt.clients {
					_, p := h.raw()
					peers = append(peers, p)
				}
				ctx := t.Context()
				if tt.timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.timeout)
					defer cancel()
				}
				var ends []time.Duration
				var mu sync.Mutex
				begin := time.Now()
				for _, p := range peers {
					context.AfterFunc(p.Context(), func() {
						mu.Lock()
						defer mu.Unlock()
						ends = append(ends, time.Since(begin))
					})
				}
				require.NoError(t, h.srv.Shutdown(ctx))
				synctest.Wait()
				slices.Sort(ends)
				require.Len(t, ends, tt.clients)
				for i, end := range ends {
					want := tt.want * time.Duration(i) / time.Duration(max(tt.clients-1, 1))
					assert.InDelta(t, want, end, 1000, "nanoseconds, of number %d", i)
				}
			})
		})
	}
}

// Those who go by themselves are not waited for.
func TestDrainEndsWithTheLastConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{DrainWindow: time.Hour}, nil)
		var clients []*eiotest.Client
		for range 10 {
			c, _ := h.connect(eiotest.WebSocket)
			clients = append(clients, c)
		}
		synctest.Wait()
		begin := time.Now()
		down := make(chan error, 1)
		go func() { down <- h.srv.Shutdown(t.Context()) }()
		time.Sleep(time.Second)
		for _, c := range clients {
			c.Close()
		}
		require.NoError(t, next(t, down))
		assert.Equal(t, time.Second, time.Since(begin))
	})
}

// drainer needs time before it can be closed.
type drainer struct {
	*peer
	drains int
}

func (d *drainer) Drain() bool {
	d.drains++
	time.AfterFunc(time.Second, func() {
		_ = d.Send(engineio.TextFrames("finished"))
		d.Close(engineio.ReasonServerShutdown, engineio.ErrServerClosed)
	})
	return true
}

func TestDrainer(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		var d *drainer
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			d = &drainer{peer: p}
			return d, nil
		}
		c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: h.tr, Mode: mode})
		require.NoError(t, err)
		defer c.Abort()
		synctest.Wait()
		begin := time.Now()
		down := make(chan error, 2)
		for range 2 {
			go func() { down <- h.srv.Shutdown(t.Context()) }()
		}
		require.NoError(t, c.Send("served until then"))
		d.want("text served until then")
		wantMessages(t, c, "text finished")
		for range 2 {
			require.NoError(t, next(t, down))
		}
		assert.Equal(t, time.Second, time.Since(begin))
		assert.Equal(t, 1, d.drains)
		d.wantClosed(engineio.ReasonServerShutdown)
	})
}
