package parser

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// stdCodec is encoding/json without HTML escaping.
type stdCodec struct{}

func (c stdCodec) Marshal(v any) ([]byte, error) { return c.AppendJSON(nil, v) }

func (stdCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// appendWriter is an io.Writer that appends.
type appendWriter struct{ buf []byte }

func (w *appendWriter) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	return len(p), nil
}

// stdEncoder is a json.Encoder and what it writes to.
type stdEncoder struct {
	appendWriter
	enc *json.Encoder
}

var stdEncoders = sync.Pool{New: func() any {
	e := new(stdEncoder)
	e.enc = json.NewEncoder(&e.appendWriter)
	e.enc.SetEscapeHTML(false)
	return e
}}

func (stdCodec) AppendJSON(dst []byte, v any) ([]byte, error) {
	e := stdEncoders.Get().(*stdEncoder)
	e.buf = dst
	err := e.enc.Encode(v)
	out := e.buf
	e.buf = nil // it is the caller's
	stdEncoders.Put(e)
	if err != nil {
		return nil, err
	}
	return out[:len(out)-1], nil // without the line end
}

// appendCodec appends v as codec writes it.
func appendCodec(dst []byte, codec Codec, v any) ([]byte, error) {
	out, err := codec.Marshal(v)
	if err != nil {
		return nil, err
	}
	for len(out) > 0 && out[len(out)-1] <= ' ' {
		out = out[:len(out)-1]
	}
	if len(out) == 0 {
		return nil, errors.New("the codec returned no JSON")
	}
	return append(dst, out...), nil
}

// checkBytes finds out whether codec writes bytes so that attachments can be
// recognised in its output, see marks.
func checkBytes(codec Codec) error {
	want := `{"b":"` + string(appendMark(nil, encodeSecret, 0)) + `"}`
	got, err := appendCodec(nil, codec, map[string][]byte{"b": mark(encodeSecret, 0)})
	if err != nil {
		return fmt.Errorf("the codec does not marshal []byte: %w", err)
	}
	s := scanner{data: got, maxDepth: defaultDepth}
	if s.text(0) == 0 || string(stripSpace(got)) != want {
		return errors.New("the codec does not write []byte as a base64 string")
	}
	return nil
}

func stripSpace(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c > ' ' {
			out = append(out, c)
		}
	}
	return out
}
