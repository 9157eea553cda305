package engineio_test

import (
	"bufio"
	"fmt"
	"io"
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

// A WebSocket client that stops reading is closed between one and three write timeouts after the write that blocks, and
// others notice nothing.
func TestStalledWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{WriteTimeout: 3 * time.Second, Limits: engineio.Limits{SendQueueLimit: 1 << 20}}, &eiotest.TransportOptions{ToClient: 10_000})
		raw := eiotest.Raw{Transport: h.tr}
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		defer ws.CloseNow()
		stalled := h.peer()
		c, other := h.connect(eiotest.WebSocket)

		time.Sleep(time.Second)
		begin := time.Now()
		for range 20 {
			stalled.text(strings.Repeat("x", 2000))
		}
		time.Sleep(2 * time.Second)
		other.isOpen(c)
		assert.NoError(t, stalled.Context().Err())
		err = stalled.wantClosed(engineio.ReasonSlowClient)
		assert.ErrorContains(t, err, "timeout")
		took := time.Since(begin)
		assert.GreaterOrEqual(t, took, 3*time.Second)
		assert.LessOrEqual(t, took, 9*time.Second)
		synctest.Wait()
		assert.Equal(t, 1, h.srv.Len())
		other.isOpen(c)
	})
}

// A client that reads slowly but steadily gets everything.
func TestSlowButSteadyWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{WriteTimeout: 3 * time.Second}, &eiotest.TransportOptions{ToClient: 1000})
		raw := eiotest.Raw{Transport: h.tr}
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		defer ws.CloseNow()
		p := h.peer()
		_, _, err = ws.Read(t.Context())
		require.NoError(t, err)
		const n = 200 // taken in 20 seconds, the 32 KiB of one write in 3.2
		for i := range n {
			p.text(fmt.Sprint(i, " ", strings.Repeat("x", 1000)))
		}
		for i := range n {
			time.Sleep(100 * time.Millisecond)
			_, b, err := ws.Read(t.Context())
			require.NoError(t, err, "message %d", i)
			require.True(t, strings.HasPrefix(string(b), fmt.Sprint("4", i, " ")))
		}
	})
}

// What waits for a client is bounded.
func TestSendQueueLimit(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{SendQueueLimit: 10_000}}, &eiotest.TransportOptions{ToClient: 100})
		raw := &eiotest.Raw{Transport: h.tr}
		var p *peer
		if mode.Current() == eiotest.Polling {
			raw, p = h.raw()
		} else {
			ws, _, err := raw.DialWS(t.Context(), nil)
			require.NoError(t, err)
			defer ws.CloseNow()
			p = h.peer()
		}
		c, other := h.connect(mode)
		synctest.Wait()
		if mode.Current() == eiotest.WebSocket {
			p.text(strings.Repeat("b", 5000)) // blocks; it still counts
			synctest.Wait()
		}
		sent := 0
		var err error
		for ; err == nil; sent++ {
			err = p.Send(engineio.TextFrames(strings.Repeat("x", 1000)))
		}
		assert.ErrorIs(t, err, engineio.ErrSendQueueFull)
		if mode.Current() == eiotest.WebSocket {
			assert.InDelta(t, 5, sent, 1)
		} else {
			assert.InDelta(t, 10, sent, 1)
		}
		assert.NoError(t, p.Context().Err(), "a full queue closes nobody")
		p.Close(engineio.ReasonSlowClient, err)
		assert.ErrorIs(t, p.wantClosed(engineio.ReasonSlowClient), engineio.ErrSendQueueFull)
		if mode.Current() == eiotest.Polling {
			resp, err := raw.Get(t.Context())
			wantRefused(t, resp, err, http.StatusBadRequest, "1", "Session ID unknown")
		}
		other.isOpen(c)
	}, eiotest.Polling, eiotest.WebSocket)
}

// A message larger than the limit is accepted if nothing waits, and only then.
func TestLargeMessageAndASmallOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{SendQueueLimit: 1000}}, nil)
		raw, p := h.raw()
		big := strings.Repeat("x", 100_000)
		p.text("small")
		assert.ErrorIs(t, p.Send(engineio.TextFrames(big)), engineio.ErrSendQueueFull)
		resp, err := raw.Get(t.Context())
		wantOK(t, resp, err, "4small")
		synctest.Wait() // the client may have it before the server knows
		p.text(big)
		assert.ErrorIs(t, p.Send(engineio.TextFrames("more")), engineio.ErrSendQueueFull)
		require.NoError(t, p.SendAnyway(engineio.TextFrames("more")))
		resp, err = raw.Get(t.Context())
		wantOK(t, resp, err, "4"+big+"\x1e4more")
		leave(t, raw)
	})
}

