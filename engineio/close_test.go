package engineio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// What was queued before Close arrives, later sends are refused, and the client gets the end.
func TestServerCloses(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		c, p := h.connect(mode)
		synctest.Wait() // an upgrade has arrived
		begin := time.Now()
		detail := errors.New("because")
		for i := range 100 {
			p.text(fmt.Sprint(i))
		}
		p.Close(engineio.ReasonServerDisconnect, detail)
		p.Close(engineio.ReasonTransportError, errors.New("too late")) // not at shutdown, which waits for no client between polls
		assert.ErrorIs(t, p.Send(engineio.TextFrames("too late")), engineio.ErrClosed)
		assert.Equal(t, detail, p.wantClosed(engineio.ReasonServerDisconnect))
		for i := range 100 {
			wantMessages(t, c, fmt.Sprint("text ", i))
		}
		if mode.Current() == eiotest.Polling {
			wantEnd(t, c, eiotest.ClosePacket)
		} else {
			assert.Equal(t, websocket.StatusNoStatusRcvd, wantEnd(t, c, eiotest.CloseWebSocket).Code)
		}
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
		assert.Zero(t, time.Since(begin), "nobody had to wait")
	})
}

// Without a poll, the next one within 5 seconds gets what was queued, and the one after it the end.
func TestServerClosesWithoutAPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw, p := h.raw()
		p.text("last")
		p.Close(engineio.ReasonServerDisconnect, nil)
		p.wantClosed(engineio.ReasonServerDisconnect)
		assert.Equal(t, 1, h.srv.Len(), "a connection that is ending counts")
		time.Sleep(4 * time.Second)
		resp, err := raw.Post(t.Context(), "4late")
		wantOK(t, resp, err, "ok") // refused, the client would drop the poll that fetches what is left
		resp, err = raw.Get(t.Context())
		wantOK(t, resp, err, "4last")
		assert.Equal(t, 1, h.srv.Len())
		resp, err = raw.Get(t.Context())
		wantOK(t, resp, err, "1") // by itself: clients forget what comes along with it
		assert.Zero(t, h.srv.Len())
		resp, err = raw.Get(t.Context())
		wantRefused(t, resp, err, 400, "1", "Session ID unknown")
		p.wantNone()

		raw, p = h.raw()
		p.text("never fetched")
		p.Close(engineio.ReasonServerDisconnect, nil)
		p.wantClosed(engineio.ReasonServerDisconnect)
		time.Sleep(5*time.Second + time.Millisecond)
		assert.Zero(t, h.srv.Len())
		resp, err = raw.Get(t.Context())
		wantRefused(t, resp, err, 400, "1", "Session ID unknown")
	})
}

// A client that does not answer the close frame is cut off after 5 seconds.
func TestServerClosesAWebSocketThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw := eiotest.Raw{Transport: h.tr}
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		defer ws.CloseNow()
		p := h.peer()
		p.Close(engineio.ReasonServerDisconnect, nil)
		p.wantClosed(engineio.ReasonServerDisconnect)
		assert.Equal(t, 1, h.tr.Conns())
		time.Sleep(5*time.Second + time.Millisecond)
		synctest.Wait()
		assert.Zero(t, h.tr.Conns())
		assert.Zero(t, h.srv.Len())
	})
}

// What a client sends while it is being closed does not reach the receiver, nor keep the connection open.
func TestMessagesAfterServerClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, nil, nil)
		raw := eiotest.Raw{Transport: h.tr}
		ws, _, err := raw.DialWS(t.Context(), nil)
		require.NoError(t, err)
		defer ws.CloseNow()
		p := h.peer()
		p.Close(engineio.ReasonServerDisconnect, nil)
		p.wantClosed(engineio.ReasonServerDisconnect)
		begin := time.Now()
		for err = nil; err == nil; time.Sleep(time.Second) {
			err = ws.Write(t.Context(), websocket.MessageText, []byte("4still here"))
		}
		assert.LessOrEqual(t, time.Since(begin), 7*time.Second)
		p.wantNone()
	})
}

