package socketio

import (
	"encoding/json"
	"testing"

	"github.com/seed-d124fa34/socketio/parser"
)

// BenchmarkCall is a handler called with one decoded argument, by shape.
func BenchmarkCall(b *testing.B) {
	type message struct {
		Room string `json:"room"`
		Data string `json:"data"`
		N    int    `json:"n"`
	}
	for _, bench := range []struct {
		name string
		fn   any
	}{
		{"none", func(c *Context) error { return nil }},
		{"raw", func(c *Context, r json.RawMessage) error { return nil }},
		{"any", func(c *Context, v any) error { return nil }},
		{"generic", Func(func(c *Context, m message) error { return nil })},
		{"reflect", func(c *Context, m message) error { return nil }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			h, err := compile(kindEvent, bench.fn)
			if err != nil {
				b.Fatal(err)
			}
			dec := parser.New(nil).NewDecoder(parser.Limits{})
			p, _, err := dec.Decode([]byte(`2["e",{"room":"lobby","data":"hello","n":7}]`), false)
			if err != nil {
				b.Fatal(err)
			}
			c := &Context{event: p.Event, args: p.Args}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h(c, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
