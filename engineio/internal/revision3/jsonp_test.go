package revision3

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestIsIndex(t *testing.T) {
	for j, want := range map[string]bool{"0": true, "17": true, "": false, "a": false, "1](alert": false, "-1": false, "٣": false, "12345678901": false} {
		assert.Equal(t, want, IsIndex(j), j)
	}
}

func TestAppendScript(t *testing.T) {
	for payload, want := range map[string]string{
		"2:4a":            `___eio[7]("2:4a");`,
		`9:42["a\"b"]`:    `___eio[7]("9:42[\"a\\\"b\"]");`,
		"a\u2028b\u2029c": `___eio[7]("a\u2028b\u2029c");`,
		"\u2027\u202a¨©":  "___eio[7](\"\u2027\u202a¨©\");",
		"</script><!--":   `___eio[7]("\u003c/script>\u003c!--");`,
		"\n\r\t\x00\x7f":  `___eio[7]("\n\u000d\u0009\u0000\u007f");`,
		"😀€":              `___eio[7]("😀€");`,
	} {
		assert.Equal(t, want, string(AppendScript(nil, "7", []byte(payload))), "%q", payload)
	}
}

// formOf returns the form that official clients of versions 1 and 2 post for a payload.
func formOf(payload string) string {
	escaped := strings.ReplaceAll(payload, `\n`, "\\\n")
	return "d=" + url.QueryEscape(strings.ReplaceAll(escaped, "\n", `\n`))
}

func TestFormPayload(t *testing.T) {
	for _, payload := range []string{`8:42["a€"]`, `9:42["a\nb"]`, `42["a\\nb"]`, `42["\\\n"]`, "4two\nlines", `42["a+b&d=c%"]`, ""} {
		got, err := FormPayload([]byte(formOf(payload)))
		assert.NoError(t, err)
		assert.Equal(t, payload, string(got))
	}
	got, err := FormPayload([]byte("x=1&d=1%3A2&d=other"))
	assert.NoError(t, err)
	assert.Equal(t, "1:2", string(got))
	for body, want := range map[string]error{
		"": errNoData, "D=1": errNoData, "d": errNoData, "d=%zz": errEscape, "d=a%": errEscape, "d=%4": errEscape, "d=%4&x": errEscape,
	} {
		_, err := FormPayload([]byte(body))
		assert.Equal(t, want, err, body)
	}
}

// A form of the official clients is at most MaxFormGrowth times as long as its payload. Reading it allocates nothing.
func TestFormGrowth(t *testing.T) {
	for _, part := range []string{`\n`, "\n", "é", "€", `"`, "😀", "\x00", `\\n`} {
		payload := strings.Repeat(part, 1000)
		form := []byte(formOf(payload))
		assert.LessOrEqual(t, len(form)-len("d="), MaxFormGrowth*len(payload), part)
		got, err := FormPayload(form)
		require.NoError(t, err)
		assert.Equal(t, payload, string(got))
		assert.Same(t, &form[2], &got[0])
	}
}

// unescape and net/url agree.
func FuzzUnescape(f *testing.F) {
	for _, s := range []string{"d=4a", "d=%E2%82%AC+%5cn", "x&d=%zz", "d=%", "d=%4", "d=1%3A2&d=3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, form string) {
		value, want, ok := "", "", false
		for field := range strings.SplitSeq(form, "&") {
			if value, ok = strings.CutPrefix(field, "d="); ok {
				break
			}
		}
		want, err := url.QueryUnescape(value)
		got, gotErr := FormPayload([]byte(form))
		if !ok || err != nil {
			require.Error(t, gotErr)
			return
		}
		require.NoError(t, gotErr)
		require.Equal(t, string(unescapeLines([]byte(want))), string(got))
	})
}

// A script contains the payload as a JSON string that JavaScript reads as the same text, and nothing
// in it can end the script.
func FuzzScript(f *testing.F) {
	f.Add(`9:42["a\"b"]`)
	f.Add("a\u2028</script>\x00😀")
	f.Fuzz(func(t *testing.T, payload string) {
		if !utf8.ValidString(payload) {
			t.Skip()
		}
		script := string(AppendScript(nil, "0", []byte(payload)))
		require.False(t, strings.ContainsAny(script, "<\n\r\u2028\u2029"), script)
		literal, ok := strings.CutPrefix(script, "___eio[0](")
		require.True(t, ok)
		literal, ok = strings.CutSuffix(literal, ");")
		require.True(t, ok)
		var back string
		require.NoError(t, json.Unmarshal([]byte(literal), &back), literal)
		require.Equal(t, payload, back)
	})
}

// FormPayload fails only for a wrong escape and for a missing field. It returns the payload for which
// a client has made the form, unless that has a line feed behind a backslash, which JSON never
// has.
func FuzzForm(f *testing.F) {
	f.Add("d=2%3A4a", `42["a\nb"]`)
	f.Fuzz(func(t *testing.T, body, payload string) {
		if _, err := FormPayload([]byte(body)); err != nil {
			require.Contains(t, []error{errNoData, errEscape}, err)
		}
		if strings.Contains(payload, "\\\n") {
			t.Skip()
		}
		back, err := FormPayload([]byte(formOf(payload)))
		require.NoError(t, err)
		require.Equal(t, payload, string(back))
	})
}
