package wsframe_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio/internal/wsframe"
)

// Lengths stand in their shortest form (RFC 6455, section 5.2).
func TestPutHeader(t *testing.T) {
	for _, tt := range []struct {
		size int
		want []byte
	}{
		{0, []byte{0x82, 0}},
		{125, []byte{0x82, 125}},
		{126, []byte{0x82, 126, 0, 126}},
		{1<<16 - 1, []byte{0x82, 126, 0xff, 0xff}},
		{1 << 16, binary.BigEndian.AppendUint64([]byte{0x82, 127}, 1<<16)},
		{1<<31 - 1, binary.BigEndian.AppendUint64([]byte{0x82, 127}, 1<<31-1)},
	} {
		b := make([]byte, wsframe.HeaderLen(tt.size))
		wsframe.PutHeader(b, wsframe.Fin|byte(wsframe.OpBinary), tt.size)
		assert.Equal(t, tt.want, b, "%d bytes", tt.size)
	}
}

func TestAppendClose(t *testing.T) {
	assert.Equal(t, []byte{0x88, 0}, wsframe.AppendClose(nil, wsframe.StatusNone))
	assert.Equal(t, []byte{'x', 0x88, 2, 0x03, 0xe9}, wsframe.AppendClose([]byte("x"), wsframe.StatusGoingAway))
}
