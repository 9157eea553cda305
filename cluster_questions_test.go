package socketio_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

const serversChannel = "flask-socketio#servers"

// filter is a Broker that loses what its function says, on the channel between
// servers.
type filter struct {
	socketio.Broker
	lose func(data []byte) bool
}

func (f filter) Publish(ctx context.Context, channel string, data []byte) error {
	if channel == serversChannel && f.lose(data) {
		return nil
	}
	return f.Broker.Publish(ctx, channel, data)
}

// lossy makes the next servers of a fleet lose messages. The function lose is called
// by one after the other.
func lossy(f *siotest.Fleet, lose func(data []byte) bool) {
	var mu sync.Mutex
	one := func(data []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		return lose(data)
	}
	f.Wrap = func(b socketio.Broker) socketio.Broker { return filter{b, one} }
}

func is(kind string, data []byte) bool { return bytes.Contains(data, []byte(`"is":"`+kind+`"`)) }

func serverName(srv *socketio.Server) string { return srv.Cluster().Servers()[0] }

func sorted(list ...string) []string { return slices.Sorted(slices.Values(list)) }

// soon is a context of ten seconds.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// wantMissing expects an error that names servers.
func wantMissing(t *testing.T, err, is error, servers ...*socketio.Server) {
	t.Helper()
	var failed *socketio.ClusterError
	require.ErrorAs(t, err, &failed)
	require.ErrorIs(t, err, is)
	var names []string
	for _, srv := range servers {
		names = append(names, serverName(srv))
	}
	require.Equal(t, sorted(names...), sorted(failed.Missing...))
}

// wantAnswers asks a server about six sockets, of which the first four are in the room r, and about another one in
// the namespace /other.
func wantAnswers(t *testing.T, ctx context.Context, srv *socketio.Server, sids []string, other string) {
	t.Helper()
	c := srv.Cluster()
	got, err := c.Members(ctx, "r")
	require.NoError(t, err)
	require.Equal(t, sorted(sids[:4]...), sorted(got...))
	got, err = c.SIDs(ctx)
	require.NoError(t, err)
	require.Equal(t, sorted(sids...), sorted(got...))
	got, err = c.Members(ctx, sids[5])
	require.NoError(t, err)
	require.Equal(t, sids[5:], got)
	count, err := c.CountRoom(ctx, "r")
	require.NoError(t, err)
	require.Equal(t, 4, count)
	count, err = c.CountRoom(ctx, "nobody")
	require.NoError(t, err)
	require.Zero(t, count)
	count, err = srv.Namespace("/other").Cluster().Count(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, count)
	for _, sid := range sids[2:5] {
		rooms, err := c.Rooms(ctx, sid)
		require.NoError(t, err)
		require.Equal(t, sid != sids[4], slices.Contains(rooms, "r"))
		ok, err := c.Connected(ctx, sid)
		require.NoError(t, err)
		require.True(t, ok)
	}
	_, err = c.Rooms(ctx, other)
	require.ErrorIs(t, err, socketio.ErrUnknownSocket)
	ok, err := c.Connected(ctx, other)
	require.NoError(t, err)
	require.False(t, ok)
}

