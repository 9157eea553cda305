package wire

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimersRunInOrder(t *testing.T) {
	l, err := NewLoop("127.0.0.1:1")
	require.NoError(t, err)
	defer l.Close()
	var order []int
	for _, ms := range []int{3, 1, 2} {
		l.After(time.Duration(ms)*time.Millisecond, func() { order = append(order, ms) })
	}
	require.NoError(t, l.RunUntil(func() bool { return len(order) == 3 }))
	require.Equal(t, []int{1, 2, 3}, order)
}
