package engineio

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// An idle connection is small: what few connections need is behind pointers. The figures
// are size classes of Go's allocator, in which one field more costs up to 64 bytes.
func TestConnIsSmall(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the figures are for 64 bits")
	}
	assert.LessOrEqual(t, int(unsafe.Sizeof(Conn{})), 288)
	assert.LessOrEqual(t, int(unsafe.Sizeof(pollState{})), 192)
}
