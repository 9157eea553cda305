package msgpack

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	wire "github.com/vmihailenco/msgpack/v5"

	"github.com/seed-d124fa34/socketio/parser"
)

// Whatever arrives: an error of the documented types, or a packet whose
// arguments bind, encode, and arrive again as they were.
func FuzzDecode(f *testing.F) {
	f.Add(packed(f, "type", 0, "nsp", "/", "data", map[string]any{"token": "x"}))
	f.Add(packed(f, "type", 1, "nsp", "/a"))
	f.Add(packed(f, "type", 3, "nsp", "/", "id", 5, "data", []any{[]byte("x"), nil, 1.5, "s", -7, true}))
	f.Add(packed(f, "options", map[string]any{"compress": true}, "type", 2, "nsp", "/", "data", []any{"e"}))
	f.Add(encode(f, parser.Header{Type: parser.Event, ID: 5, HasID: true}, "e", sample()))
	f.Add(event(f, "d4 00 00", "82 a161 d4 00 00 a162 01", "d7 00 0000018d9f4d5000", "c7 03 00 010203", "c7 0c ff 00000001 ffffffffffffffff"))
	f.Add(event(f, "82 ac5f706c616365686f6c646572 c3 a36e756d 00", "c40101"))
	f.Add(event(f, "dd ffffffff"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		p, err := decode(msg, parser.Limits{})
		if err != nil {
			var broken *parser.DecodeError
			var limit *parser.LimitError
			require.True(t, errors.As(err, &broken) || errors.As(err, &limit), "%T: %v", err, err)
			return
		}
		args := values(t, p.Args)
		// Another implementation reads the same in it.
		if !containsAny(msg, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8) { // it knows no extension types
			var other map[string]any
			require.NoError(t, wire.Unmarshal(msg, &other))
			data, isList := other["data"].([]any)
			if isList && p.Type == parser.Event {
				data = data[1:]
			}
			if isList {
				require.Equal(t, args, floats(data))
			}
		}

		list := args
		if p.Type == parser.Event {
			list = append([]any{p.Event}, args...)
		}
		if p.Type == parser.ConnectError && len(args) == 1 {
			if _, bare := args[0].(string); bare {
				return // which we read but do not write
			}
		}
		text, binary, err := New().Encode(nil, p.Header, list)
		require.NoError(t, err)
		require.Empty(t, text)
		again, err := decode(binary[0], parser.Limits{})
		require.NoError(t, err)
		require.Equal(t, args, values(t, again.Args))
		again.Args, p.Args = nil, nil
		require.Equal(t, p, again)
	})
}

// Any JSON value becomes msgpack that another implementation reads as the same.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{}],"b":"\u00e9\ud83d\ude00"}`, `[[],{},"",0,-1,1.5,true,null]`, `"x"`, `18446744073709551615`, `-0`, `[[[[]]],1]`} {
		f.Add(s, []byte("b"))
	}
	f.Fuzz(func(t *testing.T, s string, b []byte) {
		if b == nil {
			b = []byte{}
		}
		var v any
		d := New()
		if json.Unmarshal([]byte(s), &v) != nil || strings.Contains(s, "_placeholder") {
			return
		}
		_, binary, err := d.Encode(nil, parser.Header{Type: parser.Event}, []any{"e", v, b})
		require.NoError(t, err)
		var packet struct {
			Type int    `msgpack:"type"`
			Data []any  `msgpack:"data"`
			NSP  string `msgpack:"nsp"`
		}
		require.NoError(t, wire.Unmarshal(binary[0], &packet))
		require.Len(t, packet.Data, 3)
		require.Equal(t, "e", packet.Data[0])
		require.Equal(t, floats(v), floats(packet.Data[1]))
		require.Equal(t, b, packet.Data[2])
	})
}

func containsAny(b []byte, codes ...byte) bool {
	return slices.ContainsFunc(codes, func(c byte) bool { return bytes.IndexByte(b, c) >= 0 })
}

// floats makes every number a float64, or nil if JSON has none for it.
func floats(v any) any {
	switch v := v.(type) {
	case float32:
		return floats(float64(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	case int8, int16, int32, int64:
		return float64(reflect.ValueOf(v).Int())
	case uint8, uint16, uint32, uint64:
		return float64(reflect.ValueOf(v).Uint())
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = floats(v[k])
		}
	}
	return v
}
