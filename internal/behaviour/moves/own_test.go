package moves_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// slowBroker is a broker that publishes nothing while it is held. What other servers publish comes.
type slowBroker struct {
	socketio.Broker

	mu   sync.Mutex
	gate chan struct{} // nil: it is not held
}

func (b *slowBroker) hold() (release func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	gate := make(chan struct{})
	b.gate = gate
	return func() {
		b.mu.Lock()
		b.gate = nil
		b.mu.Unlock()
		close(gate)
		synctest.Wait()
	}
}

func (b *slowBroker) Publish(ctx context.Context, channel string, data []byte) error {
	b.mu.Lock()
	gate := b.gate
	b.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return b.Broker.Publish(ctx, channel, data)
}

// slowFleet is a fleet whose brokers can be held.
func slowFleet(t *testing.T, n int) (*fleet, []*slowBroker) {
	f := &fleet{Fleet: siotest.NewFleet(t, 0, nil)}
	var brokers []*slowBroker
	f.Wrap = func(b socketio.Broker) socketio.Broker {
		slow := &slowBroker{Broker: b}
		brokers = append(brokers, slow)
		return slow
	}
	for range n {
		f.add(&socketio.Options{Recovery: &socketio.Recovery{}})
	}
	return f, brokers
}

// What the server to which the client comes emits while the session is under way, and gets back from a
// slow broker only after the session is there, reaches the client: once, and in order.
func TestOwnEventsComeLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, brokers := slowFleet(t, 3)
		a, b, third := f.Servers[0], f.Servers[1], f.Servers[2]
		c, release := underWay(t, f)
		sid := c.SID
		flow := brokers[1].hold()
		require.NoError(t, b.Emit("room", 1, socketio.To("r")))
		require.NoError(t, b.Emit("all", 2))
		require.NoError(t, b.Emit("sid", 3, socketio.To(sid)))
		require.NoError(t, b.JoinRoom(sid, "x"))
		require.NoError(t, b.Emit("x", 4, socketio.To("x")))
		require.NoError(t, b.LeaveRoom(sid, "r"))
		require.NoError(t, b.Emit("no", nil, socketio.To("r")))
		release()
		require.True(t, b.Socket(sid).Away(), "it is there")
		require.NoError(t, b.Emit("both", 5))
		require.NoError(t, b.Emit("sid", 6, socketio.To(sid)))
		require.NoError(t, third.Emit("other", 7))
		require.NoError(t, a.Emit("other", 8, socketio.To(sid)))
		synctest.Wait()
		flow()
		c.Answered()
		require.True(t, c.Recovered)
		require.NoError(t, b.Emit("after", 9, socketio.To("x")))
		synctest.Wait()
		got := c.Received()
		var own, others []string
		for _, e := range got {
			if strings.HasPrefix(e, `["other"`) {
				others = append(others, e)
			} else {
				own = append(own, e)
			}
		}
		require.Equal(t, []string{`["before"]`, `["room",1]`, `["all",2]`, `["sid",3]`, `["x",4]`, `["both",5]`, `["sid",6]`, `["after",9]`}, own)
		require.ElementsMatch(t, []string{`["other",7]`, `["other",8]`}, others)
		require.Equal(t, []string{sid, "x"}, b.Rooms(sid))
	})
}

// What the old server emitted itself, and its client has confirmed, does not come again when the broker gets it
// so late that the session is on its way by then.
func TestConfirmedEventsComeLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, brokers := slowFleet(t, 2)
		a, b := f.Servers[0], f.Servers[1]
		c := siotest.NewReturner(t, a, eiotest.WebSocket).Connect()
		require.NoError(t, a.Emit("e", 1))
		c.Want(`["e",1]`)
		flow := brokers[0].hold()
		const many = 300 // so many that the server asks the client what it has
		for i := 2; i <= many; i++ {
			require.NoError(t, a.Emit("e", i))
		}
		require.Len(t, c.Received(), many-1)
		synctest.Wait() // the client has answered
		require.NoError(t, a.Emit("e", many+1, socketio.To("r")))
		c.Drop()
		c.To(b).Dial()
		c.SendConnect()
		synctest.Wait()
		flow()
		c.Answered()
		require.True(t, c.Recovered)
		require.NoError(t, a.Emit("e", many+2))
		c.Want(`["e",301]`, `["e",302]`)
	})
}

