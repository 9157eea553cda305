package socketio

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/shape"
	"github.com/seed-d124fa34/socketio/parser"
)

// BenchmarkRelay is an event that comes in, is handled, and is encoded again for
// others, by what the handler takes its argument as.
func BenchmarkRelay(b *testing.B) {
	type blob struct {
		Room string `json:"room"`
		Data []byte `json:"data"`
	}
	srv := NewServer(nil)
	out := func(c *Context, data any) error {
		p, err := srv.encodeEvent(packets.NobodyComesBack, parser.Header{Type: parser.Event, Namespace: "/"}, "e", data, true)
		_ = p
		return err
	}
	for _, bench := range []struct {
		name, args string
		fn         any
	}{
		{"object/typed", `,` + benchObject, Func(func(c *Context, m benchMessage) error { return out(c, m) })},
		{"object/any", `,` + benchObject, func(c *Context, v any) error { return out(c, v) }},
		{"object/Raw", `,` + benchObject, func(c *Context, r Raw) error { return out(c, r) }},
		{"binary/typed", `,{"data":{"_placeholder":true,"num":0},"room":"lobby"}`, Func(func(c *Context, m blob) error { return out(c, m) })},
		{"binary/any", `,{"data":{"_placeholder":true,"num":0},"room":"lobby"}`, func(c *Context, v any) error { return out(c, v) }},
		{"binary/Raw", `,{"data":{"_placeholder":true,"num":0},"room":"lobby"}`, func(c *Context, r Raw) error { return out(c, r) }},
		{"text 1k/any", `,"` + benchText + `"`, func(c *Context, v any) error { return out(c, v) }},
		{"text 1k/Raw", `,"` + benchText + `"`, func(c *Context, r Raw) error { return out(c, r) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			h, err := compile(shape.Event, bench.fn)
			require.NoError(b, err)
			dec := parser.New(nil).NewDecoder(parser.Limits{})
			first, attachment := []byte(`2["e"`+bench.args+`]`), make([]byte, 64)
			binary := bench.name[0] == 'b'
			if binary {
				first = []byte(`51-["e"` + bench.args + `]`)
			}
			c := &Context{event: "e", details: new(contextDetails)}
			b.ReportAllocs()
			for b.Loop() {
				p, ok, err := dec.Decode(first, false)
				if binary {
					p, ok, err = dec.Decode(attachment, true)
				}
				if c.args = p.Args; err != nil || !ok {
					b.Fatal(err)
				}
				if _, err := h.call(c, c.input(false)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
