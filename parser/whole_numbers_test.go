package parser_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/parser"
)

// decoded returns the arguments of an event with these JSON arguments.
func decodedArgs(t testing.TB, codec parser.Codec, list string, attachments ...string) parser.Args {
	t.Helper()
	dec := parser.New(codec).NewDecoder(parser.Limits{})
	p, ok, err := dec.Decode([]byte(list), false)
	for _, a := range attachments {
		require.NoError(t, err)
		p, ok, err = dec.Decode([]byte(a), true)
	}
	require.NoError(t, err)
	require.True(t, ok)
	return p.Args
}

type otherCodec struct{}

func (otherCodec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (otherCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// Report M: Python, Dart and Java clients send 1.0 for an integer.
func TestWholeNumbersFitIntegers(t *testing.T) {
	type inner struct {
		N uint8
		M map[string]int
	}
	type embedded struct{ Deep int }
	type Count int
	type all struct {
		A     int `json:"a"`
		Big   uint64
		P     *int
		List  []int16
		Arr   [2]int
		In    inner
		Ptr   *inner
		Any   any
		F     float64
		Raw   json.RawMessage
		Named map[string][]inner
		embedded
		*Count // no struct
	}
	one := 1
	for name, codec := range map[string]parser.Codec{"std": nil, "other": otherCodec{}} {
		t.Run(name, func(t *testing.T) {
			for _, test := range []struct {
				text string
				want any // its type is the target's
			}{
				{`1.0`, 1}, {`-1.0`, -1}, {`1e3`, 1000}, {`1.50E+2`, 150}, {`1200e-2`, 12}, {`0.0`, 0}, {`-0.0`, 0}, {`0e9`, 0}, {`0.001e3`, 1},
				{`-0.0`, uint(0)}, {`255.0`, uint8(255)}, {`9007199254740993.0`, int64(9007199254740993)},
				{`18446744073709551615.0`, uint64(18446744073709551615)}, {`-9223372036854775808.000`, int64(-9223372036854775808)},
				{`1e000000000000000000000000000000`, 1}, {`1.0`, uint32(1)}, {`1.0`, int8(1)},
				{`[1.0,2,3e0]`, []int{1, 2, 3}}, {`[[1.0],[]]`, [][]int64{{1}, {}}}, {`[1.0,2.5]`, []any{1.0, 2.5}},
				{`{"a":1.0,"b":2}`, map[string]int{"a": 1, "b": 2}}, {`{"1":1.0}`, map[int]uint{1: 1}},
				{
					`{ "a" : 1.0 , "BIG":18446744073709551615.0,"p":1.0,"list":[1.0, 2.0],"arr":[3.0],"in":{"n":7.0,"m":{"x":1.0}},
					  "ptr":{"N":8.0},"any":{"x":1.0},"f":2.50,"raw":[1.0],"named":{"k":[{"n":1e0}]},"unknown":{"x":[1.0]},"Deep":5.0,"\u0041":9.0}`,
					all{
						A: 9, Big: 18446744073709551615, P: &one, List: []int16{1, 2}, Arr: [2]int{3}, In: inner{7, map[string]int{"x": 1}},
						Ptr: &inner{N: 8}, Any: map[string]any{"x": 1.0}, F: 2.5, Raw: json.RawMessage(`[1.0]`),
						Named: map[string][]inner{"k": {{N: 1}}}, embedded: embedded{5},
					},
				},
			} {
				v := reflect.New(reflect.TypeOf(test.want))
				require.NoError(t, decodedArgs(t, codec, `2["e",`+test.text+`]`).Bind(0, v.Interface()), test.text)
				require.Equal(t, test.want, v.Elem().Interface(), test.text)
			}
			for _, test := range []struct {
				text   string
				target any
			}{
				{`1.5`, new(int)}, {`256.0`, new(uint8)}, {`-1.0`, new(uint)}, {`1e400`, new(int)}, {`1e19`, new(int64)}, {`1e-1`, new(int)},
				{`1e99999999999999999999`, new(int)}, {`1e-99999999999999999999`, new(int)}, {`18446744073709551616.0`, new(uint64)},
				{`"1.0"`, new(int)}, {`[1.5]`, new([]int)}, {`{"a":1.0,"list":["x"]}`, new(all)}, {`0.` + strings.Repeat("0", 5000) + `1`, new(int)},
			} {
				var wrong *parser.BindError
				require.ErrorAs(t, decodedArgs(t, codec, `2["e",`+test.text+`]`).Bind(0, test.target), &wrong, test.text)
			}
		})
	}
}

// Beside attachments, too.
func TestWholeNumbersBesideAttachments(t *testing.T) {
	var v struct {
		N    int
		Data []byte
		List []struct{ X, Y int }
	}
	args := decodedArgs(t, nil, `51-["e",{"n":3.0,"data":{"_placeholder":true,"num":0},"list":[{"x":1.0,"y":2}]}]`, "bytes")
	require.NoError(t, args.Bind(0, &v))
	require.Equal(t, 3, v.N)
	require.Equal(t, "bytes", string(v.Data))
	require.Equal(t, 1, v.List[0].X)
	require.Equal(t, 2, v.List[0].Y)
}
