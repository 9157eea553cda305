package engineio_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

func TestPollPayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		p.text("a")
		require.NoError(t, p.Send(engineio.TextFrames("b", []byte{1, 2, 3, 4}, nil)))
		require.NoError(t, p.Send(engineio.BinaryFrames([]byte{255})))
		p.text("")
		resp, err := raw.Get(t.Context())
		wantOK(t, resp, err, "4a\x1e4b\x1ebAQIDBA==\x1eb\x1eb/w==\x1e4")
		assert.Equal(t, "text/plain; charset=UTF-8", resp.Header.Get("Content-Type"))
		assert.Equal(t, "no-store", resp.Header.Get("Cache-Control"))

		// The next poll waits.
		poll := get(t, raw)
		time.Sleep(10 * time.Second)
		assert.Empty(t, poll)
		p.text("late")
		wantOK(t, next(t, poll), nil, "4late")
	})
}

func TestPostPayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		for body, want := range map[string][]string{
			"4hello":                         {"text hello"},
			"4":                              {"text "},
			"4a\x1e4b\x1ebAQID\x1eb\x1e4€":   {"text a", "text b", "binary \x01\x02\x03", "binary ", "text €"},
			"bAQIDBA==":                      {"binary \x01\x02\x03\x04"},
			"4a\x1e5\x1e6\x1e0{}\x1e3\x1e4b": {"text a", "text b"}, // what means nothing from a client does no harm
		} {
			resp, err := raw.Post(t.Context(), body)
			wantOK(t, resp, err, "ok")
			assert.Equal(t, "text/html", resp.Header.Get("Content-Type"))
			p.want(want...)
			p.wantNone()
		}
		for _, contentType := range []string{"", "text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded"} {
			var header http.Header
			if contentType != "" {
				header = http.Header{"Content-Type": {contentType}}
			}
			resp, err := raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), strings.NewReader("4x"), header)
			wantOK(t, resp, err, "ok")
			p.want("text x")
		}
	})
}

// A body of unknown length, in small pieces.
func TestPostChunked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		body, input := io.Pipe()
		defer input.Close()
		want := strings.Repeat("0123456789", 50_000)
		go func() {
			io.WriteString(input, "4")
			for s := want; s != ""; {
				n := min(len(s), 7001)
				io.WriteString(input, s[:n])
				s = s[n:]
				time.Sleep(100 * time.Millisecond)
			}
			input.Close()
		}()
		resp, err := raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), body, nil)
		wantOK(t, resp, err, "ok")
		p.want("text " + want)

		// The limit holds for it, too.
		body, input = io.Pipe()
		go func() {
			for {
				if _, err := input.Write(make([]byte, 100_000)); err != nil {
					return
				}
			}
		}()
		resp, err = raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), body, nil)
		body.Close()
		wantRefused(t, resp, err, http.StatusRequestEntityTooLarge, "3", "larger than")
		p.wantClosed(engineio.ReasonTransportError)
	})
}

// Packets in front of the faulty one are delivered, those behind it are not.
func TestPostWithAFaultyPacket(t *testing.T) {
	for name, tt := range map[string]struct {
		packet string
		reason engineio.Reason
		text   string
	}{
		"unknown type": {"x", engineio.ReasonParseError, "unknown packet type"},
		"empty":        {"", engineio.ReasonParseError, "empty packet"},
		"no base64":    {"b=", engineio.ReasonParseError, "base64"},
		"ping":         {"2", engineio.ReasonTransportError, "PING"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, nil, nil)
				raw, p := h.raw()
				poll := get(t, raw)
				synctest.Wait()
				resp, err := raw.Post(t.Context(), "4before\x1e"+tt.packet+"\x1e4behind")
				wantRefused(t, resp, err, http.StatusBadRequest, "3", tt.text)
				wantOK(t, next(t, poll), nil, "1")
				assert.ErrorContains(t, p.wantClosed(tt.reason), tt.text)
				p.want("text before")
				p.wantNone()
			})
		})
	}
}

func TestPostOfBinaryContentType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		raw.Header = http.Header{"Content-Type": {"application/octet-stream"}}
		resp, err := raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), strings.NewReader("4x"), nil)
		wantRefused(t, resp, err, http.StatusBadRequest, "3", "the POST has binary data")
		p.wantClosed(engineio.ReasonParseError)
		p.wantNone()
	})
}

func TestOverlappingPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		first := get(t, raw)
		synctest.Wait()
		resp, err := raw.Get(t.Context())
		wantRefused(t, resp, err, http.StatusBadRequest, "3", "one GET and one POST at a time")
		wantOK(t, next(t, first), nil, "1")
		assert.ErrorContains(t, p.wantClosed(engineio.ReasonTransportError), "poll")
		resp, err = raw.Get(t.Context())
		wantRefused(t, resp, err, http.StatusBadRequest, "1", "Session ID unknown")
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}

func TestOverlappingPosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		body, input := io.Pipe()
		defer input.Close()
		first := async(t, func() (*eiotest.Response, error) {
			return raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), body, nil)
		})
		io.WriteString(input, "4first")
		synctest.Wait()
		resp, err := raw.Post(t.Context(), "4second")
		wantRefused(t, resp, err, http.StatusBadRequest, "3", "one GET and one POST at a time")
		assert.ErrorContains(t, p.wantClosed(engineio.ReasonTransportError), "POST")
		input.Close()
		next(t, first)
		p.wantNone()
		resp, err = raw.Post(t.Context(), "4third")
		wantRefused(t, resp, err, http.StatusBadRequest, "1", "Session ID unknown")
	})
}