// The same questions, to one server without a broker and to three.
func TestClusterAnswers(t *testing.T) {
	for _, n := range []int{0, 1, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &siotest.Fleet{T: t}
				if n == 0 {
					f.Servers = []*socketio.Server{siotest.NewServer(t, nil)}
				} else {
					f = siotest.NewFleet(t, n, nil)
				}
				last := f.Servers[len(f.Servers)-1]
				last.Namespace("/other").On("x", func(*socketio.Context) {})
				var peers []*siotest.Peer
				var sids []string
				for i := range 6 {
					p := siotest.Join(t, f.Servers[i%len(f.Servers)], eiotest.WebSocket)
					peers, sids = append(peers, p), append(sids, p.SID)
				}
				other := siotest.Join(t, last, eiotest.WebSocket, "/other")
				for _, i := range []int{0, 1, 2, 3} {
					require.NoError(t, f.Servers[0].JoinRoom(sids[i], "r"))
				}
				synctest.Wait()
				ctx := soon(t)
				for _, srv := range f.Servers {
					require.Len(t, srv.Cluster().Servers(), len(f.Servers))
					wantAnswers(t, ctx, srv, sids, other.SID)
				}
				c := f.Servers[0].Cluster()
				moved, err := c.MoveRoom(ctx, "r", "s")
				require.NoError(t, err)
				require.Equal(t, 4, moved)
				count, _ := c.CountRoom(ctx, "r")
				require.Zero(t, count)
				moved, err = c.JoinAll(ctx, "all")
				require.NoError(t, err)
				require.Equal(t, 6, moved)
				_, err = c.MoveRoom(ctx, "s", "")
				require.ErrorIs(t, err, socketio.ErrRoomName)
				gone, err := last.Cluster().DisconnectRoom(ctx, "s")
				require.NoError(t, err)
				require.Equal(t, 4, gone)
				for _, p := range peers[:4] {
					p.Want("1")
				}
				synctest.Wait()
				left, err := c.Members(ctx, "all")
				require.NoError(t, err)
				require.Equal(t, sorted(sids[4:]...), sorted(left...))
				for _, srv := range f.Servers {
					if n > 0 {
						require.Zero(t, srv.BrokerStatus().Ignored)
					}
				}
			})
		})
	}
}

func TestClusterQuestionsThatCannotBeAsked(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		for _, srv := range []*socketio.Server{f.Servers[0], siotest.NewServer(t, nil)} {
			done, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := srv.Cluster().Count(done)
			require.ErrorIs(t, err, context.Canceled)
			_, err = srv.Namespace("*").Cluster().Count(t.Context())
			require.ErrorContains(t, err, "namespace *")
			_, err = srv.Namespace("a,b").Cluster().Count(t.Context())
			require.ErrorContains(t, err, "comma")
		}
	})
}

// Messages that are lost are sent again, and nothing is counted or done twice.
func TestClusterLostMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := map[string]int{}
		f := &siotest.Fleet{T: t, Service: siotest.NewFleet(t, 0, nil).Service}
		var active atomic.Bool
		lose := func(data []byte) bool {
			for _, kind := range []string{"ask", "answer"} {
				if active.Load() && is(kind, data) && lost[kind] < 1 {
					lost[kind]++
					return true
				}
			}
			return false
		}
		lossy(f, lose)
		f.Add(nil)
		f.Add(nil)
		p := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		require.NoError(t, f.Servers[1].JoinRoom(p.SID, "r"))
		c := f.Servers[0].Cluster()
		time.Sleep(3 * time.Second)
		active.Store(true)
		count, err := c.Count(soon(t))
		require.NoError(t, err)
		require.Equal(t, 1, count)
		require.Equal(t, map[string]int{"ask": 1, "answer": 1}, lost)
		clear(lost)
		moved, err := c.MoveRoom(soon(t), "r", "s")
		require.NoError(t, err)
		require.Equal(t, 1, moved)
		clear(lost)
		gone, err := c.DisconnectRoom(soon(t), "s")
		require.NoError(t, err)
		require.Equal(t, 1, gone)
		require.Equal(t, map[string]int{"ask": 1, "answer": 1}, lost)
		p.Want("1")
	})
}

// An answer that is bigger than brokers take comes in parts, of which none is
// missing.
func TestClusterBigAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := siotest.NewFleet(t, 1, nil)
		parts, biggest := 0, 0
		lossy(f, func(data []byte) bool {
			if !is("answer", data) {
				return false
			}
			parts++
			biggest = max(biggest, len(data))
			return parts == 3
		})
		f.Add(nil)
		p := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		want := []string{p.SID}
		for i := range 1000 {
			want = append(want, strings.Repeat("x", 1000)+fmt.Sprint(i))
			require.NoError(t, f.Servers[1].JoinRoom(p.SID, want[i+1]))
		}
		got, err := f.Servers[0].Cluster().Rooms(soon(t), p.SID)
		require.NoError(t, err)
		require.Equal(t, sorted(want...), sorted(got...))
		require.Greater(t, parts, 8)
		require.Less(t, biggest, 200<<10)
	})
}

