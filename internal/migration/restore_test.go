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

// Close ends what waits to be restored.
func TestCloseWhileRestoring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a")
		a := n.servers["a"]
		a.written = map[recovery.Key]*Session{}
		done := 0
		for i := range byte(3) {
			key := testKey(i)
			a.write(key, "lost")
			require.True(t, a.Fetch(key, "gone", n.counter(&done)))
		}
		time.Sleep(2 * broadPause)
		synctest.Wait()
		n.close()
		assert.Equal(t, 3, done)
	})
}
