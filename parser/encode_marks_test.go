package parser

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
)

type (
	byteSlice []byte
	myByte    byte
	zeroBytes []byte
	textBytes []byte
	optBytes  struct {
		Data []byte
		set  bool
	}
	inner      struct{ In []byte }
	Exported   struct{ Ex []byte }
	pointed    struct{ Po []byte }
	ptrMarshal struct{ Data []byte }
)

func (b zeroBytes) IsZero() bool                 { return len(b) == 0 }
func (b textBytes) MarshalText() ([]byte, error) { return []byte("text " + string(b)), nil }
func (o *optBytes) IsZero() bool                 { return !o.set }
func (p *ptrMarshal) MarshalJSON() ([]byte, error) {
	return json.Marshal("self " + string(p.Data))
}

// hole0 and so on are placeholders.
func holeText(n int) string { return fmt.Sprintf(`{"_placeholder":true,"num":%d}`, n) }

func TestEncodeBytesInside(t *testing.T) {
	b := func(s string) []byte { return []byte(s) }
	pb := b("pointed to")
	var nilBytes []byte
	type tree struct {
		Data []byte
		Kids []*tree `json:",omitempty"`
	}
	tests := []struct {
		what        string
		arg         any
		want        string // with %0, %1 ... for placeholders
		attachments []string
	}{
		{"named bytes", byteSlice("a"), `%0`, []string{"a"}},
		{"bytes of named elements", []myByte{1}, `%0`, []string{"\x01"}},
		{"pointer", &pb, `%0`, []string{"pointed to"}},
		{"nil pointer", (*[]byte)(nil), `null`, nil},
		{"pointer to nil", &nilBytes, `null`, nil},
		{"array of numbers", [2]byte{1, 2}, `[1,2]`, nil},
		{"array of bytes", [2][]byte{b("a"), b("b")}, `[%0,%1]`, []string{"a", "b"}},
		{"list", [][]byte{b("a"), nil, {}}, `[%0,null,%1]`, []string{"a", ""}},
		{"any list", []any{1, b("a"), "x", []any{b("b")}}, `[1,%0,"x",[%1]]`, []string{"a", "b"}},
		{"map", map[string][]byte{"z": b("2"), "a": b("1")}, `{"a":%0,"z":%1}`, []string{"1", "2"}},
		{"any map", map[string]any{"z": b("2"), "a": map[string]any{"b": b("1")}, "n": nil}, `{"a":{"b":%0},"n":null,"z":%1}`, []string{"1", "2"}},
		{"map with number keys", map[int]any{2: b("2"), 1: b("1")}, `{"1":%0,"2":%1}`, []string{"1", "2"}},
		{"struct", struct {
			A string `json:"a"`
			B []byte `json:"b"`
			C int    `json:"-"`
		}{"<x>", b("1"), 3}, `{"a":"<x>","b":%0}`, []string{"1"}},
		{"struct pointer", &struct{ A, B any }{b("1"), &pb}, `{"A":%0,"B":%1}`, []string{"1", "pointed to"}},
		{"hidden fields", struct {
			A []byte `json:"-"`
			//lint:ignore SA5008 the odd tag is what is tested
			B []byte `json:"-,"`
			c []byte
		}{b("1"), b("2"), b("3")}, `{"-":%0}`, []string{"2"}},
		{"omitempty", struct {
			A []byte    `json:",omitempty"`
			B []byte    `json:",omitempty"`
			C byteSlice `json:"c,omitempty"`
			D any       `json:",omitempty"`
		}{b(""), b("x"), byteSlice{}, b("")}, `{"B":%0,"D":%1}`, []string{"x", ""}},
		{"omitzero", struct {
			A []byte     `json:",omitzero"`
			B []byte     `json:",omitzero"`
			C zeroBytes  `json:",omitzero"`
			D zeroBytes  `json:",omitzero"`
			E *zeroBytes `json:",omitzero"`
		}{nil, b(""), zeroBytes{}, zeroBytes("d"), nil}, `{"B":%0,"D":%1}`, []string{"", "d"}},
		{"omitzero by unexported state", struct {
			A optBytes  `json:",omitzero"`
			B optBytes  `json:",omitzero"`
			C *optBytes `json:",omitzero"`
		}{optBytes{b("a"), false}, optBytes{b("b"), true}, &optBytes{b("c"), true}}, `{"B":{"Data":%0},"C":{"Data":%1}}`, []string{"b", "c"}},
		{"embedded", struct {
			inner
			Exported
			N int
		}{inner{b("i")}, Exported{b("e")}, 7}, `{"In":%0,"Ex":%1,"N":7}`, []string{"i", "e"}},
		{"embedded pointer", struct {
			*Exported
			N int
		}{&Exported{b("e")}, 7}, `{"Ex":%0,"N":7}`, []string{"e"}},
		{"embedded unexported pointer without bytes", struct {
			*pointed
			B []byte
		}{&pointed{}, b("b")}, `{"Po":null,"B":%0}`, []string{"b"}},
		{"embedded with a name", struct {
			inner `json:"x"`
		}{inner{b("i")}}, `{"x":{"In":%0}}`, []string{"i"}},
		{"shadowed", struct {
			Exported
			Ex string
		}{Exported{b("hidden")}, "seen"}, `{"Ex":"seen"}`, nil},
		{"shadowed, with others", struct {
			Exported
			Ex string
			B  []byte
		}{Exported{b("hidden")}, "seen", b("b")}, `{"Ex":"seen","B":%0}`, []string{"b"}},
		{"json.RawMessage", map[string]any{"a": json.RawMessage(`"YQ=="`), "b": b("b")}, `{"a":"YQ==","b":%0}`, []string{"b"}},
		{"text marshaler", []any{net.IPv4(1, 2, 3, 4), textBytes("x"), b("b")}, `["1.2.3.4","text x",%0]`, []string{"b"}},
		{"addressable marshaler", []any{&ptrMarshal{b("p")}, b("b")}, `["self p",%0]`, []string{"b"}},
		{"addressable marshaler in a list", []ptrMarshal{{b("p")}}, `["self p"]`, nil},
		{"marshaler out of its reach", map[string]ptrMarshal{"x": {b("p")}}, `{"x":{"Data":%0}}`, []string{"p"}},
		{"marshaler in a struct beside bytes", &struct {
			M ptrMarshal
			B []byte
		}{ptrMarshal{b("p")}, b("b")}, `{"M":"self p","B":%0}`, []string{"b"}},
		{"recursive type", &tree{b("root"), []*tree{{b("l"), nil}, {nil, []*tree{{Data: b("r")}}}}},
			`{"Data":%0,"Kids":[{"Data":%1},{"Data":null,"Kids":[{"Data":%2}]}]}`, []string{"root", "l", "r"}},
		{"the same bytes twice", []any{pb, &pb, pb}, `[%0,%1,%2]`, []string{"pointed to", "pointed to", "pointed to"}},
		{"text like a mark of another process", []any{strings.Repeat("A", markLen), b("b")},
			`["` + strings.Repeat("A", markLen) + `",%0]`, []string{"b"}},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			before := stdJSON(t, tt.arg)
			want := tt.want
			for i := range tt.attachments {
				want = strings.Replace(want, fmt.Sprintf("%%%d", i), holeText(i), 1)
			}
			header := `2["e",`
			if n := len(tt.attachments); n > 0 {
				header = fmt.Sprintf(`5%d-["e",`, n)
			}
			for _, p := range []Parser{New(nil), New(plainCodec{})} {
				checkEncode(t, p, Header{Type: Event}, []any{"e", tt.arg}, strings.ReplaceAll(header+want+"]", "%", ""), tt.attachments...)
			}
			if after := stdJSON(t, tt.arg); after != before {
				t.Errorf("the argument changed from %s to %s", before, after)
			}
		})
	}
}

