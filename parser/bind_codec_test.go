package parser

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// A codec that does not skip line breaks in base64 gives an error, no garbage.
func TestBindCodecWithStrictBase64(t *testing.T) {
	p := New(codec{
		marshal: json.Marshal,
		unmarshal: func(data []byte, v any) error {
			if strings.Contains(string(data), `\n`) || strings.Contains(string(data), `\r`) {
				return errors.New("illegal base64")
			}
			return json.Unmarshal(data, v)
		},
	})
	packet, err := decodeAll(p.NewDecoder(Limits{}), text(`51-["e",[`+holeText(0)+`]]`), bin("data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := packet.Args.Bind(0, &[]any{new(unreadable)}); err == nil || !strings.Contains(err.Error(), "illegal base64") {
		t.Errorf("error %v", err)
	}
	// Where no method is in the way, such a codec works.
	var list [][]byte
	if err := packet.Args.Bind(0, &list); err != nil {
		t.Error(err)
	}
	equal(t, "list", list, [][]byte{[]byte("data")})
}

// The codec's own number type reaches the application.
func TestBindUsesCodec(t *testing.T) {
	p := New(codec{
		marshal: json.Marshal,
		unmarshal: func(data []byte, v any) error {
			d := json.NewDecoder(strings.NewReader(string(data)))
			d.UseNumber()
			return d.Decode(v)
		},
	})
	packet, err := decodeAll(p.NewDecoder(Limits{}), text(`2["e",12345678901234567890,[1]]`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "values", values(t, packet.Args), []any{json.Number("12345678901234567890"), []any{json.Number("1")}})
}