// While the broker is away nobody is asked, and that is said.
func TestClusterWithoutBroker(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		p := siotest.Join(t, f.Servers[0], eiotest.WebSocket)
		time.Sleep(3 * time.Second)
		c := f.Servers[0].Cluster()
		f.Service.Stop()
		for range 2 {
			synctest.Wait()
			start := time.Now()
			got, err := c.SIDs(t.Context())
			wantMissing(t, err, socketio.ErrBrokerUnavailable, f.Servers[1])
			require.Zero(t, time.Since(start))
			require.Equal(t, []string{p.SID}, got)
			time.Sleep(time.Minute) // nobody is forgotten meanwhile
		}
		f.Service.Start()
		time.Sleep(10 * time.Second)
		count, err := c.Count(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, count)

		// It goes away while answers are waited for.
		lossy(f, func(data []byte) bool { return is("answer", data) })
		f.Add(nil)
		counted := make(chan error, 1)
		go func() {
			_, err := c.Count(t.Context())
			counted <- err
		}()
		synctest.Wait()
		start := time.Now()
		f.Service.Stop()
		wantMissing(t, <-counted, socketio.ErrBrokerUnavailable, f.Servers[2])
		require.Zero(t, time.Since(start))
		for _, srv := range f.Servers {
			require.Zero(t, srv.BrokerStatus().Dropped) // of messages for clients
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, srv := range f.Servers {
			require.NoError(t, srv.Shutdown(ctx))
		}
	})
}

// What arrives from elsewhere is counted, and servers of another version named.
func TestClusterForeignMessages(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		time.Sleep(3 * time.Second)
		b := f.Service.Connect()
		defer b.Close()
		garbage := []string{"", "x", "[]", `{"v":1}`, `{"v":1,"is":"here"}`, `{"v":1,"is":"what","host":"h"}`, `{"v":1,"is":"answer","host":"h"}`,
			`{"v":1,"is":"here","host":"` + strings.Repeat("h", 300) + `"}`, `{"v":1,"is":"ask","host":"h","id":-1}`, `{"v":"1","is":"here","host":"h"}`}
		for _, m := range garbage {
			require.NoError(t, b.Publish(t.Context(), serversChannel, []byte(m)))
		}
		synctest.Wait()
		require.EqualValues(t, len(garbage), f.Servers[0].BrokerStatus().Ignored)
		c := f.Servers[0].Cluster()
		require.Len(t, c.Servers(), 2)
		_, err := c.Count(soon(t))
		require.NoError(t, err)

		// An unknown question is answered with an error.
		got := make(chan string, 10)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go b.Subscribe(ctx, []string{serversChannel}, func() {}, func(_ string, data []byte) { got <- string(data) })
		synctest.Wait()
		require.NoError(t, b.Publish(t.Context(), serversChannel, []byte(`{"v":1,"is":"ask","host":"me","id":5,"question":{"do":"dance"}}`)))
		<-got
		require.Contains(t, <-got, `"error":"the server does not know the question`)
		require.NoError(t, b.Publish(t.Context(), serversChannel, []byte(`{"v":1,"is":"bye","host":"me"}`)))

		require.NoError(t, b.Publish(t.Context(), serversChannel, []byte(`{"v":2,"is":"here","host":"new","name":"newer","do":7}`)))
		synctest.Wait()
		_, err = c.Count(soon(t))
		var failed *socketio.ClusterError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, []string{"newer"}, failed.Missing)
		require.ErrorContains(t, err, "version")
	})
}
