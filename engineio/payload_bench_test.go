package engineio

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func benchServer(b *testing.B) *Server {
	s, err := NewServer(&Options{OnConnect: func(*Conn) (Receiver, error) { return ReceiverFuncs{}, nil }})
	require.NoError(b, err)
	return s
}

// BenchmarkPayloadDecode is the body of a POST, by what is in it.
func BenchmarkPayloadDecode(b *testing.B) {
	text := `42["my_event","hello"]`
	for _, bench := range []struct{ name, body string }{
		{"text", text},
		{"16 texts", strings.Repeat(text+"\x1e", 15) + text},
		{"binary 256", string(BinaryFrames(make([]byte, 256)).unit.Payload())},
		{"binary 64k", string(BinaryFrames(make([]byte, 64<<10)).unit.Payload())},
	} {
		b.Run(bench.name, func(b *testing.B) {
			c := newConn(benchServer(b), httptest.NewRequest("POST", "/", nil), "id", Polling, revision4)
			c.receiver = ReceiverFuncs{}
			body := []byte(bench.body)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.receivePayload(c.poll, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPayloadEncode is the answer to a poll, by what is queued: shared with
// other clients, whose form of it is made once, or of this one only.
func BenchmarkPayloadEncode(b *testing.B) {
	text := `2["my_event","hello"]`
	blob := make([]byte, 256)
	for _, bench := range []struct {
		name  string
		count int
		make  func() *Frames
	}{
		{"text", 1, func() *Frames { return TextFrames(text) }},
		{"16 texts", 16, func() *Frames { return TextFrames(text) }},
		{"binary 256", 1, func() *Frames { return BinaryFrames(blob) }},
	} {
		for _, shared := range []bool{false, true} {
			name := bench.name
			if shared {
				name += ", shared"
			}
			b.Run(name, func(b *testing.B) {
				s := benchServer(b)
				s.opts.DisableHTTPCompression = true
				r := httptest.NewRequest("GET", "/", nil)
				var a pollAnswer
				for range bench.count {
					a.batch = append(a.batch, &bench.make().unit)
				}
				w := &discarding{header: http.Header{}}
				b.ReportAllocs()
				for b.Loop() {
					if !shared {
						for i := range a.batch {
							a.batch[i] = &bench.make().unit
						}
					}
					if err := s.writePayload(nil, nil, revision4, w, r, a); err != nil {
						b.Fatal(err)
					}
				}
				require.NotZero(b, w.n)
			})
		}
	}
}

type discarding struct {
	header http.Header
	n      int
}

func (d *discarding) Header() http.Header              { return d.header }
func (d *discarding) WriteHeader(int)                  {}
func (d *discarding) Write(p []byte) (int, error)      { d.n += len(p); return len(p), nil }
func (d *discarding) SetReadDeadline(time.Time) error  { return nil }
func (d *discarding) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkFrames is a message framed once for everybody.
func BenchmarkFrames(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 64 << 10} {
		blob := bytes.Repeat([]byte{1}, size)
		b.Run(fmt.Sprint("text ", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = TextFrames(blob)
			}
		})
		b.Run(fmt.Sprint("binary ", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = TextFrames([]byte(`51-["e",{"_placeholder":true,"num":0}]`), blob)
			}
		})
	}
}
