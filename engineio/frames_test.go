package engineio

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parseFrames reads unmasked, unfragmented frames as RFC 6455 has them.
func parseFrames(t *testing.T, wire []byte) (ops []byte, payloads [][]byte) {
	t.Helper()
	for len(wire) > 0 {
		require.GreaterOrEqual(t, len(wire), 2)
		size, header := uint64(wire[1]), 2
		require.Less(t, size, uint64(128), "the server must not mask")
		switch size {
		case 126:
			size, header = uint64(binary.BigEndian.Uint16(wire[2:])), 4
			require.GreaterOrEqual(t, size, uint64(126), "length in its shortest form")
		case 127:
			size, header = binary.BigEndian.Uint64(wire[2:]), 10
			require.GreaterOrEqual(t, size, uint64(1<<16), "length in its shortest form")
		}
		ops = append(ops, wire[0])
		payloads = append(payloads, wire[header:header+int(size)])
		wire = wire[header+int(size):]
	}
	return ops, payloads
}

func TestFramesOfTextAtEveryHeaderSize(t *testing.T) {
	for _, n := range []int{0, 1, 124, 125, 126, 1<<16 - 2, 1<<16 - 1, 1 << 16, 1<<16 + 1} {
		text := strings.Repeat("x", n)
		f := TextFrames(text)
		ops, payloads := parseFrames(t, f.wire)
		assert.Equal(t, []byte{finText}, ops, "%d bytes", n)
		assert.Equal(t, "4"+text, string(payloads[0]), "%d bytes", n)
		assert.Equal(t, "4"+text, string(f.pollPayload()), "%d bytes", n)
		assert.Equal(t, len(f.wire), f.size())
	}
}

func TestFramesOfTextWithAttachments(t *testing.T) {
	attachments := [][]byte{{1, 2, 3}, {}, bytes.Repeat([]byte{7}, 300), bytes.Repeat([]byte{8}, 70_000)}
	f := TextFrames(`54-["e"]`, attachments...)
	attachments[0][0] = 99 // the frames hold copies

	ops, payloads := parseFrames(t, f.wire)
	assert.Equal(t, []byte{finText, finBinary, finBinary, finBinary, finBinary}, ops)
	assert.Equal(t, `454-["e"]`, string(payloads[0]))
	assert.Equal(t, []byte{1, 2, 3}, payloads[1])
	assert.Empty(t, payloads[2])
	assert.Equal(t, attachments[2], payloads[3])
	assert.Equal(t, attachments[3], payloads[4])

	packets := strings.Split(string(f.pollPayload()), "\x1e")
	require.Len(t, packets, 5)
	assert.Equal(t, `454-["e"]`, packets[0])
	assert.Equal(t, "bAQID", packets[1])
	assert.Equal(t, "b", packets[2])
	assert.Equal(t, "b"+base64.StdEncoding.EncodeToString(attachments[2]), packets[3])
}

func TestFramesOfBinaryAlone(t *testing.T) {
	f := BinaryFrames([]byte{0, 255})
	ops, payloads := parseFrames(t, f.wire)
	assert.Equal(t, []byte{finBinary}, ops)
	assert.Equal(t, []byte{0, 255}, payloads[0])
	assert.Equal(t, "bAP8=", string(f.pollPayload()))
}

func TestFramesOfOtherPackets(t *testing.T) {
	for _, packet := range []string{"2", "0" + strings.Repeat("y", 200)} {
		f := packetFrames(packet)
		ops, payloads := parseFrames(t, f.wire)
		assert.Equal(t, []byte{finText}, ops)
		assert.Equal(t, packet, string(payloads[0]))
		assert.Equal(t, packet, string(f.pollPayload()))
	}
}
