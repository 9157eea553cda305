package instant_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio/engineio/internal/instant"
)

func TestInstant(t *testing.T) {
	test := func(t *testing.T) {
		before, now, after := time.Now(), instant.Now(), time.Now()
		assert.Positive(t, now)
		assert.GreaterOrEqual(t, now, instant.Of(before))
		assert.LessOrEqual(t, now, instant.Of(after))
		later := now.Add(time.Minute)
		assert.Greater(t, later, now)
		assert.Equal(t, time.Minute, later.Sub(now))
		assert.Equal(t, time.Minute, later.Time().Sub(now.Time()))
		assert.Zero(t, before.Sub(instant.Of(before).Time()))
		assert.Zero(t, instant.Of(time.Time{}))
		assert.True(t, instant.Instant(0).Time().IsZero())
	}
	t.Run("clock", test)
	t.Run("bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			test(t)
			begin := instant.Now()
			time.Sleep(time.Hour)
			assert.Equal(t, time.Hour, instant.Now().Sub(begin))
		})
	})
}
