package outgoing

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio/engineio/internal/wstest"
)

// messagesIn returns the WebSocket messages of a form, as the frames and as MessagesIn have them.
func messagesIn(t *testing.T, u *Unit, f Form) (messages []string) {
	ops, payloads := wstest.ParseFrames(t, u.WireIn(f))
	i := 0
	for p, binary := range u.MessagesIn(f) {
		op := finText
		if binary {
			op = finBinary
		}
		assert.Equal(t, []any{op, string(payloads[i])}, []any{ops[i], string(p)})
		if messages = append(messages, string(p)); binary {
			messages[i] = "binary " + messages[i]
		}
		i++
	}
	assert.Len(t, payloads, i)
	return messages
}

func TestFormsOfBinaryMessages(t *testing.T) {
	u := newUnit(`51-["e€"]`, []byte{1, 2, 3}, []byte{})
	assert.Equal(t, []string{`451-["e€"]`, "binary \x01\x02\x03", "binary "}, messagesIn(t, u, Current))
	assert.Equal(t, []string{`451-["e€"]`, "binary \x04\x01\x02\x03", "binary \x04"}, messagesIn(t, u, Typed))
	assert.Equal(t, []string{`451-["e€"]`, "b4AQID", "b4"}, messagesIn(t, u, Base64))
	assert.False(t, u.PlainText())

	assert.Equal(t, "x\x00\x01\x02\xff451-[\"e€\"]\x01\x04\xff\x04\x01\x02\x03\x01\x01\xff\x04", string(u.AppendOldPayload([]byte("x"), Typed, nil)))
	assert.Equal(t, `x10:451-["e€"]6:b4AQID2:b4`, string(u.AppendOldPayload([]byte("x"), Base64, nil)))

	alone := new(Unit)
	Init(alone, "", false, [][]byte{{9}})
	assert.Equal(t, []string{"binary \x04\x09"}, messagesIn(t, alone, Typed))
	assert.Equal(t, "6:b4CQ==", string(alone.AppendOldPayload(nil, Base64, nil)))
}

func TestFormsOfText(t *testing.T) {
	u := newUnit("a€")
	for _, f := range []Form{Current, Typed, Base64} {
		assert.Same(t, &u.wire[0], &u.WireIn(f)[0], "text is the same for everybody")
		assert.Equal(t, []string{"4a€"}, messagesIn(t, u, f))
	}
	assert.False(t, u.PlainText())
	assert.True(t, newUnit("a").PlainText())
	assert.Equal(t, "3:4a€", string(u.AppendOldPayload(nil, Base64, nil)))
	assert.Equal(t, "\x00\x05\xff4a€", string(u.AppendOldPayload(nil, Typed, nil)))
}

// A form is made once, however many connections ask for it at a time.
func TestFormsAreShared(t *testing.T) {
	u := newUnit("a", make([]byte, 100))
	wires := make([][]byte, 8)
	var all sync.WaitGroup
	for i := range wires {
		all.Go(func() { wires[i] = u.WireIn(Typed) })
	}
	all.Wait()
	for _, wire := range wires {
		assert.Same(t, &wires[0][0], &wire[0])
	}
	for _, f := range []Form{Typed, Base64} {
		payload := &u.oldForms().payloads[f]
		u.AppendOldPayload(nil, f, nil)
		first := &payload.bytes[0]
		u.AppendOldPayload(nil, f, nil)
		assert.Same(t, first, &payload.bytes[0])
	}
}

// Only the text of messages is written in ASCII: what else there is has no form of its own.
func TestASCII(t *testing.T) {
	ascii := func(dst, text []byte) []byte { return append(dst, "ASCII"...) }
	for _, tt := range []struct {
		u    *Unit
		want string
	}{{newUnit("é"), "6:4ASCII"}, {newUnit("e"), "2:4e"}, {NewPacket("3é"), "2:3é"}} {
		assert.Equal(t, tt.want, string(tt.u.AppendOldPayload(nil, Base64, ascii)))
	}
}
