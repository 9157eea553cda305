package limits_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/race"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// crowd is many clients that read all they are sent, which has to be numbered without gaps.
type crowd struct {
	t        *testing.T
	clients  []*siotest.Peer
	done     sync.WaitGroup
	got      []atomic.Int64 // the last number, by client
	volatile atomic.Int64
}

func newCrowd(t *testing.T, srv *socketio.Server, n int) *crowd {
	c := &crowd{t: t, got: make([]atomic.Int64, n)}
	tr := eiotest.Serve(t, srv, nil)
	for i := range n {
		p := siotest.DialWith(t, srv, eiotest.Options{Mode: eiotest.WebSocket, Transport: tr})
		p.Connect("/")
		c.clients = append(c.clients, p)
		c.done.Go(func() { c.read(i, p) })
	}
	return c
}

func (c *crowd) read(i int, p *siotest.Peer) {
	for {
		m, err := p.Client.Receive(context.Background())
		if err != nil {
			return
		}
		if strings.HasPrefix(string(m.Data), `2["volatile"`) {
			c.volatile.Add(1)
			continue
		}
		var number int64
		_, err = fmt.Sscanf(string(m.Data), `2["e",%d,`, &number)
		if last := c.got[i].Swap(number); err != nil || number != last+1 {
			c.t.Errorf("client %d got %.30q after %d", i, m.Data, last)
		}
	}
}

// stalledClient connects and never reads. It returns its session id.
func stalledClient(t *testing.T, srv *socketio.Server, tr *eiotest.Transport) string {
	raw := &eiotest.Raw{Transport: tr, Path: "/socket.io/"}
	ws, _, err := raw.DialWS(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { ws.CloseNow() })
	before := siotest.SIDs(srv)
	require.NoError(t, ws.Write(t.Context(), websocket.MessageText, []byte("40")))
	synctest.Wait()
	known := map[string]bool{}
	for _, sid := range before {
		known[sid] = true
	}
	for _, sid := range siotest.SIDs(srv) {
		if !known[sid] {
			return sid
		}
	}
	require.FailNow(t, "not connected")
	return ""
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Among a thousand clients that read, one that does not is closed as a slow client: within the deadline, or as soon as
// more waits for it than the limit allows. Until then it takes no more memory than that, volatile events pass it by, and
// the others get every event, in order, at once. Its disconnect handler runs, once. The test is long because both ends
// are compared on the same thousand clients.
func TestOneStalledAmongAThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, timeout = 100_000, 5 * time.Second
		readers := 1000
		if race.Enabled {
			readers = 100
		}
		srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{SendQueueLimit: limit}, WriteTimeout: timeout, PingInterval: time.Hour}) // no pings among the volatile events
		var rec siotest.Record
		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s %s", c.ID(), why) })
		c := newCrowd(t, srv, readers)
		narrow := eiotest.Serve(t, srv, &eiotest.TransportOptions{ToClient: 10_000})

		var sent, most int64
		broadcast := func(size int) {
			sent++
			require.NoError(t, srv.Emit("e", socketio.Args{sent, strings.Repeat("x", size)}))
			synctest.Wait() // no time passes: whoever waits for the stalled client shows
			for i := range c.got {
				require.Equal(t, sent, c.got[i].Load(), "client %d", i)
			}
			most = max(most, srv.Stats().QueuedBytes)
		}
		volatile := func() (dropped int64) {
			t.Helper()
			before := c.volatile.Load()
			was := srv.Stats().VolatileDropped
			require.NoError(t, srv.Emit("volatile", 1, socketio.Volatile()))
			synctest.Wait()
			require.EqualValues(t, readers, c.volatile.Load()-before)
			return int64(srv.Stats().VolatileDropped - was)
		}

		// By the deadline: little is sent, and the network takes none of it.
		stalled := stalledClient(t, srv, narrow)
		require.Zero(t, volatile(), "not stalled yet")
		base := heap()
		var began time.Time
		for srv.Socket(stalled) != nil {
			broadcast(1000)
			if began.IsZero() && srv.Stats().QueuedBytes > 0 {
				began = time.Now()
				require.EqualValues(t, 1, volatile())
			}
			time.Sleep(500 * time.Millisecond)
			require.Less(t, sent, int64(100), "the stalled client is still there")
		}
		took := time.Since(began)
		require.GreaterOrEqual(t, took, timeout)
		require.LessOrEqual(t, took, 3*timeout+500*time.Millisecond)
		rec.Want(t, stalled+" slow client")
		require.Less(t, most, int64(limit))
		require.EqualValues(t, 1, srv.Stats().LimitHits["WriteTimeout"])

		// By the limit: much is sent at once.
		stalled = stalledClient(t, srv, narrow)
		began, most = time.Now(), 0
		for srv.Socket(stalled) != nil {
			broadcast(20_000)
			require.Less(t, sent, int64(200), "the stalled client is still there")
		}
		require.Zero(t, time.Since(began))
		rec.Want(t, stalled+" slow client")
		require.Greater(t, most, int64(limit/2), "the limit was not what was tested")
		require.LessOrEqual(t, most, int64(limit+20_100))
		require.EqualValues(t, 1, srv.Stats().LimitHits["SendQueueLimit"])

		time.Sleep(2 * timeout) // the write under way is given up
		st := srv.Stats()
		require.EqualValues(t, 2, st.Closed[socketio.ReasonSlowClient])
		require.Equal(t, readers, st.WebSocket)
		require.Zero(t, st.QueuedBytes)
		require.Zero(t, volatile())
		grown := int64(heap()) - int64(base)
		t.Logf("%d broadcasts, %d bytes queued at most, heap %+d bytes", sent, most, grown)
		require.Less(t, grown, int64(readers*2048), "heap")

		for _, p := range c.clients {
			p.Client.Abort()
		}
		c.done.Wait()
		synctest.Wait()
		require.Len(t, rec.Take(), readers)
	})
}
