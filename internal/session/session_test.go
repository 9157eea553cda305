package session_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/session"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestMethods(t *testing.T) {
	var s session.Session
	require.Nil(t, s.Get("x"))
	require.Empty(t, s.Values())
	s.Delete("x")
	s.Set("x", "text")
	require.Equal(t, "text", s.Get("x"))
	require.Equal(t, 2, s.Add("x", 2))
	s.Set("x", 3.0)
	require.Equal(t, 5, s.Add("x", 2))
	s.Set("x", int64(4))
	require.Equal(t, 3, s.Add("x", -1))
	require.Equal(t, "3?", s.Update("x", func(old any) any { require.Equal(t, 3, old); return "3?" }))
	values := s.Values()
	values["x"] = "changed"
	v, ok := session.Value[string](&s, "x")
	require.Equal(t, "3?", v)
	require.True(t, ok)
	_, ok = session.Value[int](&s, "x")
	require.False(t, ok)
	s.Delete("x")
	require.Nil(t, s.Get("x"))
}

func TestConcurrentChanges(t *testing.T) {
	var s session.Session
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				s.Add("added", 1)
				s.Update("updated", func(old any) any {
					n, _ := old.(int)
					return n + 1
				})
				s.Values()
			}
		})
	}
	wg.Wait()
	require.Equal(t, map[string]any{"added": 4000, "updated": 4000}, s.Values())
}
