package engineio_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Shutdown delivers what was queued, tells everybody, and refuses who comes later.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		var clients []*eiotest.Client
		var peers []*peer
		for range 3 {
			for _, mode := range eiotest.Modes {
				c, p := h.connect(mode)
				clients, peers = append(clients, c), append(peers, p)
			}
		}
		synctest.Wait()
		begin := time.Now()
		for _, p := range peers {
			p.text("last")
		}
		require.NoError(t, h.srv.Shutdown(t.Context()))
		assert.Zero(t, time.Since(begin))
		assert.Zero(t, h.srv.Len())
		for i, p := range peers {
			assert.ErrorIs(t, p.wantClosed(engineio.ReasonServerShutdown), engineio.ErrServerClosed)
			wantMessages(t, clients[i], "text last")
			<-clients[i].Closed()
		}
		for _, mode := range []eiotest.Mode{eiotest.Polling, eiotest.WebSocket} {
			_, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr})
			wantRefused(t, nil, err, http.StatusServiceUnavailable, "4", "Server is shutting down")
		}
		require.NoError(t, h.srv.Shutdown(t.Context()), "again")
	})
}

func TestShutdownOfAnIdleServer(t *testing.T) {
	h := newHost(t, nil, nil)
	require.NoError(t, h.srv.Shutdown(t.Context()))
}

// Clients that do not fetch their end, or do not answer the close frame, are waited for, but not for long.
func TestShutdownWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		_, polling := h.raw()
		raw := eiotest.Raw{Transport: h.tr}
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		defer ws.CloseNow()
		socket := h.peer()
		upgrading, probed := h.raw()
		dialProbe(t, upgrading, "2probe").want("3probe")
		begin := time.Now()
		require.NoError(t, h.srv.Shutdown(t.Context()))
		assert.LessOrEqual(t, time.Since(begin), 11*time.Second)
		assert.Positive(t, time.Since(begin))
		polling.wantClosed(engineio.ReasonServerShutdown)
		socket.wantClosed(engineio.ReasonServerShutdown)
		probed.wantClosed(engineio.ReasonServerShutdown)
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}

// When the context ends first, everything is cut off.
func TestShutdownCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, &eiotest.TransportOptions{ToClient: 1000})
		_, polling := h.raw()
		raw := eiotest.Raw{Transport: h.tr}
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		defer ws.CloseNow()
		stalled := h.peer()
		synctest.Wait()
		stalled.text(strings.Repeat("x", 100_000)) // nobody reads it
		upgrading, probed := h.raw()
		dialProbe(t, upgrading, "2probe").want("3probe")

		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, h.srv.Shutdown(ctx), context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(begin))
		for _, p := range []*peer{polling, stalled, probed} {
			p.wantClosed(engineio.ReasonServerShutdown)
		}
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
		assert.Zero(t, time.Since(begin)-time.Second)
		require.NoError(t, h.srv.Shutdown(t.Context()), "nothing is left to wait for")
	})
}

// A handshake that began before Shutdown does not slip through.
func TestShutdownDuringAHandshake(t *testing.T) {
	eiotest.Run(t, func(t *testing.T, mode eiotest.Mode) { // not in a bubble: the server waits with a mutex
		h := newHost(t, nil, nil)
		began, goOn := make(chan *engineio.Conn), make(chan bool)
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			began <- p.Conn
			<-goOn
			return p, nil
		}
		dialed, down := make(chan *eiotest.Client, 1), make(chan error, 1)
		go func() {
			c, _ := eiotest.Dial(t.Context(), nil, &eiotest.Options{Mode: mode, Transport: h.tr})
			dialed <- c
		}()
		conn := next(t, began)
		go func() { down <- h.srv.Shutdown(t.Context()) }()
		<-conn.Context().Done()
		close(goOn)
		require.NoError(t, next(t, down))
		assert.Zero(t, h.srv.Len())
		h.peer().wantClosed(engineio.ReasonServerShutdown)
		if c := next(t, dialed); c != nil {
			next(t, c.Closed())
			c.Abort()
		}
	}, eiotest.Polling, eiotest.WebSocket)
}

// While some come and others go, with real time.
func TestShutdownUnderLoad(t *testing.T) {
	h := newHost(t, nil, nil)
	h.echo = true
	h.peers = make(chan *peer, 100_000)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	const n = 8
	done := make(chan bool)
	for i := range n {
		go func() {
			defer func() { done <- true }()
			for round := 0; ctx.Err() == nil; round++ {
				c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: h.tr, Mode: eiotest.Modes[i%3]})
				if err != nil {
					continue
				}
				_ = c.Send("hello")
				_, _ = c.Receive(t.Context())
				if round%2 == 0 {
					c.Close()
				} else {
					c.Abort()
				}
			}
		}()
	}
	for range 30 {
		h.peer()
	}
	// Clients that vanished between two polls are known to be gone only by their silence.
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := h.srv.Shutdown(short); err != nil {
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	}
	assert.NoError(t, h.srv.Shutdown(t.Context()))
	assert.Zero(t, h.srv.Len())
	stop()
	for range n {
		<-done
	}
}
