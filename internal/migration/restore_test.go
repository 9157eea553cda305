package migration

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// Sessions that come at the same time are restored together. Those that come while others are restored are
// restored together after them.
func TestRestoreTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a")
		defer n.close()
		a := n.servers["a"]
		a.written = make(map[recovery.Key]*Session)
		var done [17]int
		fetch := func(i byte, sid string) {
			key := testKey(i)
			a.write(key, sid)
			require.True(t, a.Fetch(key, "gone", n.counter(&done[i])))
			time.Sleep(2 * broadPause) // all servers are asked, one session after the other
			synctest.Wait()
		}
		block := make(chan struct{})
		a.restoring = func() { <-block }
		for i := range byte(5) {
			fetch(i, fmt.Sprint(i))
		}
		time.Sleep(gatherTime)
		synctest.Wait()
		require.Equal(t, []int{5}, a.restored)
		for i := byte(5); i < 15; i++ { // too late for that
			fetch(i, fmt.Sprint(i))
		}
		fetch(15, "lost")
		require.True(t, a.Fetch(testKey(16), "gone", n.counter(&done[16])), "nobody has written it")
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, [17]int{16: 1}, done)
		assert.Equal(t, []int{5}, a.restored)
		close(block)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, []int{5, 11}, a.restored)
		assert.Len(t, a.sessions, 15)
		for i, times := range done {
			assert.Equal(t, 1, times, i)
		}
	})
}

// What does not fit is restored later, and in the end everything is.
func TestRestoreLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a")
		defer n.close()
		a := n.servers["a"]
		a.written, a.atOnce = make(map[recovery.Key]*Session), 4
		done := 0
		for i := range byte(10) {
			key := testKey(i)
			a.write(key, fmt.Sprint(i))
			require.True(t, a.Fetch(key, "gone", n.counter(&done)))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, []int{10, 6, 2}, a.restored)
		assert.Equal(t, 10, done)
		assert.Len(t, a.sessions, 10)
	})
}

// What is being restored when the server ends can be restored by another one.
func TestCloseWhileRestoring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a")
		a := n.servers["a"]
		a.written, a.size = map[recovery.Key]*Session{}, 10
		done := 0
		for i := range byte(3) {
			key := testKey(i)
			a.write(key, fmt.Sprint(i))
			require.True(t, a.Fetch(key, "gone", n.counter(&done)))
		}
		time.Sleep(4 * broadPause)
		synctest.Wait()
		assert.Empty(t, a.written, "all are claimed")
		n.close()
		assert.Equal(t, 3, done)
		assert.Len(t, a.written, 3)
		assert.Zero(t, a.counted)
	})
}

// While the broker is away sessions are not lost, wherever they are on their way: they are restored when it is back, each
// once. Nobody else gets a session that a server has although it cannot be asked.
func TestRestoreDuringAnOutage(t *testing.T) {
	for _, outage := range []string{"before", "while the history is read", "while messages go round"} {
		t.Run(outage, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork("a", "b")
				defer n.close()
				a := n.servers["a"]
				a.written, a.size = make(map[recovery.Key]*Session), 10
				n.servers["b"].sessions[testKey(100)] = "alive"
				a.write(testKey(100), "what its server has written before")
				switch outage {
				case "before":
					a.away = true
				case "while the history is read":
					a.restoring = func() {
						a.restoring = nil
						a.setAway(true)
					}
				case "while messages go round":
					a.settling = func(sessions []*Session) bool {
						a.away = sessions[0].SID != "alive"
						return a.away
					}
				}
				var done [101]int
				for _, i := range []byte{0, 1, 2, 100} {
					if i < 100 {
						a.write(testKey(i), fmt.Sprint(i))
					}
					require.True(t, a.Fetch(testKey(i), "b", n.counter(&done[i])))
				}
				time.Sleep(10 * time.Second)
				n.mu.Lock()
				assert.Equal(t, [3]int{}, [3]int(done[:3]))
				a.away = false
				n.mu.Unlock()
				time.Sleep(5 * time.Second)
				synctest.Wait()
				n.mu.Lock()
				assert.Equal(t, [4]int{1, 1, 1, 1}, [4]int{done[0], done[1], done[2], done[100]})
				assert.Len(t, a.sessions, 4)
				assert.Equal(t, "alive", a.sessions[testKey(100)])
				assert.Zero(t, a.counted)
				n.mu.Unlock()
			})
		})
	}
}

// When the broker is away for too long, clients are answered, and what was claimed is given back.
func TestRestoreGivesUp(t *testing.T) {
	for _, claimed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork("a")
			defer n.close()
			a := n.servers["a"]
			a.written = make(map[recovery.Key]*Session)
			a.write(testKey(1), "sid")
			a.away = !claimed
			a.restoring = func() { a.setAway(true) }
			begin, done := time.Now(), make(chan struct{})
			require.True(t, a.Fetch(testKey(1), "gone", func() { close(done) }))
			<-done
			assert.InDelta(t, restoreTime, time.Since(begin), float64(2*time.Second))
			assert.False(t, a.Has(testKey(1)))
			assert.Contains(t, a.written, testKey(1))
		})
	}
}

// A session that was restored, but does not have all that was emitted meanwhile, is given back when the server ends or the broker
// stays away.
func TestRestoreIsCutBeforeItsEnd(t *testing.T) {
	for _, closed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork("a")
			defer n.close()
			a := n.servers["a"]
			a.written, a.size = make(map[recovery.Key]*Session), 10
			a.write(testKey(1), "sid")
			a.settling = func([]*Session) bool {
				a.away = true
				return true
			}
			done := make(chan struct{})
			require.True(t, a.Fetch(testKey(1), "gone", func() { close(done) }))
			time.Sleep(time.Second)
			if closed {
				a.Close()
			}
			<-done
			assert.False(t, a.Has(testKey(1)))
			n.mu.Lock()
			assert.Contains(t, a.written, testKey(1))
			assert.Zero(t, a.counted)
			n.mu.Unlock()
		})
	}
}

// What is claimed at once is bounded in bytes, and leaves the most of the budget to other sessions.
func TestClaimsAreBounded(t *testing.T) {
	for _, c := range []struct{ budget, most int64 }{{0, maxClaimed}, {1 << 30, maxClaimed}, {8 << 20, 2 << 20}, {1000, MaxClaim}} {
		t.Run(fmt.Sprint(c.budget), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				a := n.add("a", c.budget)
				defer n.close()
				const many = 200
				a.written, a.size = make(map[recovery.Key]*Session), MaxClaim
				a.restoring = func() {
					a.restoring = nil
					time.Sleep(time.Second) // meanwhile all others come
				}
				done := 0
				for i := range byte(many) {
					a.write(testKey(i), fmt.Sprint(i))
					require.True(t, a.Fetch(testKey(i), "gone", n.counter(&done)))
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				assert.Equal(t, many, done)
				assert.Len(t, a.sessions, many)
				assert.LessOrEqual(t, a.most, c.most)
				assert.Greater(t, a.most, c.most/2)
				assert.Zero(t, a.counted)
			})
		})
	}
}
