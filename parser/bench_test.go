package parser

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed-d124fa34/socketio/internal/race"
)

func benchDecode(b *testing.B, msgs ...message) {
	d := New(nil).NewDecoder(Limits{})
	data := make([][]byte, len(msgs))
	n := 0
	for i, m := range msgs {
		data[i] = []byte(m.data)
		n += len(m.data)
	}
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		for i, m := range msgs {
			if _, _, err := d.Decode(data[i], m.binary); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	b.Run("event", func(b *testing.B) {
		benchDecode(b, text(`2["my_event",{"data":"a message of some sixty-four bytes"}]`+" "))
	})
	b.Run("namespace+id", func(b *testing.B) { benchDecode(b, text(`2/chat,17["my_event","hello",42]`)) })
	b.Run("ack", func(b *testing.B) { benchDecode(b, text(`317["hello",42]`)) })
	b.Run("binary", func(b *testing.B) {
		benchDecode(b, text(`51-["my_event",{"_placeholder":true,"num":0}]`), bin(strings.Repeat("x", 256)))
	})
	b.Run("10args", func(b *testing.B) { benchDecode(b, text(`2["my_event",0,1,2,3,4,5,6,7,8,9]`)) })
	b.Run("object 1k", func(b *testing.B) { benchDecode(b, text(`217["my_event",`+benchOrderJSON+`]`)) })
	b.Run("64k", func(b *testing.B) {
		benchDecode(b, text(`2["my_event",[`+strings.Repeat(`{"name":"value","n":1.5},`, 2600)+`null]]`))
	})
}

// benchOrder is an object of 1 KiB as programs send them.
type benchOrder struct {
	ID       int64       `json:"id"`
	Customer string      `json:"customer"`
	Email    string      `json:"email"`
	Paid     bool        `json:"paid"`
	Total    float64     `json:"total"`
	Note     string      `json:"note"`
	Tags     []string    `json:"tags"`
	Items    []benchItem `json:"items"`
	Scores   []float64   `json:"scores"`
}

type benchItem struct {
	SKU      string  `json:"sku"`
	Title    string  `json:"title"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
}

// generated stands for a type with generated code, which itself costs nothing
// here: what is left is the cost of calling it.
type generated struct{ order []byte }

func (g *generated) UnmarshalJSON(data []byte) error { return nil }
func (g *generated) MarshalJSON() ([]byte, error)    { return g.order, nil }

var benchAnOrder, benchOrderJSON = func() (benchOrder, string) {
	o := benchOrder{
		ID: 20260417, Customer: "Ada Byron", Email: "ada@example.org", Paid: true, Total: 1249.75,
		Tags: []string{"priority", "gift", "returning"}, Scores: []float64{0.25, 0.5, 0.75, 1.5, 12.125},
		Note: strings.Repeat("note ", 33),
	}
	for range 8 {
		o.Items = append(o.Items, benchItem{SKU: "SKU-000417", Title: "Analytical engine, small", Quantity: 3, Price: 52.25})
	}
	out, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return o, string(out)
}()

type benchMessage struct {
	User string `json:"user"`
	Text string `json:"text"`
	N    int    `json:"n"`
}

func BenchmarkEncode(b *testing.B) {
	event, ack := Header{Type: Event}, Header{Type: Ack, ID: 17, HasID: true}
	payload := make([]byte, 256)
	for _, bb := range []struct {
		name string
		h    Header
		args []any
	}{
		{"event", event, []any{"my_event", "hello", 42}},
		{"namespace", Header{Type: Event, Namespace: "/chat"}, []any{"my_event", "hello", 42}},
		{"ack", ack, []any{"hello", 42}},
		{"struct", event, []any{"my_event", &benchMessage{"joe", "hello", 42}}},
		{"map", event, []any{"my_event", map[string]any{"user": "joe", "text": "hello", "n": 42}}},
		{"text 1k", event, []any{"my_event", strings.Repeat("text ", 200)}},
		{"struct 1k", event, []any{"my_event", &benchAnOrder}},
		{"Marshaler 1k", event, []any{"my_event", &generated{[]byte(benchOrderJSON)}}},
		{"RawMessage 1k", event, []any{"my_event", json.RawMessage(benchOrderJSON)}},
		{"binary", event, []any{"my_event", payload}},
		{"binary in struct", event, []any{"my_event", &struct {
			Name string
			Data []byte
		}{"x", payload}}},
		{"binary in map", event, []any{"my_event", map[string]any{"name": "x", "data": payload}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p := New(nil)
			dst := make([]byte, 0, 2048)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := p.Encode(dst, bb.h, bb.args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBind(b *testing.B) {
	type blob struct {
		Name string
		Data []byte
	}
	big := strings.Repeat("x", 1<<20)
	hole := holeText(0)
	for _, bb := range []struct {
		name   string
		arg    string
		target any
	}{
		{"string", `"hello world"`, new(string)},
		{"string escaped", `"hello \"world\""`, new(string)},
		{"int", `123456`, new(int)},
		{"float64", `1234.56`, new(float64)},
		{"bool", `true`, new(bool)},
		{"bytes from base64", `"aGVsbG8gd29ybGQ="`, new([]byte)},
		{"bytes", hole, new([]byte)},
		{"raw", `{"a":1}`, new(json.RawMessage)},
		{"any string", `"hello world"`, new(any)},
		{"any map", `{"user":"joe","text":"hello","n":42}`, new(any)},
		{"struct", `{"user":"joe","text":"hello","n":42}`, new(benchMessage)},
		{"struct 1k", benchOrderJSON, new(benchOrder)},
		{"Unmarshaler 1k", benchOrderJSON, new(generated)},
		{"any 1k", benchOrderJSON, new(any)},
		{"struct with 1 MiB", `{"Name":"x","Data":` + hole + `}`, new(blob)},
		{"any with 1 MiB", `{"Name":"x","Data":` + hole + `}`, new(any)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p := mustDecode(b, text(`51-["e",`+bb.arg+`]`), bin(big))
			b.ReportAllocs()
			for b.Loop() {
				if v, ok := bb.target.(*any); ok {
					*v = nil
				}
				if err := p.Args.Bind(0, bb.target); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The allocations the transport and the rooms count on.
func TestAllocations(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	p := New(nil)
	d := p.NewDecoder(Limits{})
	small := []byte(`2["my_event","hello",42]`)
	named := []byte(`2/chat,17["my_event","hello",42]`)
	dst := make([]byte, 0, 512)
	args := []any{"my_event", "hello", 42, true, nil}
	object := []any{"my_event", &benchMessage{"joe", "hello", 42}}
	binary := []any{"my_event", []byte("x")}
	decoded := mustDecode(t, text(`2["e",42,"hello"]`))
	var n int
	var s string
	for _, tt := range []struct {
		what string
		most float64
		do   func() error
	}{
		{"decode an event", 2, func() error { _, _, err := d.Decode(small, false); return err }},
		{"decode with namespace and id", 2, func() error { _, _, err := d.Decode(named, false); return err }},
		{"encode an event", 0, func() error { _, _, err := p.Encode(dst, Header{Type: Event}, args); return err }},
		{"encode a struct", 0, func() error { _, _, err := p.Encode(dst, Header{Type: Event}, object); return err }},
		{"encode bytes", 1, func() error { _, _, err := p.Encode(dst, Header{Type: Event}, binary); return err }},
		{"bind an int", 0, func() error { return decoded.Args.Bind(0, &n) }},
		{"bind a string", 0, func() error { return decoded.Args.Bind(1, &s) }},
	} {
		got := testing.AllocsPerRun(200, func() {
			if err := tt.do(); err != nil {
				t.Fatal(err)
			}
		})
		if got > tt.most {
			t.Errorf("%s: %v allocations, want %v at most", tt.what, got, tt.most)
		}
	}
}

// A string that is most of its packet is not copied; one that is little of it
// must not keep it in memory.
func TestBindStringMemory(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	most := mustDecode(t, text(`2["e","hello, hello"]`))
	little := mustDecode(t, text(`2["e","hello","`+strings.Repeat("x", 1000)+`"]`))
	var s string
	for _, tt := range []struct {
		args Args
		want float64
	}{{most.Args, 0}, {little.Args, 1}} {
		if got := testing.AllocsPerRun(100, func() { _ = tt.args.Bind(0, &s) }); got != tt.want {
			t.Errorf("%q: %v allocations, want %v", s, got, tt.want)
		}
	}
}
