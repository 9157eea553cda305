package session_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/session"
)

type profile struct {
	Name string
	Tags []string
}

type explosive struct{}

func (explosive) MarshalJSON() ([]byte, error) { panic("boom") }

// move returns a session as another server gets it, and why values are missing.
func move(s *session.Session) (*session.Session, map[string]error) {
	values, missing := session.Encode(s)
	return session.Decode(values), missing
}

// The values of a session that has moved to another server have their types again when they are
// asked for with them, and can be used without.
func TestMovedSession(t *testing.T) {
	var before session.Session
	before.Set("count", int64(math.MaxInt32))
	before.Set("name", "ann")
	before.Set("profile", &profile{"Ann", []string{"x"}})
	before.Set("nothing", nil)
	before.Set("channel", make(chan int))
	before.Set("explosive", explosive{})
	s, missing := move(&before)
	require.Len(t, missing, 2)
	require.ErrorContains(t, missing["explosive"], "boom")
	require.NotNil(t, missing["channel"])

	require.Equal(t, map[string]any{
		"count": float64(math.MaxInt32), "name": "ann", "nothing": nil, "profile": map[string]any{"Name": "Ann", "Tags": []any{"x"}},
	}, s.Values())
	require.Equal(t, "ann", s.Get("name"))
	again, missing := move(s) // before anybody has asked for a type
	require.Empty(t, missing)
	require.Equal(t, s.Values(), again.Values())

	p, ok := session.Value[*profile](s, "profile")
	require.True(t, ok)
	require.Equal(t, &profile{"Ann", []string{"x"}}, p)
	same, ok := session.Value[*profile](s, "profile")
	require.True(t, ok)
	require.Same(t, p, same)
	require.Same(t, p, s.Get("profile"))
	_, ok = session.Value[int](s, "name")
	require.False(t, ok)
	name, ok := session.Value[string](s, "name")
	require.True(t, ok, "the wrong type before does not matter")
	require.Equal(t, "ann", name)
	count, ok := session.Value[int64](again, "count")
	require.True(t, ok)
	require.EqualValues(t, math.MaxInt32, count)

	require.Equal(t, math.MaxInt32, s.Add("count", 0))
	require.Equal(t, "ann!", again.Update("name", func(old any) any { return old.(string) + "!" }))
	again.Delete("profile")
	require.Nil(t, again.Get("profile"))
	_, ok = session.Value[string](again, "missing")
	require.False(t, ok)
	_, err := json.Marshal(again.Values())
	require.NoError(t, errors.Join(err))
}
