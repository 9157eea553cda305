package msgpack

import (
	"testing"

	"github.com/seed-d124fa34/socketio/parser"
)

type message struct {
	Room string  `json:"room"`
	Text string  `json:"text"`
	N    int     `json:"n"`
	X    float64 `json:"x"`
	Data []byte  `json:"data"`
}

func benchmark(b *testing.B, p parser.Parser, m message) {
	h := parser.Header{Type: parser.Event, ID: 7, HasID: true}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		dst := make([]byte, 0, 4096)
		args := []any{"say", m}
		for b.Loop() {
			if _, _, err := p.Encode(dst, h, args); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		text, binary, err := p.Encode(nil, h, []any{"say", m})
		if err != nil {
			b.Fatal(err)
		}
		d := p.NewDecoder(parser.Limits{})
		for b.Loop() {
			var packet parser.Packet
			if len(text) > 0 {
				packet, _, err = d.Decode(text, false)
			}
			for _, a := range binary {
				packet, _, err = d.Decode(a, true)
			}
			if err != nil {
				b.Fatal(err)
			}
			var got message
			if err := packet.Args.Bind(0, &got); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The default format is there to compare with.
func BenchmarkFormats(b *testing.B) {
	text := message{Room: "kitchen", Text: "the kettle is on", N: 42, X: 1.25}
	binary := text
	binary.Data = make([]byte, 1000)
	for _, f := range []struct {
		name   string
		format parser.Parser
	}{{"msgpack", New()}, {"json", parser.New(nil)}} {
		b.Run(f.name+"/text", func(b *testing.B) { benchmark(b, f.format, text) })
		b.Run(f.name+"/binary", func(b *testing.B) { benchmark(b, f.format, binary) })
	}
}
