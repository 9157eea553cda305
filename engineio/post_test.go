package engineio_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
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

// gateWriter holds up the writing of an answer.
type gateWriter struct {
	http.ResponseWriter
	arrived, open chan struct{}
}

func (w *gateWriter) WriteHeader(status int) {
	close(w.arrived)
	<-w.open
	w.ResponseWriter.WriteHeader(status)
}

func (w *gateWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A request that ends its session is refused first; then the poll that waits gets the end. In the other order the
// client would report that the server has closed, instead of why.
func TestTheRefusalComesBeforeTheEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		method, body string
		header       http.Header
		reason       engineio.Reason
		status       int
		leaves       bool
	}{
		"and it leaves":    {"POST", strings.Repeat("x", 6000), nil, engineio.ReasonTransportError, 413, true},
		"too large":        {"POST", strings.Repeat("x", 6000), nil, engineio.ReasonTransportError, 413, false},
		"no packet":        {"POST", "4a\x1ex", nil, engineio.ReasonParseError, 400, false},
		"not UTF-8":        {"POST", "4\xff", nil, engineio.ReasonParseError, 400, false},
		"binary":           {"POST", "4a", http.Header{"Content-Type": {"application/octet-stream"}}, engineio.ReasonParseError, 400, false},
		"compressed":       {"POST", "4a", http.Header{"Content-Encoding": {"gzip"}}, engineio.ReasonParseError, 400, false},
		"overlapping poll": {"GET", "", nil, engineio.ReasonTransportError, 400, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, &engineio.Options{PingInterval: 300 * time.Millisecond, Limits: engineio.Limits{MaxPayload: 5000}}, nil)
				raw, p := h.raw()
				poll := get(t, raw)
				synctest.Wait()
				gate := &gateWriter{arrived: make(chan struct{}), open: make(chan struct{})}
				tr := eiotest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					gate.ResponseWriter = w
					h.srv.ServeHTTP(gate, r)
				}), nil)
				second := *raw
				second.Transport = tr
				answer := async(t, func() (*eiotest.Response, error) {
					return second.Do(t.Context(), tt.method, second.Address("polling"), strings.NewReader(tt.body), tt.header)
				})
				next(t, gate.arrived)
				synctest.Wait()
				assert.Empty(t, poll, "the end was announced before the refusal was written")
				assert.NoError(t, p.Context().Err())
				close(gate.open)
				resp := next(t, answer)
				require.NotNil(t, resp)
				assert.Equal(t, tt.status, resp.Status)
				synctest.Wait()
				assert.Empty(t, poll, "the client has time to leave by itself")
				begin := time.Now()
				if tt.leaves {
					resp, err := raw.Post(t.Context(), "1")
					wantOK(t, resp, err, "ok")
				}
				wantOK(t, next(t, poll), nil, "1")
				if tt.leaves {
					assert.Zero(t, time.Since(begin))
				} else {
					assert.Equal(t, time.Second, time.Since(begin))
				}
				p.wantClosed(tt.reason)
			})
		})
	}
}

// rawRequest sends the beginning of a request on a network connection of its own and returns the reader of the answer.
func rawRequest(t *testing.T, tr *eiotest.Transport, s string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := tr.DialConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, s)
	require.NoError(t, err)
	return conn, bufio.NewReader(conn)
}

// A request whose body never comes is answered and its network connection ends: net/http would wait for the body for ever.
func TestBodiesThatNeverCome(t *testing.T) {
	const head = "Host: server.test\r\n"
	for name, tt := range map[string]struct {
		request string
		status  int
	}{
		"wrong path":         {"POST /elsewhere HTTP/1.1\r\n" + head + "Content-Length: 10\r\n", 404},
		"large":              {"POST /elsewhere HTTP/1.1\r\n" + head + "Content-Length: 100000000\r\n", 404},
		"chunked":            {"POST /elsewhere HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\n", 404},
		"unknown session":    {"POST /engine.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\n" + head + "Content-Length: 10\r\n", 400},
		"no session":         {"POST /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n" + head + "Content-Length: 10\r\n", 400},
		"expect":             {"POST /elsewhere HTTP/1.1\r\n" + head + "Expect: 100-continue\r\nContent-Length: 10\r\n", 404},
		"handshake":          {"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n" + head + "Content-Length: 10\r\n", 200},
		"chunked handshake":  {"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\n", 200},
		"preflight":          {"OPTIONS /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n" + head + "Origin: http://server.test\r\nContent-Length: 10\r\n", 204},
		"odd method":         {"PUT /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n" + head + "Content-Length: 10\r\n", 400},
		"refused by content": {"POST /engine.io/?EIO=4&transport=polling&sid=SID HTTP/1.1\r\n" + head + "Content-Type: application/octet-stream\r\nContent-Length: 9999\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, nil, nil)
				raw, _ := h.raw()
				begin := time.Now()
				_, r := rawRequest(t, h.tr, strings.Replace(tt.request, "SID", raw.SID, 1)+"\r\n")
				resp, err := http.ReadResponse(r, nil)
				require.NoError(t, err)
				assert.Equal(t, tt.status, resp.StatusCode)
				assert.True(t, resp.Close)
				_, err = io.Copy(io.Discard, r)
				require.NoError(t, err, "the connection ends")
				assert.LessOrEqual(t, time.Since(begin), 3*time.Second)
			})
		})
	}
}