// A GET and a POST at once are what the protocol wants, one after the other from different connections is, too.
func TestGetAndPostAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		raw.Header = http.Header{"Connection": {"close"}}
		for range 5 {
			poll := get(t, raw)
			synctest.Wait()
			resp, err := raw.Post(t.Context(), "4x")
			wantOK(t, resp, err, "ok")
			p.want("text x")
			assert.Empty(t, poll)
			p.text("y")
			wantOK(t, next(t, poll), nil, "4y")
		}
	})
}

// A client that aborts its poll has gone: its tab was closed.
func TestAbortedPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		ctx, cancel := context.WithCancel(t.Context())
		poll := async(t, func() (*eiotest.Response, error) { return raw.Get(ctx) })
		synctest.Wait()
		cancel()
		assert.ErrorContains(t, p.wantClosed(engineio.ReasonTransportError), "aborted a poll")
		next(t, poll)
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
		resp, err := raw.Get(t.Context())
		wantRefused(t, resp, err, http.StatusBadRequest, "1", "Session ID unknown")
	})
}

func TestAbortedPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		body, input := io.Pipe()
		defer input.Close()
		post := async(t, func() (*eiotest.Response, error) {
			return raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), body, nil)
		})
		io.WriteString(input, "4some")
		synctest.Wait()
		input.CloseWithError(errors.New("gone"))
		assert.Nil(t, next(t, post))
		assert.Error(t, p.wantClosed(engineio.ReasonTransportError))
		p.wantNone()
	})
}

// A client that sends its body too slowly is not waited for forever, even if it is alive otherwise.
func TestStalledPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, &engineio.Options{PingInterval: 7 * time.Second, PingTimeout: 3 * time.Second}, nil)
		raw, p := h.raw()
		body, input := io.Pipe()
		defer input.Close()
		begin := time.Now()
		time.Sleep(time.Second)
		post := async(t, func() (*eiotest.Response, error) {
			return raw.Do(t.Context(), http.MethodPost, raw.Address("polling"), body, nil)
		})
		io.WriteString(input, "4so")
		p.wantClosed(engineio.ReasonPingTimeout)
		assert.Equal(t, 10*time.Second, time.Since(begin))
		wantRefused(t, next(t, post), nil, http.StatusBadRequest, "1", "Session ID unknown")
		assert.Equal(t, 10*time.Second, time.Since(begin), "the POST does not outlive its session")
		p.wantNone()
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
	})
}

// A close packet: a poll that waits is answered with NOOP, and what stands behind the packet is dropped.
func TestClosePacketInAPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		poll := get(t, raw)
		synctest.Wait()
		resp, err := raw.Post(t.Context(), "4last\x1e1\x1e4behind")
		wantOK(t, resp, err, "ok")
		wantOK(t, next(t, poll), nil, "6")
		assert.NoError(t, p.wantClosed(engineio.ReasonClientDisconnect))
		p.want("text last")
		p.wantNone()
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
		resp, err = raw.Get(t.Context())
		wantRefused(t, resp, err, http.StatusBadRequest, "1", "Session ID unknown")
	})
}

// Requests after the end of a session are refused, whatever they bring.
func TestRequestsAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		resp, err := raw.Post(t.Context(), "1")
		wantOK(t, resp, err, "ok")
		p.wantClosed(engineio.ReasonClientDisconnect)
		resp, err = raw.Post(t.Context(), "4late")
		wantRefused(t, resp, err, http.StatusBadRequest, "1", "Session ID unknown")
		// A WebSocket is of no use any more, even if it is accepted because what was queued might still be fetched.
		if ws, _, err := raw.DialWS(t.Context(), nil); err == nil {
			begin := time.Now()
			_ = ws.Write(t.Context(), websocket.MessageText, []byte("4late"))
			_, _, err = ws.Read(t.Context())
			assert.Error(t, err)
			assert.LessOrEqual(t, time.Since(begin), 6*time.Second)
			_ = ws.CloseNow()
		} else {
			wantRefused(t, nil, err, http.StatusBadRequest, "1", "Session ID unknown")
		}
		p.wantNone()
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
		_, _, err = raw.DialWS(t.Context(), nil)
		wantRefused(t, nil, err, http.StatusBadRequest, "1", "Session ID unknown")
	})
}

// net/http's own timeouts, made for short requests, do not cut polls short.
func TestServerTimeoutsDoNotCutPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		tr := eiotest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// What http.Server.WriteTimeout does at the begin of a request.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(5 * time.Second))
			h.srv.ServeHTTP(w, r)
		}), nil)
		c := eiotest.Connect(t, nil, &eiotest.Options{Transport: tr})
		p := h.peer()
		for range 5 {
			time.Sleep(20 * time.Second)
			p.text("x")
			wantMessages(t, c, "text x")
		}
	})
}

// A message of the client may be answered from inside Message, and the session closed there.
func TestSendAndCloseFromMessage(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		h.onNew = func(p *peer) (engineio.Receiver, error) { return closer{p}, nil }
		c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: h.tr, Mode: mode})
		require.NoError(t, err)
		defer c.Abort()
		require.NoError(t, c.Send("hello"))
		require.NoError(t, c.Send("behind it"))
		wantMessages(t, c, "text bye")
		kind := eiotest.CloseWebSocket
		if mode.Current() == eiotest.Polling {
			kind = eiotest.ClosePacket
		}
		wantEnd(t, c, kind)
	})
}

// closer answers the first message and closes.
type closer struct{ *peer }

func (c closer) Message(data []byte, binary bool) <-chan struct{} {
	if string(data) != "hello" {
		c.h.t.Errorf("a message after Close: %q", data)
	}
	c.text("bye")
	c.Close(engineio.ReasonServerDisconnect, nil)
	return nil
}
