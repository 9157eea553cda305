package engineio_test

import (
	"context"
	"errors"
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

// slowReader reads at a rate in bytes a second.
type slowReader struct {
	r    io.Reader
	rate int
}

func (s slowReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p[:min(len(p), 16<<10)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(s.rate))
	return n, err
}

// A large message on a slow link arrives whole, however long it takes: neither the write timeout nor the ping that waits
// behind it ends the connection while bytes flow (socket.io#2666, #2769, #1332).
func TestLargeMessageOnASlowLink(t *testing.T) {
	const rate = 150_000 // 12 MB take 80 seconds, and a silent client is gone after 45
	big := strings.Repeat("0123456789", 1_200_000)
	t.Run("websocket", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, nil, &eiotest.TransportOptions{ToClient: 64 << 10})
			conn, err := h.tr.DialConn(t.Context())
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: server.test\r\nConnection: Upgrade\r\n"+
				"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
			require.NoError(t, err)
			p := h.peer()
			p.text(big)
			p.text("behind it")
			got, err := io.ReadAll(io.LimitReader(slowReader{conn, rate}, int64(len(big))))
			require.NoError(t, err)
			require.Len(t, got, len(big))
			require.NoError(t, p.Context().Err())
			_, _ = io.Copy(io.Discard, conn) // and answers no ping
			p.wantClosed(engineio.ReasonPingTimeout)
		})
	})
	for _, http2 := range []bool{false, true} {
		for _, encoding := range []string{"", "gzip"} {
			t.Run(fmt.Sprint("polling http2=", http2, " ", encoding), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					opts := &engineio.Options{DisableHTTPCompression: encoding == ""}
					h := newHost(t, opts, &eiotest.TransportOptions{ToClient: 64 << 10, HTTP2: http2})
					raw, p := h.raw()
					p.text(big)
					p.text("behind it")
					r, err := http.NewRequestWithContext(t.Context(), "GET", "http://server.test/engine.io/?EIO=4&transport=polling&sid="+p.ID(), nil)
					require.NoError(t, err)
					slow := rate
					if encoding != "" {
						r.Header.Set("Accept-Encoding", encoding)
						slow = 1000 // it is packed well
					}
					resp, err := h.tr.RoundTrip(r)
					require.NoError(t, err)
					begin := time.Now()
					body, err := io.ReadAll(slowReader{resp.Body, slow})
					require.NoError(t, err)
					require.Greater(t, time.Since(begin), 20*time.Second)
					if encoding == "" {
						require.Len(t, body, len(big)+1, "the large message alone")
					}
					require.NoError(t, p.Context().Err())
					next, err := raw.Get(t.Context())
					require.NoError(t, err)
					require.True(t, strings.HasPrefix(next.Body, "4behind it"), "%.50q", next.Body)
					leave(t, raw)
				})
			})
		}
	}
}

// A poll is answered with whole messages of about 1 MiB, and the next one with more of them.
func TestAnswersToPollsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		const n = 4 * 2000 // of 1 kB
		for i := range n {
			p.text(fmt.Sprintf("%06d%994d", i, 0))
		}
		polls := 0
		for i := 0; i < n; polls++ {
			resp, err := raw.Get(t.Context())
			require.NoError(t, err)
			assert.LessOrEqual(t, len(resp.Body), 1<<20)
			for m := range strings.SplitSeq(resp.Body, eiotest.Separator) {
				require.True(t, strings.HasPrefix(m, fmt.Sprintf("4%06d", i)), "%.20q", m)
				i++
			}
			synctest.Wait()
		}
		assert.Equal(t, 8, polls)
		assert.Zero(t, p.Buffered())
		leave(t, raw)
	})
}

// Flush returns when what was sent before has been handed to the network, when its context ends, or the connection.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		require.NoError(t, p.Flush(t.Context()), "nothing waits")
		p.text("one")
		assert.Equal(t, len("4one")+2, p.Buffered())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, p.Flush(ctx), context.DeadlineExceeded)

		flushed := make(chan error, 1)
		go func() { flushed <- p.Flush(t.Context()) }()
		synctest.Wait()
		assert.Empty(t, flushed)
		resp, err := raw.Get(t.Context())
		wantOK(t, resp, err, "4one")
		require.NoError(t, next(t, flushed))
		assert.Zero(t, p.Buffered())

		p.text("two")
		go func() { flushed <- p.Flush(t.Context()) }()
		synctest.Wait()
		p.Close(engineio.ReasonServerDisconnect, nil)
		var closed *engineio.CloseError
		require.ErrorAs(t, next(t, flushed), &closed)
		assert.Equal(t, engineio.ReasonServerDisconnect, closed.Reason)
		require.ErrorIs(t, p.Flush(t.Context()), engineio.ErrClosed)
	})
}

// A poll whose client has gone before it is answered takes nothing: the session ends, rather than lose a message.
func TestAnswerIsNotTakenForAClientThatHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		for range 100 {
			_, p := h.raw()
			synctest.Wait()
			before := h.srv.Stats().PacketsOut
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			r, err := http.NewRequestWithContext(ctx, "GET", "http://server.test/engine.io/?EIO=4&transport=polling&sid="+p.ID(), nil)
			require.NoError(t, err)
			go func() {
				defer close(done)
				h.srv.ServeHTTP(&nothing{header: http.Header{}}, r)
			}()
			synctest.Wait() // the poll waits
			// Both happen while it does; which of them it sees first is chance.
			cancel()
			_ = p.Send(engineio.TextFrames("lost?"))
			<-done
			assert.ErrorContains(t, p.wantClosed(engineio.ReasonTransportError), "aborted")
			assert.Equal(t, before, h.srv.Stats().PacketsOut, "taken for nobody")
		}
	})
}

type nothing struct{ header http.Header }

func (n *nothing) Header() http.Header         { return n.header }
func (n *nothing) WriteHeader(int)             {}
func (n *nothing) Write(p []byte) (int, error) { return len(p), nil }

// A full queue is an error for who sends, counted, and the connection goes on.
func TestFullSendQueueClosesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{SendQueueLimit: 10_000}}, nil)
		raw, p := h.raw()
		for range 3 {
			sent := 0
			var err error
			for ; err == nil; sent++ {
				err = p.Send(engineio.TextFrames(strings.Repeat("x", 1000)))
			}
			require.True(t, errors.Is(err, engineio.ErrSendQueueFull))
			require.InDelta(t, 10, sent, 1)
			resp, err := raw.Get(t.Context())
			require.NoError(t, err)
			require.Len(t, strings.Split(resp.Body, eiotest.Separator), sent-1)
			synctest.Wait()
		}
		assert.EqualValues(t, 3, h.srv.Stats().LimitHits["SendQueueLimit"])
		leave(t, raw)
	})
}