// A small body that is not wanted does not cost its network connection.
func TestRefusedRequestsKeepTheirConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, _ := h.raw()
		other := *raw
		other.SID = "unknown"
		for range 5 {
			resp, err := other.Post(t.Context(), "4x")
			wantRefused(t, resp, err, 400, "1", "Session ID unknown")
			assert.False(t, resp.Close)
		}
		assert.Equal(t, 1, h.tr.Conns())
	})
}

// A POST that is still being read ends with its session, whoever ends that.
func TestPostDoesNotOutliveItsSession(t *testing.T) {
	for name, tt := range map[string]struct {
		end    func(h *host, raw *eiotest.Raw, p *peer)
		status int
		reason engineio.Reason
	}{
		"closed by the server": {func(_ *host, _ *eiotest.Raw, p *peer) { p.Close(engineio.ReasonServerDisconnect, nil) }, 200, engineio.ReasonServerDisconnect},
		"shutdown":             {func(h *host, _ *eiotest.Raw, _ *peer) { _ = h.srv.Shutdown(context.Background()) }, 200, engineio.ReasonServerShutdown},
		"overlap":              {func(h *host, raw *eiotest.Raw, _ *peer) { _, _ = raw.Post(h.t.Context(), "4x") }, 400, engineio.ReasonTransportError},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, nil, nil)
				raw, p := h.raw()
				_, r := rawRequest(t, h.tr, fmt.Sprintf("POST /engine.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: server.test\r\n"+
					"Content-Length: 100\r\n\r\n4begun", raw.SID))
				synctest.Wait()
				begin := time.Now()
				go tt.end(h, raw, p)
				resp, err := http.ReadResponse(r, nil)
				require.NoError(t, err)
				assert.Zero(t, time.Since(begin))
				assert.Equal(t, tt.status, resp.StatusCode)
				assert.True(t, resp.Close)
				p.wantClosed(tt.reason)
				p.wantNone()
				_, _ = io.Copy(io.Discard, r)
				assert.LessOrEqual(t, time.Since(begin), 2*time.Second, "the goroutine of net/http ends, too")
			})
		})
	}
}

// The two-step shutdown of the README ends soon, whatever bodies are on their way.
func TestShutdownWithBodiesUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		var readers []io.Reader
		for _, request := range []string{
			"POST /engine.io/?EIO=4&transport=polling&sid=" + raw.SID, "POST /engine.io/?EIO=4&transport=polling&sid=unknown",
			"GET /engine.io/?EIO=4&transport=polling", "POST /elsewhere",
		} {
			_, r := rawRequest(t, h.tr, request+" HTTP/1.1\r\nHost: server.test\r\nContent-Length: 5000\r\n\r\n4begun")
			readers = append(readers, r)
		}
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, h.srv.Shutdown(t.Context()))
		p.wantClosed(engineio.ReasonServerShutdown)
		for _, r := range readers { // until they end, http.Server.Shutdown waits
			_, err := io.Copy(io.Discard, r)
			require.NoError(t, err)
		}
		assert.LessOrEqual(t, time.Since(begin), 3*time.Second)
	})
}

// POSTs whose messages wait for the Receiver count in PostBudget: those that come later wait, too, and nobody is closed.
func TestPostBudgetOfPausedPosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, all := newFullHost(t, &engineio.Options{Limits: engineio.Limits{MaxPayload: 100_000, PostBudget: 1_000_000},
			PingInterval: time.Second, PingTimeout: time.Second})
		var receivers []*crowded
		var posts []<-chan *eiotest.Response
		body := "4full\x1e4" + strings.Repeat("x", 90_000)
		for range 15 {
			raw := &eiotest.Raw{Transport: h.tr}
			_, _, err := raw.Handshake(t.Context())
			require.NoError(t, err)
			receivers = append(receivers, next(t, all))
			posts = append(posts, async(t, func() (*eiotest.Response, error) { return raw.Post(t.Context(), body) }))
			synctest.Wait()
		}
		time.Sleep(10 * time.Second) // silent, but excused
		got := 0
		for i, f := range receivers {
			if len(f.msgs) > 0 {
				got++
			}
			require.NoError(t, f.Context().Err(), "%d", i)
		}
		assert.Less(t, got, 15, "some of the bodies wait for the others")
		assert.GreaterOrEqual(t, got, 5)
		for i, f := range receivers {
			f.want("text full")
			f.makeRoom()
			wantOK(t, next(t, posts[i]), nil, "ok")
		}
		assert.Zero(t, h.srv.Stats().LimitHits["PostBudget"])
		assert.Zero(t, h.srv.Stats().Paused)
	})
}
