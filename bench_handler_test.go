package socketio

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/shape"
	"github.com/seed-d124fa34/socketio/parser"
)

type benchMessage struct {
	Room string `json:"room"`
	Data string `json:"data"`
	N    int    `json:"n"`
}

const benchObject = `{"room":"lobby","data":"hello","n":7}`

// BenchmarkHandler is a handler of each shape called with its arguments decoded.
func BenchmarkHandler(b *testing.B) {
	for _, bench := range []struct {
		name, args string
		fn         any
	}{
		{"none", ``, func(*Context) error { return nil }},
		{"string", `,"hello"`, func(*Context, string) error { return nil }},
		{"string to string", `,"hello"`, func(_ *Context, s string) (string, error) { return s, nil }},
		{"int", `,42`, func(*Context, int) error { return nil }},
		{"float64", `,42.5`, func(*Context, float64) error { return nil }},
		{"bool", `,true`, func(*Context, bool) error { return nil }},
		{"bytes", `,{"_placeholder":true,"num":0}`, func(*Context, []byte) error { return nil }},
		{"RawMessage", `,` + benchObject, func(*Context, json.RawMessage) error { return nil }},
		{"any", `,` + benchObject, func(*Context, any) error { return nil }},
		{"map", `,` + benchObject, func(*Context, map[string]any) error { return nil }},
		{"string string", `,"hello","world"`, func(_ *Context, _, _ string) error { return nil }},
		{"int int to int", `,1,2`, func(_ *Context, a, b int) (int, error) { return a + b, nil }},
		{"string bytes", `,"hello",{"_placeholder":true,"num":0}`, func(*Context, string, []byte) error { return nil }},
		{"Func", `,` + benchObject, Func(func(*Context, benchMessage) error { return nil })},
		{"FuncAck", `,` + benchObject, FuncAck(func(_ *Context, m benchMessage) (benchMessage, error) { return m, nil })},
		{"reflect", `,` + benchObject, func(*Context, benchMessage) error { return nil }},
		{"reflect 3", `,"hello",42,true`, func(*Context, string, int, bool) error { return nil }},
		{"variadic", `,"a","b","c"`, func(*Context, ...string) error { return nil }},
		{"HandlerFunc Bind", `,` + benchObject, HandlerFunc(func(c *Context) (Args, error) {
			var m benchMessage
			return nil, c.Bind(&m)
		})},
		{"HandlerFunc Args", `,"hello",42`, HandlerFunc(func(c *Context) (Args, error) { return c.Args(), nil })},
	} {
		b.Run(bench.name, func(b *testing.B) {
			h, err := compile(shape.Event, bench.fn)
			require.NoError(b, err)
			p := benchPacket(b, bench.args)
			c := &Context{event: p.Event, args: p.Args, details: new(contextDetails)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.call(c, c.input(false)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchPacket decodes an event whose attachment, if it has one, is 64 bytes.
func benchPacket(b *testing.B, args string) parser.Packet {
	dec := parser.New(nil).NewDecoder(parser.Limits{})
	p, ok, err := dec.Decode([]byte(`2["e"`+args+`]`), false)
	require.NoError(b, err)
	require.True(b, ok)
	if p.Args.Len() > 0 {
		var raw json.RawMessage
		if err := p.Args.Bind(p.Args.Len()-1, &raw); err == nil && len(raw) > 2 && raw[2] == '_' {
			_, _, err := dec.Decode([]byte(`51-["e"`+args+`]`), false)
			require.NoError(b, err)
			p, ok, err = dec.Decode(make([]byte, 64), true)
			require.NoError(b, err)
			require.True(b, ok)
		}
	}
	return p
}

// BenchmarkEvent is an event from its packet to the end of its handler, one at a
// time: decoded, queued, bound, handled on a goroutine of its own.
func BenchmarkEvent(b *testing.B) {
	for _, bench := range []struct {
		name, packet string
		fn           func(handled chan<- struct{}) any
	}{
		{"none", `2["e"]`, func(handled chan<- struct{}) any {
			return func(*Context) { handled <- struct{}{} }
		}},
		{"string", `2["e","hello"]`, func(handled chan<- struct{}) any {
			return func(*Context, string) { handled <- struct{}{} }
		}},
		{"struct", `2["e",` + benchObject + `]`, func(handled chan<- struct{}) any {
			return Func(func(*Context, benchMessage) error { handled <- struct{}{}; return nil })
		}},
		{"middleware", `2["e","hello"]`, func(handled chan<- struct{}) any {
			return HandlerFunc(func(c *Context) (Args, error) { handled <- struct{}{}; return nil, nil })
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r := newRig(b, 1)
			handled := make(chan struct{})
			r.srv.On("e", bench.fn(handled))
			if bench.name == "middleware" {
				r.srv.Use(func(next HandlerFunc) HandlerFunc {
					return func(c *Context) (Args, error) { return next(c) }
				})
			}
			packet := []byte(bench.packet)
			b.ReportAllocs()
			for b.Loop() {
				r.receive(r.sockets[0], packet)
				<-handled
			}
		})
	}
}