func TestClientCloses(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		c, p := h.connect(mode)
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, c.Send("last"))
		c.Close()
		if mode.Current() == eiotest.Polling {
			assert.NoError(t, p.wantClosed(engineio.ReasonClientDisconnect))
		} else {
			assert.NoError(t, p.wantClosed(engineio.ReasonTransportClose))
		}
		p.want("text last")
		p.wantNone()
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
		assert.Zero(t, time.Since(begin))
	})
}

// A close packet over WebSocket, which the reference client does not send.
func TestClosePacketOverWebSocket(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		c, p := h.connect(mode)
		require.NoError(t, c.SendPacket("1"))
		_ = c.Send("behind it") // an error if the server has closed the connection before
		assert.NoError(t, p.wantClosed(engineio.ReasonClientDisconnect))
		wantEnd(t, c, eiotest.CloseWebSocket)
		p.wantNone()
	}, eiotest.WebSocket, eiotest.Upgrade)
}

func TestClientVanishes(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		c, p := h.connect(mode)
		synctest.Wait()
		begin := time.Now()
		c.Abort()
		reason := engineio.ReasonTransportClose
		if mode.Current() == eiotest.Polling {
			reason = engineio.ReasonTransportError
		}
		p.wantClosed(reason)
		synctest.Wait()
		assert.Zero(t, h.srv.Len())
		assert.Zero(t, time.Since(begin))
	})
}

func TestNetworkFails(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		c, p := h.connect(mode)
		synctest.Wait()
		h.tr.CloseConns()
		reason := engineio.ReasonTransportClose
		if mode.Current() == eiotest.Polling {
			reason = engineio.ReasonTransportError
		}
		p.wantClosed(reason)
		wantEnd(t, c, eiotest.CloseNetwork)
	})
}

// Each faulty frame ends the connection.
func TestFaultyFrames(t *testing.T) {
	for name, tt := range map[string]struct {
		frame  string
		reason engineio.Reason
		text   string
	}{
		"unknown type": {"x", engineio.ReasonParseError, "unknown packet type"},
		"empty":        {"", engineio.ReasonParseError, "empty packet"},
		"ping":         {"2", engineio.ReasonTransportError, "PING"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, nil, nil)
				raw := eiotest.Raw{Transport: h.tr}
				ws, _, err := raw.DialWS(t.Context(), nil)
				require.NoError(t, err)
				defer ws.CloseNow()
				p := h.peer()
				for _, f := range []string{"4before", tt.frame, "4behind"} {
					require.NoError(t, ws.Write(t.Context(), websocket.MessageText, []byte(f)))
				}
				assert.ErrorContains(t, p.wantClosed(tt.reason), tt.text)
				p.want("text before")
				p.wantNone()
				for err = nil; err == nil; {
					_, _, err = ws.Read(t.Context())
				}
				assert.NotEqual(t, websocket.StatusCode(-1), websocket.CloseStatus(err), "a close frame: %v", err)
			})
		})
	}
}

// Packets that mean nothing from a client do no harm.
func TestHarmlessFrames(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		c, p := newHost(t, nil, nil).connect(mode)
		for _, s := range []string{"3", "5", "6", "0{}", "3more"} {
			require.NoError(t, c.SendPacket(s))
		}
		p.isOpen(c)
	})
}

// Close is called from everywhere at once: one reason, one call of Closed, and no deadlock with a lock that the
// application holds in its receiver.
func TestCloseFromEverywhere(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		c, p := h.connect(mode)
		var all sync.WaitGroup
		all.Go(c.Close)
		for i := range 10 {
			all.Go(func() { p.Close(engineio.ReasonServerDisconnect, fmt.Errorf("closer %d", i)) })
			all.Go(func() { _ = p.Send(engineio.TextFrames("x")) })
		}
		all.Go(func() { _ = h.srv.Shutdown(t.Context()) })
		all.Wait()
		next(t, p.ended)
		synctest.Wait()
		assert.Equal(t, 1, p.closed)
		assert.Zero(t, h.srv.Len())
	})
}

// locked is a receiver whose methods take a lock that is also held while it calls Send and Close.
type locked struct {
	*peer
	mu sync.Mutex
}

