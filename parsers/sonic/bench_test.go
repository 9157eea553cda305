package sonic_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed-d124fa34/socketio/parser"
	"github.com/seed-d124fa34/socketio/parsers/sonic"
)

// order is an object of 1 KiB as programs send them.
type order struct {
	ID       int64     `json:"id"`
	Customer string    `json:"customer"`
	Email    string    `json:"email"`
	Paid     bool      `json:"paid"`
	Total    float64   `json:"total"`
	Note     string    `json:"note"`
	Tags     []string  `json:"tags"`
	Items    []item    `json:"items"`
	Scores   []float64 `json:"scores"`
}

type item struct {
	SKU      string  `json:"sku"`
	Title    string  `json:"title"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
}

func newOrder() *order {
	o := &order{
		ID: 20260417, Customer: "Ada Byron", Email: "ada@example.org", Paid: true, Total: 1249.75,
		Tags: []string{"priority", "gift", "returning"}, Scores: []float64{0.25, 0.5, 0.75, 1.5, 12.125},
		Note: strings.Repeat("note ", 33),
	}
	for range 8 {
		o.Items = append(o.Items, item{SKU: "SKU-000417", Title: "Analytical engine, small", Quantity: 3, Price: 52.25})
	}
	return o
}

// BenchmarkCodec decodes a packet and its argument, and encodes it, with this codec and with
// the default one.
func BenchmarkCodec(b *testing.B) {
	o := newOrder()
	text, err := json.Marshal(o)
	if err != nil {
		b.Fatal(err)
	}
	packet := []byte(`217["order",` + string(text) + `]`)
	for _, codec := range []struct {
		name  string
		codec parser.Codec
	}{{"standard", nil}, {"sonic", sonic.New()}} {
		p := parser.New(codec.codec)
		decode := func(b *testing.B, v func() any) {
			d := p.NewDecoder(parser.Limits{})
			b.ReportAllocs()
			for b.Loop() {
				packet, _, err := d.Decode(packet, false)
				if err != nil {
					b.Fatal(err)
				}
				if err := packet.Args.Bind(0, v()); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run(codec.name+"/decode struct", func(b *testing.B) { decode(b, func() any { return new(order) }) })
		b.Run(codec.name+"/decode any", func(b *testing.B) { decode(b, func() any { return new(any) }) })
		encode := func(b *testing.B, v any) {
			dst, args := make([]byte, 0, 4096), []any{"order", v}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := p.Encode(dst, parser.Header{Type: parser.Event}, args); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run(codec.name+"/encode struct", func(b *testing.B) { encode(b, o) })
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			b.Fatal(err)
		}
		b.Run(codec.name+"/encode any", func(b *testing.B) { encode(b, v) })
	}
}
