package engineio_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// exactly are messages that must arrive as they were sent.
func exactly() []eiotest.Message {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	messages := []eiotest.Message{
		{Data: []byte("hello")}, {Data: []byte("")}, {Data: []byte("4")}, {Data: []byte("bAQID")}, {Data: []byte("2probe")},
		{Data: []byte("€ 😀 \u2028 \x00 \" \\n")}, {Data: []byte("line\r\nline")}, {Data: all, Binary: true}, {Data: nil, Binary: true},
		{Data: []byte{0x1e}, Binary: true}, {Data: []byte("plain"), Binary: true},
	}
	// Around the limits of the frame formats, of the buffers and of the payload.
	for _, n := range []int{124, 125, 126, 1 << 10, 4 << 10, 32 << 10, 1<<16 - 1, 1 << 16, 1<<16 + 1, 700_000} {
		messages = append(messages,
			eiotest.Message{Data: []byte(strings.Repeat("x", n))},
			eiotest.Message{Data: bytes.Repeat([]byte{0, 255, 0x1e}, n/3), Binary: true})
	}
	return messages
}

func TestMessagesToTheServer(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		c, p := newHost(t, nil, nil).connect(mode)
		for i, m := range exactly() {
			if m.Binary {
				require.NoError(t, c.SendBinary(m.Data))
			} else {
				require.NoError(t, c.Send(string(m.Data)))
			}
			got := next(t, p.msgs)
			require.True(t, got == describe(m.Data, m.Binary), "message %d is %.60q", i, got)
		}
		p.wantNone()
		assert.Nil(t, c.Err())
	})
}

func TestMessagesToTheClient(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		c, p := newHost(t, nil, nil).connect(mode)
		for _, m := range exactly() {
			require.NoError(t, p.Send(frames(string(m.Data), m.Binary)))
			wantMessages(t, c, describe(m.Data, m.Binary))
		}
	})
}

// All at once, so that they share payloads and writes.
func TestManyMessagesAtOnce(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{SendQueueLimit: 100 << 20}}, nil)
		h.echo = true
		c, p := h.connect(mode)
		var want []string
		for range 2 {
			for _, m := range exactly() {
				want = append(want, describe(m.Data, m.Binary))
				if m.Binary {
					require.NoError(t, c.SendBinary(m.Data))
				} else {
					require.NoError(t, c.Send(string(m.Data)))
				}
			}
		}
		for i := range want {
			require.True(t, next(t, p.msgs) == want[i], "message %d", i)
		}
		wantMessages(t, c, want...)
	})
}

// A Frames with several messages is one unit, whoever else sends.
func TestFramesAreSentAsAUnit(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		c, p := newHost(t, nil, nil).connect(mode)
		var senders sync.WaitGroup
		for s := range 4 {
			senders.Go(func() {
				for i := range 50 {
					header := fmt.Sprintf("header of %d.%d", s, i)
					buf := []byte(header)
					_ = p.Send(engineio.TextFrames(buf, []byte(header), nil, []byte(header)))
				}
			})
		}
		last := map[string]int{}
		for range 4 * 50 {
			m, err := c.Receive(t.Context())
			require.NoError(t, err)
			header := string(m.Data)
			require.False(t, m.Binary)
			wantMessages(t, c, "binary "+header, "binary ", "binary "+header)
			var s string
			var i int
			_, err = fmt.Sscanf(strings.ReplaceAll(header, ".", " "), "header of %s %d", &s, &i)
			require.NoError(t, err)
			require.Equal(t, last[s], i, "the messages of one sender are in order")
			last[s]++
		}
		senders.Wait()
	})
}

// One Frames goes to many connections over every transport.
func TestFramesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		var clients []*eiotest.Client
		var peers []*peer
		for range 5 {
			for _, mode := range eiotest.Modes {
				c, p := h.connect(mode)
				clients, peers = append(clients, c), append(peers, p)
			}
		}
		for i := range 20 {
			buf := []byte(fmt.Sprint("broadcast ", i))
			f := engineio.TextFrames(buf, []byte{byte(i)})
			if i%2 == 1 {
				f.WithoutCompression()
			}
			var senders sync.WaitGroup
			for _, p := range peers {
				senders.Go(func() { assert.NoError(t, p.Send(f)) })
			}
			senders.Wait()
		}
		for _, c := range clients {
			for i := range 20 {
				wantMessages(t, c, fmt.Sprint("text broadcast ", i), "binary "+string([]byte{byte(i)}))
			}
		}
	})
}

// Both directions at once, with real time and goroutines that race.
func TestEchoUnderLoad(t *testing.T) {
	eiotest.Run(t, func(t *testing.T, mode eiotest.Mode) {
		t.Parallel()
		h := newHost(t, &engineio.Options{Limits: engineio.Limits{SendQueueLimit: 64 << 20}}, nil)
		h.echo = true
		var clients sync.WaitGroup
		for range 4 {
			c, _ := h.connect(mode)
			clients.Go(func() {
				const n = 200
				want := make([]string, n)
				for i := range want {
					data := fmt.Sprint(i, strings.Repeat("x", rand.IntN(3000)))
					want[i] = describe([]byte(data), i%3 == 0)
					if i%3 == 0 {
						_ = c.SendBinary([]byte(data))
					} else {
						_ = c.Send(data)
					}
				}
				for i := range want {
					m, err := c.Receive(t.Context())
					if err != nil || describe(m.Data, m.Binary) != want[i] {
						t.Errorf("message %d: %.40q, %v", i, m.Data, err)
						return
					}
				}
			})
		}
		clients.Wait()
	})
}