func (l *locked) Message(data []byte, binary bool) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peer.Message(data, binary)
}

func (l *locked) Closed(reason engineio.Reason, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.peer.Closed(reason, err)
}

func TestClosedIsNotCalledFromSendOrClose(t *testing.T) {
	for _, overflow := range []bool{false, true} {
		t.Run(fmt.Sprint("overflow ", overflow), func(t *testing.T) {
			eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
				h := newHost(t, &engineio.Options{Limits: engineio.Limits{SendQueueLimit: 1}}, nil)
				received := make(chan *locked, 1)
				h.onNew = func(p *peer) (engineio.Receiver, error) {
					l := &locked{peer: p}
					received <- l
					return l, nil
				}
				c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: h.tr, Mode: mode})
				require.NoError(t, err)
				defer c.Abort()
				l := next(t, received)
				synctest.Wait()
				l.mu.Lock() // a deadlock would hang until the end of the test run
				reason := engineio.ReasonServerDisconnect
				if overflow {
					reason = engineio.ReasonSlowClient
					for err = nil; err == nil; {
						err = l.Send(engineio.TextFrames(strings.Repeat("x", 1000)))
					}
					assert.ErrorIs(t, err, engineio.ErrSendQueueFull)
					l.Close(reason, err)
				} else {
					l.Close(reason, nil)
				}
				l.mu.Unlock()
				l.wantClosed(reason)
			})
		})
	}
}

// A receiver that panics ends its connection, not the process.
func TestReceiverPanics(t *testing.T) {
	eiotest.RunSyncAll(t, func(t *testing.T, mode eiotest.Mode) {
		h := newHost(t, nil, nil)
		ended := make(chan engineio.Reason, 1)
		h.onNew = func(p *peer) (engineio.Receiver, error) { return panicky{ended: ended}, nil }
		c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: h.tr, Mode: mode})
		require.NoError(t, err)
		defer c.Abort()
		require.NoError(t, c.Send("hello"))
		assert.Equal(t, engineio.ReasonServerDisconnect, next(t, ended))
		next(t, c.Closed())
		synctest.Wait()
		assert.Contains(t, h.logged(), "ouch")
		assert.Contains(t, h.logged(), "ow again")
		h.onNew = nil
		c2, p := h.connect(mode)
		p.isOpen(c2)
	})
}

type panicky struct {
	engineio.ReceiverFuncs
	ended chan engineio.Reason
}

func (p panicky) Message([]byte, bool) <-chan struct{} { panic("ouch") }
func (p panicky) Closed(reason engineio.Reason, _ error) {
	defer func() { p.ended <- reason }()
	panic("ow again")
}

// Closed waits for the Message under way.
func TestClosedComesAfterMessage(t *testing.T) {
	eiotest.Run(t, func(t *testing.T, mode eiotest.Mode) { // not in a bubble: the server waits with a mutex
		h := newHost(t, nil, nil)
		b := &busy{began: make(chan bool, 10), goOn: make(chan bool), ended: make(chan bool, 10)}
		var conn *engineio.Conn
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			conn = p.Conn
			return b, nil
		}
		c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Transport: h.tr, Mode: mode})
		require.NoError(t, err)
		defer c.Abort()
		require.NoError(t, c.Send("one"))
		require.NoError(t, c.Send("two"))
		next(t, b.began)
		conn.Close(engineio.ReasonServerDisconnect, nil)
		assert.ErrorIs(t, context.Cause(conn.Context()), engineio.ErrClosed, "the context ends at once")
		for range 100 {
			runtime.Gosched()
		}
		assert.Empty(t, b.ended, "Closed was called while Message runs")
		close(b.goOn)
		next(t, b.ended)
		assert.Empty(t, b.began, "a message after Close")
	})
}

// busy takes its time for a message.
type busy struct {
	engineio.ReceiverFuncs
	began, goOn, ended chan bool
}

func (b *busy) Message([]byte, bool) <-chan struct{} {
	b.began <- true
	<-b.goOn
	return nil
}

func (b *busy) Closed(engineio.Reason, error) { b.ended <- true }