// The client is not seated before that, and hears of it if the subscription is lost meanwhile.
func TestBrokerIsLostDuringTheMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, brokers := slowFleet(t, 2)
		c, release := underWay(t, f)
		flow := brokers[1].hold()
		require.NoError(t, f.Servers[1].Emit("room", 1, socketio.To("r")))
		release()
		require.True(t, f.Servers[1].Socket(c.SID).Away())
		f.Service.Cut(brokers[1].Broker)
		synctest.Wait()
		flow()
		c.Answered()
		require.False(t, c.Recovered)
		require.EqualValues(t, 1, f.Servers[1].Stats().Recovery.Expired[socketio.ExpiredMove])
		f.Service.Restore(brokers[1].Broker)
	})
}

// A client that connects once more while its session settles gets that session.
func TestConnectAgainWhileTheSessionSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, brokers := slowFleet(t, 2)
		b := f.Servers[1]
		c, release := underWay(t, f)
		flow := brokers[1].hold()
		require.NoError(t, b.Emit("room", 1, socketio.To("r")))
		release()
		c.Drop()
		c.Dial()
		c.SendConnect()
		synctest.Wait()
		require.NoError(t, b.Emit("room", 2, socketio.To("r")))
		flow()
		c.Answered()
		require.True(t, c.Recovered)
		c.Want(`["before"]`, `["room",1]`, `["room",2]`)
	})
}

// A session that is disconnected by the server while it settles ends.
func TestDisconnectWhileTheSessionSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, brokers := slowFleet(t, 2)
		b := f.Servers[1]
		c, release := underWay(t, f)
		flow := brokers[1].hold()
		require.NoError(t, b.Emit("room", 1, socketio.To("r")))
		release()
		require.NoError(t, b.Disconnect(c.SID))
		flow()
		c.Answered()
		require.False(t, c.Recovered)
	})
}

// Rooms that are joined and left before the session is there, which the server hears of only after that, count for
// what it emits meanwhile, unless they are joined or left once more.
func TestOwnRoomsComeLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, brokers := slowFleet(t, 2)
		b := f.Servers[1]
		c, release := underWay(t, f)
		sid := c.SID
		flow := brokers[1].hold()
		require.NoError(t, b.Emit("all", 1))
		require.NoError(t, b.JoinRoom(sid, "x"))
		require.NoError(t, b.JoinRoom(sid, "y"))
		require.NoError(t, b.LeaveRoom(sid, "r"))
		release()
		require.NoError(t, b.JoinRoom(sid, "z"))
		require.NoError(t, b.LeaveRoom(sid, "y"))
		require.NoError(t, b.JoinRoom(sid, "r"))
		synctest.Wait()
		require.NoError(t, b.Emit("x", 2, socketio.To("x")))
		require.NoError(t, b.Emit("no", nil, socketio.To("y")))
		require.NoError(t, b.Emit("z", 3, socketio.To("z", "x")))
		flow()
		c.Answered()
		require.True(t, c.Recovered)
		require.NoError(t, b.Emit("r", 4, socketio.To("r")))
		require.ElementsMatch(t, []string{`["before"]`, `["all",1]`, `["x",2]`, `["z",3]`, `["r",4]`}, c.Received())
		require.Equal(t, []string{sid, "r", "x", "z"}, b.Rooms(sid))
	})
}

// An emit that has looked for its recipients when the session comes, and is published only after that, reaches
// the client, too.
func TestEmitWhileTheSessionArrives(t *testing.T) {
	for _, seated := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f, brokers := slowFleet(t, 2)
			b := f.Servers[1]
			c, release := underWay(t, f)
			block, done := make(chan struct{}), make(chan error, 2)
			b.AddHooks(socketio.Hooks{Emitted: func(e *socketio.Emission) {
				if e.Event == "blocked" {
					<-block
				}
			}})
			go func() { done <- b.Emit("blocked", 1) }()
			go func() { done <- b.Emit("blocked", 2, socketio.To(c.SID)) }()
			synctest.Wait()
			flow := func() {}
			if !seated {
				flow = brokers[1].hold()
				require.NoError(t, b.Emit("before it arrives", nil))
			}
			release()
			close(block)
			require.NoError(t, <-done)
			require.NoError(t, <-done)
			flow()
			c.Answered()
			require.True(t, c.Recovered)
			want := []string{`["before"]`, `["blocked",1]`, `["blocked",2]`}
			if !seated {
				want = append(want, `["before it arrives"]`)
			}
			require.ElementsMatch(t, want, c.Received())
		})
	}
}
