package bufpool_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio/engineio/internal/bufpool"
)

func TestPool(t *testing.T) {
	bufpool.Put(nil)
	large := make([]byte, bufpool.Max+1)
	bufpool.Put(&large)
	for range 100 {
		b := bufpool.Get()
		assert.LessOrEqual(t, cap(*b), bufpool.Max)
		*b = append((*b)[:0], "used"...)
		bufpool.Put(b)
	}
}