// plainCodec is a codec of a user.
type plainCodec struct{}

func (plainCodec) Marshal(v any) ([]byte, error)      { return stdCodec{}.Marshal(v) }
func (plainCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

func TestEncodeEmbeddedUnexportedPointer(t *testing.T) {
	arg := struct {
		*pointed
		B []byte
	}{&pointed{[]byte("x")}, nil}
	if _, _, err := New(nil).Encode(nil, Header{Type: Event}, []any{"e", arg}); !errors.Is(err, errEmbed) {
		t.Errorf("error %v", err)
	}
}

// Bytes deeper than the depth from which cycles are looked for.
func TestEncodeDeep(t *testing.T) {
	type node struct {
		Next *node  `json:",omitempty"`
		Data []byte `json:",omitempty"`
		Any  any    `json:",omitempty"`
	}
	root := &node{}
	last := root
	shared := map[string]any{"d": []byte("shared")}
	for range 2 * deep {
		last.Next = &node{}
		last = last.Next
	}
	last.Data, last.Any = []byte("deep"), []any{shared, shared} // twice is no cycle
	text, bins, err := New(nil).Encode(nil, Header{Type: Event}, []any{"e", root})
	if err != nil {
		t.Fatal(err)
	}
	if len(bins) != 3 || string(bins[0]) != "deep" || string(bins[2]) != "shared" || !json.Valid(text[3:]) {
		t.Errorf("%s\n%q", text, bins)
	}
}

// Marshaling a value that others read, or whose mutex others use, is no data
// race: nothing is written to it, and unexported fields are not read.
func TestEncodeSharedValue(t *testing.T) {
	type room struct {
		Mu    *sync.Mutex `json:"-"`
		mu    sync.Mutex
		state int
		Name  string
		Data  map[string][]byte
		Any   map[string]any
	}
	r := &room{Name: "x", Data: map[string][]byte{"a": []byte("1")}, Any: map[string]any{"b": []byte("2")}}
	p := New(nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				r.mu.Lock()
				r.state++
				r.mu.Unlock()
				text, bins, err := p.Encode(nil, Header{Type: Event}, []any{"e", r})
				if err != nil || len(bins) != 2 ||
					string(text) != `52-["e",{"Name":"x","Data":{"a":`+holeText(0)+`},"Any":{"b":`+holeText(1)+`}}]` {
					t.Errorf("%s %v", text, err)
				}
			}
		})
	}
	wg.Wait()
}

