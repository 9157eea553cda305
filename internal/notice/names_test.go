package notice

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNames(t *testing.T) {
	var n Names
	require.Equal(t, NewName, n.Look("/", "a"))
	require.Equal(t, OldName, n.Look("/", "a"))
	require.Equal(t, NewName, n.Look("/b", "a"))
	for i := range maxNames - 2 {
		require.Equal(t, NewName, n.Look("/", fmt.Sprint(i)))
	}
	require.Equal(t, TooManyNames, n.Look("/", "one more"))
	require.Equal(t, TooManyNames, n.Look("/", "one more"))
	require.Equal(t, OldName, n.Look("/", "a"))
}
