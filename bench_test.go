package socketio_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

type benchMessage struct {
	Room string `json:"room"`
	Data string `json:"data"`
	N    int    `json:"n"`
}

const benchArgs = `{"room":"lobby","data":"hello","n":7}`

// BenchmarkEcho is an event and its acknowledgement, one at a time, by handler shape.
func BenchmarkEcho(b *testing.B) {
	for _, bench := range []struct {
		name string
		h    any
	}{
		{"none", func(c *socketio.Context) error { return nil }},
		{"any", func(c *socketio.Context, v any) (any, error) { return v, nil }},
		{"generic", socketio.FuncAck(func(c *socketio.Context, m benchMessage) (benchMessage, error) { return m, nil })},
		{"reflect", func(c *socketio.Context, m benchMessage) (benchMessage, error) { return m, nil }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			srv := siotest.NewServer(b, nil)
			srv.On("e", bench.h)
			p := siotest.Join(b, srv, eiotest.WebSocket)
			b.ReportAllocs()
			for b.Loop() {
				p.Send(`21["e",` + benchArgs + `]`)
				p.Next()
			}
		})
	}
}
