//go:build (amd64 || arm64) && !go1.28

package sonic

import (
	"unsafe"

	"github.com/bytedance/sonic/decoder"
	"github.com/bytedance/sonic/encoder"

	"github.com/seed-d124fa34/socketio/parser"
)

// Native reports whether the codec is bytedance/sonic. If it is false, as on other
// processors than amd64 and arm64 and with versions of Go that sonic does not know, the
// codec is encoding/json.
const Native = true

// New returns the codec, for Options.JSON.
func New() parser.StandardCodec { return codec{} }

// codec is bytedance/sonic, set up to do what encoding/json does.
type codec struct{}

const (
	encoding = encoder.SortMapKeys | encoder.CompactMarshaler | encoder.ValidateString
	// A parser has checked the text before: what no field wants is skipped unchecked.
	decoding = decoder.OptionCopyString | decoder.OptionValidateString | decoder.OptionNoValidateJSON
)

func (codec) Marshal(v any) ([]byte, error) { return encoder.Encode(v, encoding) }

func (codec) AppendJSON(dst []byte, v any) ([]byte, error) {
	if err := encoder.EncodeInto(&dst, v, encoding); err != nil {
		return nil, err
	}
	return dst, nil
}

// Unmarshal decodes data, which is not copied: with OptionCopyString nothing of it is kept.
func (codec) Unmarshal(data []byte, v any) error {
	d := decoder.NewDecoder(unsafe.String(unsafe.SliceData(data), len(data)))
	d.SetOptions(decoding)
	if err := d.Decode(v); err != nil {
		return err
	}
	return d.CheckTrailings()
}
