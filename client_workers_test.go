package socketio_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// workerStacks returns how many goroutines of this bubble run or wait for handlers. Those of other tests' servers may
// linger.
func workerStacks() (n int) {
	stacks := make([]byte, 4<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, ", synctest bubble ") && strings.Contains(stack, "mailbox.(*Workers[") {
			n++
		}
	}
	return n
}

// Each handler that takes its time has a goroutine of its own; afterwards few of
// them wait for more, not for long, and not at all when everybody has left.
func TestWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		release := make(chan struct{})
		srv.On("wait", func(c *socketio.Context) {
			rec.Add("waits")
			<-release
		})
		srv.On("exit", func(c *socketio.Context) { runtime.Goexit() })
		var peers []*siotest.Peer
		const clients = 50
		for range clients {
			p := siotest.Join(t, srv, eiotest.WebSocket)
			peers = append(peers, p)
			p.Send(`2["wait"]`)
			p.Send(`2["exit"]`)
		}
		synctest.Wait()
		require.Len(t, rec.Take(), clients)
		require.Equal(t, clients, workerStacks())

		close(release)
		synctest.Wait()
		require.LessOrEqual(t, workerStacks(), runtime.GOMAXPROCS(0))
		for _, p := range peers { // they are taken again, and again
			p.Send(`2["wait"]`)
			synctest.Wait()
		}
		require.Positive(t, workerStacks())
		require.LessOrEqual(t, workerStacks(), runtime.GOMAXPROCS(0))
		require.Len(t, rec.Take(), clients)

		time.Sleep(socketio.WorkerLinger)
		synctest.Wait()
		require.Zero(t, workerStacks())

		peers[0].Send(`2["wait"]`)
		synctest.Wait()
		require.Equal(t, 1, workerStacks())
		for _, p := range peers {
			p.Send("1")
		}
		synctest.Wait()
		require.Zero(t, workerStacks())
	})
}

// In threading mode each client had three threads, and each event one more.
func TestDefectP1_IdleClientsHaveOneGoroutine(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		const clients = 20
		srv := siotest.NewServer(t, nil)
		srv.On("e", func(c *socketio.Context) int { return 1 })
		srv.Namespace("/a").On("x", func(c *socketio.Context) {})
		for range clients {
			p := siotest.Join(t, srv, mode, "/", "/a")
			p.Send(`21["e"]`)
			p.Want(`31[1]`)
		}
		time.Sleep(socketio.WorkerLinger) // those of the handlers are gone by then
		synctest.Wait()
		stacks := make([]byte, 4<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		ours := 0
		for stack := range strings.SplitSeq(string(stacks), "\n\n") {
			if strings.Contains(stack, "seed-d124fa34/socketio.") || strings.Contains(stack, "seed-d124fa34/socketio/engineio.") {
				ours++
			}
		}
		require.Equal(t, clients, ours) // the reader of a WebSocket, or the poll that waits
	})
}
