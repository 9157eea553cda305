package socketio_test

import (
	"fmt"
	"testing"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

type benchMessage struct {
	Room string `json:"room"`
	Data string `json:"data"`
	N    int    `json:"n"`
}

const benchArgs = `{"room":"lobby","data":"hello","n":7}`

// drain reads everything a client is sent.
func drain(p *peer) {
	go func() {
		for {
			if _, err := p.c.Receive(p.t.Context()); err != nil {
				return
			}
		}
	}()
}

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
			srv := newServer(b, nil)
			srv.On("e", bench.h)
			p := join(b, srv, eiotest.WebSocket)
			b.ReportAllocs()
			for b.Loop() {
				p.send(`21["e",` + benchArgs + `]`)
				p.next()
			}
		})
	}
}

func BenchmarkEmitToOne(b *testing.B) {
	srv := newServer(b, &socketio.Options{SendQueueLimit: 1 << 30})
	p := join(b, srv, eiotest.WebSocket)
	s := srv.Socket(p.sid)
	drain(p)
	m := benchMessage{"lobby", "hello", 7}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Emit("e", m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			srv := newServer(b, &socketio.Options{SendQueueLimit: 1 << 30})
			for range n {
				drain(join(b, srv, eiotest.WebSocket))
			}
			m := benchMessage{"lobby", "hello", 7}
			b.ReportAllocs()
			for b.Loop() {
				if err := srv.Emit("e", m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkJoinLeave(b *testing.B) {
	for _, others := range []int{0, 50} {
		b.Run(fmt.Sprint(others, " others"), func(b *testing.B) {
			srv := newServer(b, nil)
			for range others {
				_ = srv.JoinRoom(join(b, srv, eiotest.WebSocket).sid, "room")
			}
			s := srv.Socket(join(b, srv, eiotest.WebSocket).sid)
			b.ReportAllocs()
			for b.Loop() {
				_ = s.Join("room")
				s.Leave("room")
			}
		})
	}
}
