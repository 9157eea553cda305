package loadgen

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
)

// All messages in flight have to be equally long, because runs of them are cut
// out of one buffer.
func TestEchoFrames(t *testing.T) {
	for _, event := range []string{"echo", "json", "binary"} {
		e := newEcho(32, event)
		require.Len(t, e.frames, 64*e.size)
		for i := range 64 {
			one := e.frames[i*e.size : (i+1)*e.size]
			if event == "binary" {
				one = one[:e.size-6-64]
			}
			require.EqualValues(t, 0x80|wire.OpText, one[0])
			head := 6
			if one[1]&0x7f == 126 {
				head += 2
			}
			var payload []byte
			for j, c := range one[head:] {
				payload = append(payload, c^one[head-4+j%4])
			}
			require.Contains(t, string(payload), fmt.Sprintf("%d[%q,", firstID+i%32, event))
		}
	}
}