// One message larger than the limit is accepted if nothing else waits, and the next one once it is written.
func TestMessageLargerThanTheSendQueue(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{SendQueueLimit: 1000}}, nil)
		c, p := h.connect(mode)
		big := strings.Repeat("x", 100_000)
		for range 3 {
			synctest.Wait()
			p.text(big)
			wantMessages(t, c, "text "+big)
		}
		synctest.Wait()
		p.isOpen(c)
	})
}

// A queue that was full and was taken is empty: what is counted is given back.
func TestSendQueueIsGivenBack(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{SendQueueLimit: 10_000}}, nil)
		c, p := h.connect(mode)
		synctest.Wait()
		for range 50 {
			for range 9 {
				p.text(strings.Repeat("x", 1000))
			}
			for range 9 {
				wantMessages(t, c, "text "+strings.Repeat("x", 1000))
			}
			synctest.Wait()
		}
		p.isOpen(c)
	})
}

// stalledPoll sends a poll whose answer the client does not read.
func stalledPoll(t *testing.T, h *host, p *peer) {
	t.Helper()
	conn, err := h.tr.DialConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /engine.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: server.test\r\n\r\n", p.ID())
	synctest.Wait()
}

// A polling client that asks but does not read is closed likewise, with the same reason.
func TestStalledPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{WriteTimeout: 3 * time.Second}, &eiotest.TransportOptions{ToClient: 10_000})
		_, p := h.raw()
		stalledPoll(t, h, p)
		begin := time.Now()
		p.text(strings.Repeat("x", 100_000))
		assert.ErrorContains(t, p.wantClosed(engineio.ReasonSlowClient), "timeout")
		took := time.Since(begin)
		assert.GreaterOrEqual(t, took, 3*time.Second)
		assert.LessOrEqual(t, took, 6*time.Second)
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}

// Data that arrives with the handshake request is not lost: net/http has read it already.
func TestFramesSentWithTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		conn, err := h.tr.DialConn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: server.test\r\nConnection: Upgrade\r\n"+
			"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"+
			"\x81\x86\x00\x00\x00\x004early\x81\x85\x00\x00\x00\x004next")
		require.NoError(t, err)
		h.peer().want("text early", "text next")
		br := bufio.NewReader(conn)
		resp, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
		assert.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", resp.Header.Get("Sec-WebSocket-Accept"))
		frame, err := br.Peek(5)
		require.NoError(t, err)
		assert.Equal(t, byte(0x81), frame[0])
		assert.Contains(t, string(frame[2:]), "0")
	})
}

// Garbage on the wire ends the connection it came on, and no other.
func TestGarbage(t *testing.T) {
	const handshake = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: server.test\r\nConnection: Upgrade\r\n" +
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	for name, frames := range map[string]string{
		"no frame":            "GET / HTTP/1.1\r\n\r\n",
		"unmasked":            "\x81\x024x",
		"reserved bits":       "\xf1\x82\x00\x00\x00\x004x",
		"unknown opcode":      "\x83\x82\x00\x00\x00\x004x",
		"endless length":      "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",
		"length over limit":   "\x81\xff\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00" + strings.Repeat("4", 2_000_000),
		"long control frame":  "\x89\xfe\x01\x00\x00\x00\x00\x00" + strings.Repeat("x", 256),
		"lone continuation":   "\x80\x82\x00\x00\x00\x004x",
		"bad close code":      "\x88\x82\x00\x00\x00\x00\x00\x01",
		"end inside a frame":  "\x81\x86\x00\x00\x00\x004ea",
		"end inside a header": "\x81",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, nil, nil)
				c, other := h.connect(eiotest.WebSocket)
				conn, err := h.tr.DialConn(t.Context())
				require.NoError(t, err)
				defer conn.Close()
				go io.Copy(io.Discard, conn)
				_, _ = io.WriteString(conn, handshake+frames)
				p := h.peer()
				if strings.HasPrefix(name, "end ") {
					synctest.Wait()
					conn.Close()
				}
				reason := engineio.ReasonTransportError
				if strings.HasPrefix(name, "end ") || name == "length over limit" {
					reason = engineio.ReasonTransportClose
				}
				p.wantClosed(reason)
				p.wantNone()
				other.isOpen(c)
			})
		})
	}
}
