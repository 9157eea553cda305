package parser

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// relay decodes a packet, and encodes its arguments again as they came.
func relay(t testing.TB, p Parser, msgs ...message) (out []message) {
	t.Helper()
	got, err := decodeAll(p.NewDecoder(Limits{Attachments: 100}), msgs...)
	require.NoError(t, err)
	args := []any{got.Event}
	for i := range got.Args.Len() {
		var r Raw
		require.NoError(t, got.Args.Bind(i, &r))
		args = append(args, r)
	}
	text, attachments, err := p.Encode(nil, got.Header, args)
	require.NoError(t, err)
	out = append(out, message{string(text), false})
	for _, a := range attachments {
		out = append(out, message{string(a), true})
	}
	return out
}

// What came goes out, byte for byte, in the argument and out of it.
func TestRawIsRelayedAsItCame(t *testing.T) {
	for _, p := range []Parser{New(nil), New(plainCodec{})} {
		for _, msgs := range [][]message{
			{text(`2["e"]`)},
			{text(`2["e",9007199254740993,1.0,1e3,-0.0,123456789012345678901234567890]`)},
			{text(`2["e",{"b":1,"a":[1.50,null,"\u00e9\/"],"a":2},"x",true]`)},
			{text(`2["e",{"_placeholder":true,"num":0}]`)}, // data, since there are no attachments
			{text(`2/ns,17["e",[]]`)},
			{text(`51-["e",` + holeText(0) + `]`), bin("one")},
			{text(`53-["e",{"a":` + holeText(0) + `,"n":9007199254740993},1.0,[` + holeText(1) + `,` + holeText(2) + `]]`), bin("one"), bin(""), bin("three")},
		} {
			require.Equal(t, msgs, relay(t, p, msgs...))
		}
		// Attachments in another order, or twice, are the same values.
		got := relay(t, p, text(`52-["e",`+holeText(1)+`,[`+holeText(0)+`,`+holeText(1)+`]]`), bin("a"), bin("b"))
		require.Equal(t, []message{text(`53-["e",` + holeText(0) + `,[` + holeText(1) + `,` + holeText(2) + `]]`), bin("b"), bin("a"), bin("b")}, got)
	}
}

// Anywhere in a target, and anywhere in what is encoded.
func TestRawInsideOfValues(t *testing.T) {
	type envelope struct {
		To   string
		Data Raw
		Ptr  *Raw           `json:",omitempty"`
		List []Raw          `json:",omitempty"`
		Map  map[string]Raw `json:",omitempty"`
		Zero Raw            `json:",omitzero"`
	}
	type custom struct { // has a type that decodes itself: attachments come in another way
		envelope
		N json.Number
		C ownJSON
	}
	binary := func(n int) string { return `{"x":` + holeText(n) + `,"big":9007199254740993}` }
	in := `{"To":"ann","Data":` + binary(0) + `,"Ptr":` + holeText(1) + `,"List":[1.0,` + holeText(2) + `],"Map":{"k":` + binary(3) + `}}`
	msgs := []message{text(`54-["e",` + in + `]`), bin("0"), bin("1"), bin("2"), bin("3")}
	for _, p := range []Parser{New(nil), New(plainCodec{})} {
		got, err := decodeAll(p.NewDecoder(Limits{}), msgs...)
		require.NoError(t, err)
		var v envelope
		require.NoError(t, got.Args.Bind(0, &v))
		out, attachments, err := p.Encode(nil, Header{Type: Event}, []any{"e", v})
		require.NoError(t, err)
		require.Equal(t, msgs[0].data, string(out))
		require.Len(t, attachments, 4)
		require.Equal(t, "3", string(attachments[3]))

		var c custom
		require.NoError(t, got.Args.Bind(0, &c))
		require.Len(t, c.List, 2)
		var b []byte
		require.NoError(t, c.List[1].Bind(&b))
		require.Equal(t, "2", string(b))

		var data struct {
			X   []byte
			Big int64
		}
		require.NoError(t, v.Data.Bind(&data))
		require.Equal(t, "0", string(data.X))
		require.EqualValues(t, int64(9007199254740993), data.Big)
		require.Error(t, v.Data.Bind(new(int)))

		out, attachments, err = p.Encode(nil, Header{Type: Event}, []any{"e", []any{v.Data, map[string]any{"r": v.Ptr, "n": (*Raw)(nil)}}, &v.Data, Raw{}})
		require.NoError(t, err)
		require.Equal(t, `53-["e",[`+binary(0)+`,{"n":null,"r":`+holeText(1)+`}],`+binary(2)+`,null]`, string(out))
		require.Len(t, attachments, 3)
	}
}