type codec struct {
	marshal   func(any) ([]byte, error)
	unmarshal func([]byte, any) error
}

func (c codec) Marshal(v any) ([]byte, error)      { return c.marshal(v) }
func (c codec) Unmarshal(data []byte, v any) error { return c.unmarshal(data, v) }

func TestCodecWithoutBase64(t *testing.T) {
	p := New(codec{marshal: func(v any) ([]byte, error) {
		return json.Marshal(strings.ToUpper(fmt.Sprint(v)))
	}})
	if _, _, err := p.Encode(nil, Header{Type: Event}, []any{"e", []any{[]byte("x")}}); err == nil ||
		!strings.Contains(err.Error(), "base64") {
		t.Errorf("error %v", err)
	}
	// What needs no marks works: plain values and bytes as arguments.
	checkEncode(t, p, Header{Type: Event}, []any{"e", "abc", []byte("x")}, `51-["e","ABC",`+holeText(0)+`]`, "x")

	p = New(codec{marshal: func(v any) ([]byte, error) { return nil, errFailing }})
	if _, _, err := p.Encode(nil, Header{Type: Event}, []any{"e", []any{[]byte("x")}}); !errors.Is(err, errFailing) {
		t.Errorf("error %v", err)
	}
	p = New(codec{marshal: func(v any) ([]byte, error) { return []byte(" \n"), nil }})
	if _, _, err := p.Encode(nil, Header{Type: Event}, []any{"e", "x"}); err == nil {
		t.Error("no error for a codec that returns nothing")
	}
}

// The codec is used for strings, floats and everything composed.
func TestCodecEncodes(t *testing.T) {
	var seen []reflect.Type
	p := New(codec{marshal: func(v any) ([]byte, error) {
		seen = append(seen, reflect.TypeOf(v))
		b, err := json.Marshal(v)
		return append(b, '\n'), err
	}})
	seen = nil
	checkEncode(t, p, Header{Type: Event}, []any{"<name>", "<b>", 1.0, []any{"<"}, 1, true, nil, []byte("x")},
		`51-["<name>","\u003cb\u003e",1,["\u003c"],1,true,null,`+holeText(0)+`]`, "x")
	want := []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[float64](), reflect.TypeFor[[]any]()}
	equal(t, "types", seen, append(want, want...)) // checkEncode encodes twice
}

func TestMarks(t *testing.T) {
	if encodeSecret == bindSecret || len(encodeSecret) != secretLen {
		t.Errorf("secrets %q %q", encodeSecret, bindSecret)
	}
	for _, n := range []int{0, 1, 9, 10, 12345678, maxMarks - 1} {
		text := string(appendMark(nil, bindSecret, n))
		if got, ok := markIndex(text, bindSecret); !ok || got != n {
			t.Errorf("mark %d is %d, %v", n, got, ok)
		}
		if _, ok := markIndex(text, encodeSecret); ok {
			t.Errorf("mark %d with the other secret", n)
		}
		b, err := json.Marshal(mark(bindSecret, n))
		if err != nil || string(b) != `"`+text+`"` {
			t.Errorf("mark %d in JSON: %s %v", n, b, err)
		}
		label := unquote([]byte(`"` + string(appendLabel(nil, n)) + `"`))
		if got, ok := labelIndex(label + "abc"); !ok || got != n {
			t.Errorf("label %d is %d, %v", n, got, ok)
		}
	}
}
