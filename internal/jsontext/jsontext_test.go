package jsontext_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/jsontext"
)

func TestWalkObject(t *testing.T) {
	for _, c := range []struct {
		text, want string // "key=value " for each member
		fails      bool
	}{
		{text: `{}`},
		{text: " {\t} \n"},
		{text: `{"a":1}`, want: "a=1 "},
		{text: ` { "a" : [1, {"b":"}"}] , "c":"\"\\" ,"d":NaN } `, want: `a=[1, {"b":"}"}] c="\"\\" d=NaN `},
		{text: `[]`, fails: true},
		{text: ``, fails: true},
		{text: `{"a"}`, fails: true},
		{text: `{"a":}`, fails: true},
		{text: `{"a":1`, want: "a=1 ", fails: true},
		{text: `{"a":1 2}`, want: "a=1 ", fails: true},
		{text: `{"a":1}x`, want: "a=1 ", fails: true},
		{text: `{"a":"`, fails: true},
		{text: `{"a":[`, fails: true},
		{text: `{a:1}`, fails: true},
	} {
		got := ""
		err := jsontext.WalkObject([]byte(c.text), func([]byte) bool { return true }, func(key, value []byte) {
			got += string(key) + "=" + string(value) + " "
		})
		require.Equal(t, c.want, got, c.text)
		require.Equal(t, c.fails, err != nil, c.text)
	}
}

// The rest is not looked at when enter says so.
func TestWalkObjectStops(t *testing.T) {
	n := 0
	require.NoError(t, jsontext.WalkObject([]byte(`{"a":1,"b":broken`), func(key []byte) bool { return string(key) != "b" }, func(_, _ []byte) { n++ }))
	require.Equal(t, 1, n)
}

func TestWalkArray(t *testing.T) {
	var got []string
	require.NoError(t, jsontext.WalkArray([]byte(`[1, "a,]", [2] , {}]`), func(v []byte) bool {
		got = append(got, string(v))
		return true
	}))
	require.Equal(t, []string{"1", `"a,]"`, "[2]", "{}"}, got)
	require.Error(t, jsontext.WalkArray([]byte(`{}`), nil))
	require.Error(t, jsontext.WalkArray([]byte(`[1`), func([]byte) bool { return true }))
	require.NoError(t, jsontext.WalkArray([]byte(`[1`), func([]byte) bool { return false }))
}

func TestText(t *testing.T) {
	for lit, want := range map[string]string{`""`: "", `"a"`: "a", `"\u00e9\n"`: "é\n", `"\ud800"`: "\ufffd", "\"\xff\"": "\ufffd"} {
		got, ok := jsontext.Text([]byte(lit))
		require.True(t, ok, lit)
		require.Equal(t, want, got)
	}
	for _, lit := range []string{``, `"`, `1`, `null`, `"\x"`} {
		_, ok := jsontext.Text([]byte(lit))
		require.False(t, ok, lit)
	}
}

func TestAppendTexts(t *testing.T) {
	list := []string{"", "a", "é", `"\`, "\x00", "\xff"}
	var got []string
	require.NoError(t, json.Unmarshal(jsontext.AppendTexts(nil, list), &got))
	list[5] = "\ufffd"
	require.Equal(t, list, got)
}

// In valid JSON the end of a value is where encoding/json sees it, and nothing
// panics in anything else.
func FuzzValue(f *testing.F) {
	for _, text := range []string{`1`, `"a\"b"`, `[1,{"a":"]"}]`, `{"a":[[]]}`, `tru`, `"`, `[`, `1 2`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		data := []byte(text)
		end := jsontext.Value(data, jsontext.Space(data, 0))
		if json.Valid(data) {
			if rest := strings.Trim(text[end:], " \t\r\n"); rest != "" {
				t.Fatalf("the value in %q ends before %q", text, rest)
			}
		}
		_ = jsontext.WalkObject(data, func([]byte) bool { return true }, func(_, _ []byte) {})
		_ = jsontext.WalkArray(data, func([]byte) bool { return true })
		jsontext.Text(data)
	})
}
