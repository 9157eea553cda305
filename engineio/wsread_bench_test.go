package engineio

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"
)

// benchTransport returns the server's side of a connection and the client's.
func benchTransport(b *testing.B) (*wsTransport, net.Conn) {
	client, server := tcpPair(b)
	b.Cleanup(func() {
		client.Close()
		server.Close()
	})
	raw := rawConn(server)
	return newTransport(&wsConn{Conn: server, timeout: time.Minute, in: newInbox(server, raw, nil)}, 2<<20), client
}

// BenchmarkWebSocketRead is reading a message, as many at a time as go into 64 kB.
func BenchmarkWebSocketRead(b *testing.B) {
	fragments := clientFrame(1, strings.Repeat("x", 500))
	fragments = append(fragments, clientFrame(0x80, strings.Repeat("x", 500))...)
	for _, bb := range []struct {
		name  string
		frame []byte
	}{
		{"text of 32 bytes", clientFrame(finText, strings.Repeat("x", 32))},
		{"text of 1 kB", clientFrame(finText, strings.Repeat("x", 1000))},
		{"text of 1 kB in two fragments", fragments},
		{"binary of 1 kB", clientFrame(finBinary, strings.Repeat("x", 1000))},
		{"text of 16 kB", clientFrame(finText, strings.Repeat("x", 16_000))},
		{"binary of 16 kB", clientFrame(finBinary, strings.Repeat("x", 16_000))},
		{"text of 1 MB", clientFrame(finText, strings.Repeat("x", 1_000_000))},
	} {
		b.Run(bb.name, func(b *testing.B) {
			t, client := benchTransport(b)
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
				if _, _, err := t.next(); err != nil {
					b.Fatal(err)
				}
				left--
			}
		})
	}
}
