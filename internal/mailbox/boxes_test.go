package mailbox

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// The jobs of one key are done in order, those of different keys beside one another, and no box is left over.
func TestBoxesByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws, l := NewWorkers[*errand](), new(log)
		var boxes Boxes[string, *errand]
		open := make(chan bool)
		put := func(key string, v any, wait bool) {
			boxes.Put(ws, key, &errand{do: func() {
				defer boxes.Done(key)
				if wait {
					<-open
				}
				l.add(v)
			}})
		}
		put("a", 1, true)
		put("a", 2, false)
		put("b", 3, false)
		synctest.Wait()
		require.Equal(t, []any{3}, l.take())
		require.Equal(t, 1, boxes.Len())
		open <- true
		synctest.Wait()
		require.Equal(t, []any{1, 2}, l.take())
		require.Zero(t, boxes.Len())
		put("a", 4, false)
		synctest.Wait()
		require.Equal(t, []any{4}, l.take())
		require.Zero(t, boxes.Len())
	})
}