// A volatile message goes out only if nothing else does and the client can take it.
func TestSendVolatile(t *testing.T) {
	t.Run("polling", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, nil, nil)
			raw, p := h.raw()
			volatile := func(want bool) {
				t.Helper()
				sent, err := p.SendVolatile(engineio.TextFrames("volatile"))
				require.NoError(t, err)
				assert.Equal(t, want, sent)
			}
			volatile(false) // no poll waits
			poll := get(t, raw)
			synctest.Wait()
			volatile(true)
			volatile(false) // that one is on its way
			wantOK(t, next(t, poll), nil, "4volatile")
			p.text("queued")
			volatile(false)
			resp, err := raw.Get(t.Context())
			wantOK(t, resp, err, "4queued")
		})
	})
	t.Run("websocket", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, nil, &eiotest.TransportOptions{ToClient: 1000})
			raw := eiotest.Raw{Transport: h.tr}
			ws, _, err := raw.DialWS(t.Context(), nil)
			require.NoError(t, err)
			defer ws.CloseNow()
			p := h.peer()
			synctest.Wait()
			sent, err := p.SendVolatile(engineio.TextFrames("first"))
			require.NoError(t, err)
			assert.True(t, sent)
			synctest.Wait()
			p.text(strings.Repeat("x", 20_000)) // blocks: nobody reads
			synctest.Wait()
			sent, err = p.SendVolatile(engineio.TextFrames("second"))
			require.NoError(t, err)
			assert.False(t, sent)
			for _, want := range []int{len(`4first`), 20_001} {
				for {
					_, b, err := ws.Read(t.Context())
					require.NoError(t, err)
					if b[0] == '4' {
						assert.Len(t, b, want)
						break
					}
				}
			}
			synctest.Wait()
			sent, err = p.SendVolatile(engineio.TextFrames("third"))
			require.NoError(t, err)
			assert.True(t, sent)
			_, b, err := ws.Read(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "4third", string(b))
		})
	})
}

// The limit counts the bytes of a WebSocket message, its type included, and of a polling payload.
func TestMaxPayload(t *testing.T) {
	const limit = 1000
	text := func(n int) string { return strings.Repeat("€", (n-1)/3) + strings.Repeat("x", (n-1)%3) }
	binary := func(n int) []byte { return make([]byte, n) }
	t.Run("websocket", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, &engineio.Options{Limits: engineio.Limits{MaxPayload: limit}}, nil)
			for _, mode := range []eiotest.Mode{eiotest.WebSocket, eiotest.Upgrade} {
				for _, isBinary := range []bool{false, true} {
					c, p := h.connect(mode)
					require.NoError(t, c.Send(text(limit)))
					p.want("text " + text(limit))
					require.NoError(t, c.SendBinary(binary(limit)))
					p.want("binary " + string(binary(limit)))
					if isBinary {
						_ = c.SendBinary(binary(limit + 1))
					} else {
						_ = c.Send(text(limit + 1))
					}
					_ = c.Send("behind it")
					assert.Equal(t, websocket.StatusMessageTooBig, wantEnd(t, c, eiotest.CloseWebSocket).Code)
					assert.ErrorContains(t, p.wantClosed(engineio.ReasonTransportClose), "larger than 1000 bytes")
					p.wantNone()
				}
			}
		})
	})
	t.Run("polling", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, &engineio.Options{Limits: engineio.Limits{MaxPayload: limit}}, nil)
			for _, over := range []string{
				"4" + text(limit+1),
				"4x\x1e4" + text(limit-2),
				"b" + base64.StdEncoding.EncodeToString(binary(limit*3/4)),
			} {
				raw, p := h.raw()
				resp, err := raw.Post(t.Context(), "4"+text(limit))
				wantOK(t, resp, err, "ok")
				p.want("text " + text(limit))
				poll := get(t, raw)
				synctest.Wait()
				resp, err = raw.Post(t.Context(), over)
				wantRefused(t, resp, err, 413, "3", "larger than")
				wantOK(t, next(t, poll), nil, "1")
				assert.ErrorContains(t, p.wantClosed(engineio.ReasonTransportError), "larger than 1000 bytes")
				p.wantNone()
				resp, err = raw.Post(t.Context(), "4x")
				wantRefused(t, resp, err, 400, "1", "Session ID unknown")
			}
		})
	})
}

// A message may come in several WebSocket frames.
func TestFragmentedMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw := eiotest.Raw{Transport: h.tr}
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		defer ws.CloseNow()
		p := h.peer()
		w, err := ws.Writer(t.Context(), websocket.MessageText)
		require.NoError(t, err)
		want := "4"
		for i := range 10 {
			part := strings.Repeat(fmt.Sprint(i), 5000) // more than the buffer of the client's library
			want += part
			if i == 0 {
				part = "4" + part
			}
			_, err = w.Write([]byte(part))
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		p.want("text " + want[1:])
	})
}
