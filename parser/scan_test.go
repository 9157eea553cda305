package parser

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

var jsonTexts = []string{
	`null`, `true`, `false`, `0`, `-0`, `1`, `-1.5e+10`, `1E5`, `0.0`, `123456789012345678901234567890`, `1e400`,
	`""`, `"a"`, `"é"`, `"\u00e9"`, `"\ud83d\ude00"`, `"\ud800"`, `"\"\\\/\b\f\n\r\t"`, "\"\xff\"", "\"\x7f\"",
	`[]`, `{}`, `[[]]`, `[{}]`, ` [ 1 , 2 ] `, `{"a":1}`, ` { "a" : [ ] , "b" : { } } `, "\t[\r\n]", `{"":""}`, `{"a":1,"a":2}`,
	// not JSON
	``, ` `, `nul`, `nulll`, `True`, `tru`, `fals`, `NaN`, `Infinity`, `-Infinity`, `undefined`,
	`01`, `-`, `+1`, `.5`, `1.`, `1.e1`, `1e`, `1e+`, `--1`, `0x1`, `1_0`, `00`, `-01`,
	`"`, `"a`, `"\`, `"\x"`, `"\u"`, `"\u12"`, `"\u123g"`, `"\u12`, "\"\n\"", "\"\x00\"", "\"\x1f\"", `'a'`,
	`[`, `]`, `[1`, `[1,`, `[1,]`, `[,]`, `[,1]`, `[1 2]`, `[1]]`, `[1}`, `[1],`, `[]x`, `[]\x1e`,
	`{`, `}`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{a:1}`, `{1:1}`, `{"a" 1}`, `{"a":1 "b":2}`, `{"a":1]`, `{"a",1}`,
	`1 2`, `[] []`, `{}{}`, "\ufeff[]", "[]\x00", "\v1", "[1]\u00a0", `/**/1`, `[1//x
]`,
}

func TestScannerAgreesWithEncodingJSON(t *testing.T) {
	for _, text := range jsonTexts {
		checkScanner(t, []byte(text))
	}
	for _, depth := range []int{maxDepth - 1, maxDepth, maxDepth + 1} {
		checkScanner(t, []byte(strings.Repeat("[", depth)+strings.Repeat("]", depth)))
		checkScanner(t, []byte(strings.Repeat(`{"":`, depth-1)+`{}`+strings.Repeat("}", depth-1)))
	}
}

// checkScanner compares the scanner with encoding/json: the verdict, and the
// elements of an array.
func checkScanner(t testing.TB, data []byte) {
	t.Helper()
	for _, attachments := range []int{0, 3} {
		s := scanner{data: data, maxDepth: maxDepth, attachments: attachments}
		ok := s.text(0) != 0
		if attachments > 0 && !ok && strings.HasPrefix(s.fault, "placeholder") {
			continue
		}
		if want := json.Valid(data); ok != want {
			t.Fatalf("%q: valid = %v, encoding/json says %v", excerpt(data), ok, want)
		}
		if !ok {
			var de *DecodeError
			var le *LimitError
			if err := s.err(); !errors.As(err, &de) && !errors.As(err, &le) {
				t.Fatalf("%q: error %v", excerpt(data), err)
			}
			continue
		}
		var elems []json.RawMessage
		if json.Unmarshal(data, &elems) != nil {
			elems = nil
		}
		if len(elems) != s.elems().n {
			t.Fatalf("%q: %d elements, want %d", excerpt(data), s.elems().n, len(elems))
		}
		for i, e := range elems {
			if got := s.elems().at(data, i).of(data); string(got) != string(e) {
				t.Fatalf("%q: element %d is %q, want %q", excerpt(data), i, got, e)
			}
		}
		for i, h := range s.placeholders {
			if !json.Valid(h.of(data)) || data[h.start] != '{' || h.num < 0 || h.num >= attachments ||
				i > 0 && h.start < s.placeholders[i-1].end {
				t.Fatalf("%q: bad placeholder %v in %v", excerpt(data), h, s.placeholders)
			}
		}
	}
}

// Arrays around the number of elements for which the scanner has room.
func TestScannerElements(t *testing.T) {
	for n := range 100 {
		checkScanner(t, []byte(`[`+strings.TrimSuffix(strings.Repeat(`{"a":[]},`, n), ",")+`]`))
	}
}

func TestScannerHoles(t *testing.T) {
	tests := []struct {
		text string
		want []int // numbers of the placeholders; nil: none
		err  bool
	}{
		{text: `[{"_placeholder":true,"num":0}]`, want: []int{0}},
		{text: `[{"num":1,"_placeholder":true}]`, want: []int{1}},
		{text: `[{ "_placeholder" : true , "num" : 2 }]`, want: []int{2}},
		{text: `[{"a":[{"_placeholder":true,"num":2}],"b":{"_placeholder":true,"num":0}}]`, want: []int{2, 0}},
		{text: `[{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}]`, want: []int{1, 1}},
		{text: `[{"_placeholder":true,"num":1,"other":[]}]`, want: []int{1}},
		{text: `[{"_placeholder":true,"num":1,"x":{"_placeholder":true,"num":2}}]`, want: []int{1}},
		{text: `[{"x":{"_placeholder":true,"num":2},"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`, want: []int{1, 0}},
		{text: `[{"\u005fplaceholder":true,"n\u0075m":1}]`, want: []int{1}},
		{text: `[{"_placeholder":false,"num":0}]`},
		{text: `[{"_placeholder":1,"num":0}]`},
		{text: `[{"_placeholder":"true","num":0}]`},
		{text: `[{"_placeholder":true,"_placeholder":false,"num":0}]`},
		{text: `[{"_placeholder":false,"_placeholder":true,"num":9,"num":0}]`, want: []int{0}},
		{text: `[{"num":0}]`},
		{text: `["_placeholder"]`},
		{text: `[{"_placeholder":true}]`, err: true},
		{text: `[{"_placeholder":true,"num":3}]`, err: true},
		{text: `[{"_placeholder":true,"num":-1}]`, err: true},
		{text: `[{"_placeholder":true,"num":-0}]`, err: true},
		{text: `[{"_placeholder":true,"num":1.0}]`, err: true},
		{text: `[{"_placeholder":true,"num":1e0}]`, err: true},
		{text: `[{"_placeholder":true,"num":"1"}]`, err: true},
		{text: `[{"_placeholder":true,"num":null}]`, err: true},
		{text: `[{"_placeholder":true,"num":[0]}]`, err: true},
		{text: `[{"_placeholder":true,"num":99999999999999999999999999}]`, err: true},
	}
	for _, tt := range tests {
		s := scanner{data: []byte(tt.text), maxDepth: 64, attachments: 3}
		ok := s.text(0) != 0
		if ok == tt.err {
			t.Errorf("%s: ok = %v", tt.text, ok)
			continue
		}
		var got []int
		for _, h := range s.placeholders {
			got = append(got, h.num)
		}
		if ok {
			equal(t, tt.text, got, tt.want)
		}

		plain := scanner{data: []byte(tt.text), maxDepth: 64}
		if plain.text(0) == 0 || len(plain.placeholders) > 0 {
			t.Errorf("%s: not ordinary data in a packet without attachments", tt.text)
		}
	}
}
