package outgoing

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/wstest"
)

func newUnit(text string, binary ...[]byte) *Unit {
	u := new(Unit)
	Init(u, text, true, binary)
	return u
}

func TestUnitOfTextAtEveryHeaderSize(t *testing.T) {
	for _, n := range []int{0, 1, 124, 125, 126, 1<<16 - 2, 1<<16 - 1, 1 << 16, 1<<16 + 1} {
		text := strings.Repeat("x", n)
		f := newUnit(text)
		ops, payloads := wstest.ParseFrames(t, f.wire)
		assert.Equal(t, []byte{finText}, ops, "%d bytes", n)
		assert.Equal(t, "4"+text, string(payloads[0]), "%d bytes", n)
		assert.Equal(t, "4"+text, string(f.Payload()), "%d bytes", n)
		assert.Equal(t, len(f.wire), f.Size())
	}
}

func TestUnitOfTextWithAttachments(t *testing.T) {
	attachments := [][]byte{{1, 2, 3}, {}, bytes.Repeat([]byte{7}, 300), bytes.Repeat([]byte{8}, 70_000)}
	f := newUnit(`54-["e"]`, attachments...)
	attachments[0][0] = 99 // the frames hold copies

	ops, payloads := wstest.ParseFrames(t, f.wire)
	assert.Equal(t, []byte{finText, finBinary, finBinary, finBinary, finBinary}, ops)
	assert.Equal(t, `454-["e"]`, string(payloads[0]))
	assert.Equal(t, []byte{1, 2, 3}, payloads[1])
	assert.Empty(t, payloads[2])
	assert.Equal(t, attachments[2], payloads[3])
	assert.Equal(t, attachments[3], payloads[4])

	packets := strings.Split(string(f.Payload()), "\x1e")
	require.Len(t, packets, 5)
	assert.Equal(t, `454-["e"]`, packets[0])
	assert.Equal(t, "bAQID", packets[1])
	assert.Equal(t, "b", packets[2])
	assert.Equal(t, "b"+base64.StdEncoding.EncodeToString(attachments[2]), packets[3])
}

func TestUnitOfBinaryAlone(t *testing.T) {
	f := new(Unit)
	Init(f, "", false, [][]byte{{0, 255}})
	ops, payloads := wstest.ParseFrames(t, f.wire)
	assert.Equal(t, []byte{finBinary}, ops)
	assert.Equal(t, []byte{0, 255}, payloads[0])
	assert.Equal(t, "bAP8=", string(f.Payload()))
}

func TestUnitOfOtherPackets(t *testing.T) {
	for _, packet := range []string{"2", "0" + strings.Repeat("y", 200)} {
		f := NewPacket(packet)
		ops, payloads := wstest.ParseFrames(t, f.wire)
		assert.Equal(t, []byte{finText}, ops)
		assert.Equal(t, packet, string(payloads[0]))
		assert.Equal(t, packet, string(f.Payload()))
	}
}

// A unit with one more message is the messages of both, over WebSocket and polling.
func TestAppend(t *testing.T) {
	text := func(s string, binary ...string) *Unit {
		var all [][]byte
		for _, b := range binary {
			all = append(all, []byte(b))
		}
		u := new(Unit)
		Init(u, s, true, all)
		return u
	}
	binary := new(Unit)
	Init(binary, "", false, [][]byte{[]byte("bin"), []byte("more")})
	for name, tt := range map[string]struct {
		before, last *Unit
		payload      string
	}{
		"text":                  {text("one"), text("two"), "4one\x1e4two"},
		"text with attachments": {text("one", "a", "b"), text("two"), "4one\x1ebYQ==\x1ebYg==\x1e4two"},
		"binary, text":          {binary, text("two"), "bYmlu\x1ebbW9yZQ==\x1e4two"},
		"text, binary":          {text("one"), binary, "4one\x1ebYmlu"},
		"binary, binary":        {binary, binary, "bYmlu\x1ebbW9yZQ==\x1ebYmlu"},
	} {
		t.Run(name, func(t *testing.T) {
			u := new(Unit)
			Append(u, tt.before, tt.last)
			assert.Equal(t, tt.payload, string(u.Payload()))
			assert.Equal(t, tt.before.Count()+1, u.Count())
			assert.Equal(t, string(tt.before.Wire()), string(u.Wire()[:len(tt.before.Wire())]))
			assert.True(t, u.Compress())
			kinds, old := 0, 0
			for _, isBinary := range u.Messages {
				if isBinary {
					kinds++
				}
			}
			for range u.MessagesIn(Typed) {
				old++
			}
			assert.Equal(t, strings.Count("\x1e"+tt.payload, "\x1eb"), kinds)
			assert.Equal(t, u.Count(), old)
		})
	}
}
