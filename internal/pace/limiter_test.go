package pace_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio/internal/pace"
)

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l *pace.Limiter
		taken := func() (n int) {
			for pace.Allow(&l, 10, 2*time.Second) {
				n++
			}
			return n
		}
		assert.Equal(t, 20, taken(), "a burst")
		assert.Zero(t, taken())
		time.Sleep(time.Second)
		assert.Equal(t, 10, taken(), "what a second brings")
		time.Sleep(time.Hour)
		assert.Equal(t, 20, taken(), "no more than a burst after a pause")
	})
}
