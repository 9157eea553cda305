package parser

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"testing"
)

var rawStrings = []string{
	"", "a", "naïve", "日本語", "😀", "a\x00b", "\x01\x1f\x7f", "\b\f\n\r\t", `"\/`, "<b>&</b>", "\u2028\u2029", "\u2027\u202a",
	"\xff", "a\xffb\xc0\x80", "\xed\xa0\x80", "\xf0\x9f\x98", "\ufffd", "\u00a0\u0085",
}

func stdJSON(t testing.TB, v any) string {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}

// sameJSON reports whether a text is what encoding/json writes.
func sameJSON(got, std string) bool {
	if got == std || !jsonV2 {
		return got == std
	}
	var g, s any
	return json.Unmarshal([]byte(got), &g) == nil && json.Unmarshal([]byte(std), &s) == nil && reflect.DeepEqual(g, s)
}

func checkString(t testing.TB, s string) {
	t.Helper()
	got := string(appendString(nil, s))
	if want := stdJSON(t, s); !sameJSON(got, want) {
		t.Errorf("appendString(%q) = %s, want %s", s, got, want)
	}
	checkUnquote(t, got)
}

func checkUnquote(t testing.TB, lit string) {
	t.Helper()
	var want string
	if err := json.Unmarshal([]byte(lit), &want); err != nil {
		t.Fatalf("%q: %v", lit, err)
	}
	if got := unquote([]byte(lit)); got != want {
		t.Errorf("unquote(%q) = %q, want %q", lit, got, want)
	}
}

func TestStrings(t *testing.T) {
	for _, s := range rawStrings {
		checkString(t, s)
	}
	for _, lit := range []string{
		`""`, `"\u0041\u00e9\u65E5"`, `"\ud83d\ude00"`, `"\uD83D\uDE00x"`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\n"`, `"\ud83d\u0041"`,
		`"\ude00\ud83d"`, `"\ud83d\ud83d\ude00"`, `"\\u0041"`, `"\\\\"`, `"\/\b\f\n\r\t\""`, "\"\xff\\n\xfe\"", "\"\xe6\x97\"", `"\ufffd"`, `"\u0000"`,
	} {
		checkUnquote(t, lit)
	}
}

// Each byte at each place, before and behind others of its kind: eight are looked
// at together.
func TestPlainBytes(t *testing.T) {
	for c := range 256 {
		for _, fill := range []byte{'a', 0x80, 0xff, ' ', '!', '#', '[', ']', byte(c)} {
			for size := range 40 {
				d := bytes.Repeat([]byte{fill}, size)
				if size > 0 {
					d[c%size] = byte(c)
				}
				want := 0
				for want < size && plain[d[want]] {
					want++
				}
				if got := plainBytes(d, 0); got != want {
					t.Fatalf("plainBytes(%q) = %d, want %d", d, got, want)
				}
				if fill < 0x80 && c < 0x80 {
					checkString(t, string(d))
				}
			}
		}
	}
}

func TestFloats(t *testing.T) {
	for _, f := range []float64{
		0, math.Copysign(0, -1), 1, -1, 0.1, 1.5, 1e20, 1e21, 1e22, 1e-6, 1e-7, 9.99e-7, -1e-7, 1.25e-10, 1e100, 1e-100,
		math.MaxFloat64, math.SmallestNonzeroFloat64, math.Pi, 1 << 53, 123456789,
	} {
		if got, want := string(appendFloat(nil, f)), stdJSON(t, f); got != want {
			t.Errorf("appendFloat(%g) = %s, want %s", f, got, want)
		}
	}
}