// A Raw is any JSON, also for encoding/json, and the zero Raw is null.
func TestRawWithoutPacket(t *testing.T) {
	j, err := json.Marshal(map[string]Raw{"zero": {}})
	require.NoError(t, err)
	require.Equal(t, `{"zero":null}`, string(j))
	var r Raw
	require.NoError(t, json.Unmarshal([]byte(` {"a": 1} `), &r))
	j, err = json.Marshal(r)
	require.NoError(t, err)
	require.Equal(t, `{"a":1}`, string(j))
	require.Error(t, r.UnmarshalJSON([]byte(`{`)))
	require.NoError(t, Raw{}.Bind(new(any)))
	require.True(t, Raw{}.IsZero())
	require.False(t, r.IsZero())
}

// For what knows nothing of attachments they are base64, as for a json.RawMessage.
func TestRawAsJSON(t *testing.T) {
	got := mustDecode(t, text(`51-["e",{"x":`+holeText(0)+`}]`), bin("one"))
	var r Raw
	require.NoError(t, got.Args.Bind(0, &r))
	j, err := json.Marshal(r)
	require.NoError(t, err)
	require.Equal(t, `{"x":"b25l"}`, string(j))
}

// What a client sends as data is never taken for an attachment.
func TestForgedPlaceholdersAreNotRelayed(t *testing.T) {
	for _, p := range []Parser{New(nil), New(plainCodec{})} {
		for _, forged := range []string{
			`{"_placeholder":true,"num":0}`, `{"num":0,"x":1,"_placeholder":true}`, `{"_placeholder":true,"num":7}`, `{"_placeholder":true}`,
			`{"\u005fplaceholder":true,"num":0}`, `[[{"a":{"_placeholder": true ,"num": 0}}]]`,
		} {
			got, err := decodeAll(p.NewDecoder(Limits{}), text(`2["e",`+forged+`]`))
			require.NoError(t, err)
			var r Raw
			var v any
			var m json.RawMessage
			require.NoError(t, got.Args.Bind(0, &r))
			require.NoError(t, got.Args.Bind(0, &v))
			require.NoError(t, got.Args.Bind(0, &m))
			for _, data := range []any{r, v, m, []any{r}, map[string]any{"r": v}} {
				_, _, err = p.Encode(nil, Header{Type: Event}, []any{"e", data, []byte("attachment")})
				require.ErrorIs(t, err, errPlaceholder, "%s as %T", forged, data)
				_, _, err = p.Encode(nil, Header{Type: Ack, ID: 1, HasID: true}, []any{[]byte("attachment"), data})
				require.ErrorIs(t, err, errPlaceholder, "%s as %T", forged, data)
				_, attachments, err := p.Encode(nil, Header{Type: Event}, []any{"e", data})
				require.NoError(t, err, "alone it is data")
				require.Empty(t, attachments)
			}
		}
		_, attachments, err := p.Encode(nil, Header{Type: Event}, []any{"e", map[string]any{"_placeholder": false, "text": `"_placeholder":true \u`}, []byte("x")})
		require.NoError(t, err)
		require.Len(t, attachments, 1)
	}
}

func FuzzRaw(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add([]byte(text), []byte("a"), []byte("bb"))
	}
	f.Add([]byte(`[`+holeText(1)+`,{"a":`+holeText(0)+`}]`), []byte("a"), []byte(""))
	p := New(nil)
	f.Fuzz(func(t *testing.T, lit, a, b []byte) {
		if !utf8.Valid(lit) {
			return // the transports refuse it
		}
		got, ok := decodeFuzzed(t, p, fmt.Appendf(nil, `52-["e",%s]`, lit), a, b)
		if !ok || got.Args.Len() != 1 {
			return
		}
		var r Raw
		var want, again any
		if err := got.Args.Bind(0, &r); err != nil {
			t.Fatal(err)
		}
		wantErr := got.Args.Bind(0, &want)
		if err := r.Bind(&again); (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, want %v", lit, err, wantErr)
		}
		for _, data := range []any{r, []Raw{r}} {
			out, attachments, err := p.Encode(nil, Header{Type: Event}, []any{"e", data})
			if err != nil {
				t.Fatalf("%q: %v", lit, err)
			}
			msgs := []message{{string(out), false}}
			for _, a := range attachments {
				msgs = append(msgs, message{string(a), true})
			}
			back, err := decodeAll(p.NewDecoder(Limits{Attachments: 1000, Depth: 1000}), msgs...)
			if err != nil {
				t.Fatalf("%q: %v", msgs, err)
			}
			var v any
			if err := back.Args.Bind(0, &v); (err == nil) != (wantErr == nil) {
				t.Fatalf("%q: %v, want %v", msgs, err, wantErr)
			}
			if list, ok := v.([]any); ok && strings.HasPrefix(fmt.Sprintf("%T", data), "[]") && len(list) == 1 {
				v = list[0]
			}
			if wantErr == nil && fmt.Sprint(v) != fmt.Sprint(want) {
				t.Fatalf("%q: %v, want %v", msgs, v, want)
			}
		}
	})
}

// ownJSON decodes itself.
type ownJSON struct{ text string }

func (o *ownJSON) UnmarshalJSON(data []byte) error {
	o.text = string(data)
	return nil
}
