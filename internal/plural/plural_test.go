package plural

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOf(t *testing.T) {
	require.Equal(t, "0 clients", Of(0, "client"))
	require.Equal(t, "1 client", Of(1, "client"))
	require.Equal(t, "2 clients", Of(uint64(2), "client"))
}
