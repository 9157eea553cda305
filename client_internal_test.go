package socketio

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// A client that does nothing is small. The figures are size classes of Go's allocator, in
// which one field more costs up to 32 bytes.
func TestClientIsSmall(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the figures are for 64 bits")
	}
	assert.LessOrEqual(t, int(unsafe.Sizeof(Socket{})), 288)
	assert.LessOrEqual(t, int(unsafe.Sizeof(client{})), 224)
}
