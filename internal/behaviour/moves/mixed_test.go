package moves_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// reorderingBroker hands over messages that contain a text only when released, after what other servers have
// published later. A broker without one order of all messages may do so.
type reorderingBroker struct {
	socketio.Broker

	mu     sync.Mutex // held while handle is called
	handle func(channel string, data []byte)
	late   string // empty: no message comes late
	held   [][]byte
}

func (b *reorderingBroker) Subscribe(ctx context.Context, channels []string, ready func(), handle func(channel string, data []byte)) error {
	b.mu.Lock()
	b.handle = handle
	b.mu.Unlock()
	return b.Broker.Subscribe(ctx, channels, ready, func(channel string, data []byte) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.late != "" && bytes.Contains(data, []byte(b.late)) {
			b.held = append(b.held, slices.Clone(data))
			return
		}
		handle(channel, data)
	})
}

// hold holds messages with a text until release is called, which returns how many there were.
func (b *reorderingBroker) hold(text string) (release func() int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.late = text
	return func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.late = ""
		held := b.held
		b.held = nil
		for _, data := range held {
			b.handle("flask-socketio", data)
		}
		return len(held)
	}
}

// A session that moves while a server without Options.Recovery emits has each event once, on a broker with a
// history and on one without.
func TestServerWithoutRecovery(t *testing.T) {
	for _, keep := range []int{0, 10_000} {
		t.Run(fmt.Sprint("history of ", keep), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fleet{Fleet: siotest.NewFleet(t, 0, nil)}
				f.Service.Keep = keep
				for range 3 {
					f.add(&socketio.Options{Recovery: &socketio.Recovery{}})
				}
				off := f.add(nil)
				n := 0
				var want []string
				emit := func() {
					for _, options := range [][]socketio.EmitOption{nil, {socketio.To("r")}} {
						n++
						require.NoError(t, off.Emit("e", n, options...))
						want = append(want, fmt.Sprintf(`["e",%d]`, n))
						synctest.Wait()
					}
				}
				c, release := underWay(t, f)
				want = append(want, `["before"]`)
				emit()
				first := c.Client()
				c.Abandon()
				c.To(f.Servers[2]).Dial() // the session has two servers to go to
				c.SendConnect()
				emit()
				release()
				c.Answered()
				require.True(t, c.Recovered)
				emit()
				c.Want(want...)
				first.Abort()
				want = nil
				c.Drop()
				emit()
				c.To(f.Servers[1]).Connect()
				require.True(t, c.Recovered)
				emit()
				c.Want(want...)
			})
		})
	}
}

// An event of a server without Options.Recovery comes once, although it comes to the server to which the session
// moves only after that server has asked for the session.
func TestServerWithoutRecoveryComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{Fleet: siotest.NewFleet(t, 0, nil)}
		var brokers []*reorderingBroker
		f.Wrap = func(b socketio.Broker) socketio.Broker {
			reordering := &reorderingBroker{Broker: b}
			brokers = append(brokers, reordering)
			return reordering
		}
		for range 2 {
			f.add(&socketio.Options{Recovery: &socketio.Recovery{}})
		}
		off := f.add(nil)
		a, b := f.Servers[0], f.Servers[1]
		block := make(chan struct{})
		a.On("disconnect", func(*socketio.Context, socketio.Reason) { <-block })
		c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		late := brokers[1].hold("late")
		require.NoError(t, off.Emit("late", 1))
		require.NoError(t, off.Emit("late", 2, socketio.To("r")))
		synctest.Wait() // a has it
		c.Drop()
		c.To(b).Dial()
		c.SendConnect()
		synctest.Wait() // the session has left a, where the disconnect handler runs
		require.Equal(t, 2, late())
		close(block)
		c.Answered()
		require.True(t, c.Recovered)
		require.NoError(t, off.Emit("after", 3))
		c.Want(`["late",1]`, `["late",2]`, `["after",3]`)
	})
}
