package websock

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/wstest"
)

// BenchmarkWebSocketRead reads messages that arrive 64 kB at a time.
func BenchmarkWebSocketRead(b *testing.B) {
	fragments := wstest.ClientFrame(1, strings.Repeat("x", 500))
	fragments = append(fragments, wstest.ClientFrame(0x80, strings.Repeat("x", 500))...)
	for _, bb := range []struct {
		name  string
		frame []byte
	}{
		{"text of 32 bytes", wstest.ClientFrame(0x81, strings.Repeat("x", 32))},
		{"text of 1 kB", wstest.ClientFrame(0x81, strings.Repeat("x", 1000))},
		{"text of 1 kB in two fragments", fragments},
		{"binary of 1 kB", wstest.ClientFrame(0x82, strings.Repeat("x", 1000))},
		{"text of 16 kB", wstest.ClientFrame(0x81, strings.Repeat("x", 16_000))},
		{"binary of 16 kB", wstest.ClientFrame(0x82, strings.Repeat("x", 16_000))},
		{"text of 1 MB", wstest.ClientFrame(0x81, strings.Repeat("x", 1_000_000))},
	} {
		b.Run(bb.name, func(b *testing.B) {
			client, server := wstest.TCPPair(b)
			defer client.Close()
			t := NewConn(server, &Options{WriteTimeout: time.Minute, Limit: 2 << 20, ControlRate: 1000}, nil)
			defer t.Close()
			n := max(64_000/len(bb.frame), 1)
			batch := bytes.Repeat(bb.frame, n)
			asked := make(chan bool, 1)
			defer close(asked)
			go func() {
				for range asked {
					_, _ = client.Write(batch)
				}
			}()
			b.ReportAllocs()
			left := 0
			for b.Loop() {
				if left == 0 {
					left = n
					asked <- true
				}
				if _, _, err := t.Next(); err != nil {
					b.Fatal(err)
				}
				left--
			}
		})
	}
}
