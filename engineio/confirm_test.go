package engineio_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// confirms is a peer that notes what is confirmed.
type confirms struct {
	*peer
	mu  sync.Mutex
	all []uint64
}

func (c *confirms) Confirmed(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, number)
}

// wantConfirmed checks what has been confirmed since the last call, when nothing goes on any more.
func (c *confirms) wantConfirmed(numbers ...uint64) {
	c.h.t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	assert.Equal(c.h.t, numbers, c.all)
	c.all = nil
}

// number sends a message with a number, and checks that.
func (c *confirms) number(want uint64) {
	c.h.t.Helper()
	n, err := c.SendNumbered(engineio.TextFrames(fmt.Sprint("message ", want)))
	require.NoError(c.h.t, err)
	require.Equal(c.h.t, want, n)
}

func newConfirmsHost(t *testing.T, opts *engineio.Options) (h *host, next func() *confirms) {
	peers := make(chan *confirms, 10)
	h = newHost(t, opts, nil)
	h.onNew = func(p *peer) (engineio.Receiver, error) {
		c := &confirms{peer: p}
		h.mu.Lock()
		h.all = append(h.all, p)
		h.mu.Unlock()
		peers <- c
		return c, nil
	}
	return h, func() *confirms {
		t.Helper()
		select {
		case c := <-peers:
			return c
		case <-time.After(patience):
			require.FailNow(t, "no connection")
			return nil
		}
	}
}

func dial(t *testing.T, h *host, opts eiotest.Options) *eiotest.Client {
	t.Helper()
	opts.Transport = h.tr
	return eiotest.Connect(t, nil, &opts)
}

// The answer to a ping of the heartbeat confirms the messages with numbers before it, if there are new ones.
func TestHeartbeatConfirms(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		h, peer := newConfirmsHost(t, &heartbeat)
		dial(t, h, eiotest.Options{Mode: mode})
		p := peer()
		p.text("no number")
		time.Sleep(30 * time.Second)
		p.wantConfirmed()
		for n := range uint64(3) {
			p.number(n + 1)
			p.text("no number")
		}
		p.wantConfirmed()
		time.Sleep(11 * time.Second)
		p.wantConfirmed(3)
		time.Sleep(time.Minute)
		p.wantConfirmed()
		p.number(4)
		time.Sleep(time.Minute)
		p.wantConfirmed(4)
	})
}

// A refused message takes no number; SendNumberedAnyway is not refused.
func TestNumbersOfAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, peer := newConfirmsHost(t, &engineio.Options{Limits: engineio.Limits{SendQueueLimit: 1000}})
		raw := eiotest.Raw{Transport: h.tr} // it does not poll
		_, _, err := raw.Handshake(t.Context())
		require.NoError(t, err)
		p := peer()
		p.number(1)
		large := engineio.BinaryFrames(make([]byte, 2000))
		n, err := p.SendNumbered(large)
		assert.ErrorIs(t, err, engineio.ErrSendQueueFull)
		assert.Zero(t, n)
		n, err = p.SendNumberedAnyway(large)
		assert.NoError(t, err)
		assert.EqualValues(t, 2, n)
		p.Close(engineio.ReasonServerDisconnect, nil)
	})
}

// The answers to pings are no packets that mean nothing, however many the server asks for.
func TestPongsDoNotCountInControlRate(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		h, peer := newConfirmsHost(t, &engineio.Options{Limits: engineio.Limits{ControlRate: 1}})
		dial(t, h, eiotest.Options{Mode: mode})
		p := peer()
		begin := time.Now()
		for n := range uint64(100) {
			p.number(n + 1)
			p.Ping()
			p.wantConfirmed(n + 1)
		}
		assert.Zero(t, h.srv.Stats().LimitHits["ControlRate"])
		assert.Less(t, time.Since(begin), time.Second)
	})
}

// A panic or runtime.Goexit in Confirmed ends the connection, and nothing else.
func TestConfirmedFails(t *testing.T) {
	for name, fail := range map[string]func(){"panic": func() { panic("oh") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
				h := newHost(t, &heartbeat, nil)
				h.onNew = func(p *peer) (engineio.Receiver, error) {
					p.ReceiverFuncs.OnConfirmed = func(uint64) { fail() }
					return p, nil
				}
				_, p := h.connect(mode)
				p.Ping()
				p.wantClosed(engineio.ReasonServerDisconnect)
			})
		})
	}
}

// Whatever is sent by whomever, over whatever transport: what is confirmed has been received.
func TestConfirmedIsReceived(t *testing.T) {
	eiotest.Run(t, func(t *testing.T, mode eiotest.Mode) {
		const senders, messages = 4, 500
		h := newHost(t, nil, nil)
		clients := make(chan *eiotest.Client, 1)
		done := make(chan struct{})
		h.onNew = func(p *peer) (engineio.Receiver, error) {
			var c *eiotest.Client
			received := uint64(0)
			now, cancel := context.WithCancel(context.Background())
			cancel()
			p.ReceiverFuncs.OnConfirmed = func(number uint64) {
				if c == nil {
					c = <-clients
				}
				for ; received < number; received++ {
					if _, err := c.Receive(now); err != nil {
						t.Errorf("%d messages are confirmed, %d have come: %v", number, received, err)
						break
					}
				}
				if received == senders*messages {
					close(done)
					return
				}
				p.Ping()
			}
			return p, nil
		}
		opening := mode
		if mode == eiotest.Upgrade {
			opening = eiotest.Polling // it is upgraded on the way
		}
		c, p := h.connect(opening)
		clients <- c
		var wg sync.WaitGroup
		for range senders {
			wg.Go(func() {
				for i := range messages {
					_, err := p.SendNumberedAnyway(engineio.TextFrames("x"))
					assert.NoError(t, err)
					if i%50 == 0 {
						p.Ping()
					}
				}
			})
		}
		if mode == eiotest.Upgrade {
			assert.NoError(t, c.Upgrade(t.Context()))
		}
		wg.Wait()
		p.Ping()
		next(t, done)
	})
}

func BenchmarkSendNumbered(b *testing.B) {
	for name, numbered := range map[string]bool{"Send": false, "SendNumbered": true} {
		b.Run(name, func(b *testing.B) {
			var c *engineio.Conn
			srv, err := engineio.NewServer(&engineio.Options{
				Logger:    slog.New(slog.DiscardHandler),
				OnConnect: func(conn *engineio.Conn) (engineio.Receiver, error) { c = conn; return engineio.ReceiverFuncs{}, nil },
			})
			require.NoError(b, err)
			tr := eiotest.Serve(b, srv, nil)
			raw := eiotest.Raw{Transport: tr}
			_, _, err = raw.Handshake(b.Context())
			require.NoError(b, err)
			f := engineio.TextFrames("hello")
			b.ReportAllocs()
			for i := 1; b.Loop(); i++ {
				if numbered {
					_, err = c.SendNumbered(f)
				} else {
					err = c.Send(f)
				}
				if err != nil {
					b.Fatal(err)
				}
				if i%1000 == 0 { // the client takes what waits
					b.StopTimer()
					_, err = raw.Get(b.Context())
					require.NoError(b, err)
					b.StartTimer()
				}
			}
			b.StopTimer()
			c.Close(engineio.ReasonSlowClient, nil)
			require.NoError(b, srv.Shutdown(b.Context()))
		})
	}
}
