package websock

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// An idle WebSocket is small: what few need is behind pointers. The figure is a size
// class of Go's allocator.
func TestConnIsSmall(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the figure is for 64 bits")
	}
	assert.LessOrEqual(t, int(unsafe.Sizeof(Conn{})), 288)
}
