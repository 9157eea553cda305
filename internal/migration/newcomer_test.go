package migration

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// A session that has come from another server gets no event twice.
func TestNewcomerHad(t *testing.T) {
	one, other := recovery.NewOffsets(), recovery.NewOffsets()
	first, confirmed, missed := one.Next(), one.Next(), one.Next()
	kept := other.Next()
	n := NewNewcomer(confirmed)
	n.Add(kept)
	require.True(t, n.Had(first), "the client had confirmed a later event of the same server")
	require.True(t, n.Had(confirmed))
	require.False(t, n.Had(missed))
	require.True(t, n.Had(kept))
	require.True(t, n.Keeps(kept))
	require.False(t, n.Keeps(confirmed))
	require.False(t, n.Had(other.Next()), "offsets of different servers have no order")

	n = NewNewcomer(recovery.Offset{})
	require.False(t, n.Had(first), "the client had confirmed nothing")
}

// A command about a room is older than what this server has done since.
func TestNewcomerOutdated(t *testing.T) {
	n := NewNewcomer(recovery.Offset{})
	require.False(t, n.Outdated("a"))
	n.Changed(map[string]bool{"a": true})
	n.Changed(map[string]bool{"b": true})
	require.True(t, n.Outdated("a"))
	require.True(t, n.Outdated("c", "b"))
	require.False(t, n.Outdated("c"))
	require.False(t, n.Outdated(""))
	require.False(t, n.Outdated())
}
