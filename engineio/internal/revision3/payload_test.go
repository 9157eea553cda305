package revision3

import (
	"bytes"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The expected forms are those of the protocol document and of the reference server.
func TestAppend(t *testing.T) {
	assert.Equal(t, "6:4hello", string(AppendText(nil, []byte("4hello"))))
	assert.Equal(t, "2:4€", string(AppendText(nil, []byte("4€"))), "code units, not bytes")
	assert.Equal(t, "3:4😀", string(AppendText(nil, []byte("4😀"))), "two code units")
	assert.Equal(t, "10:b4AQIDBA==", string(AppendBase64(nil, []byte{1, 2, 3, 4})))
	assert.Equal(t, "b4", string(AppendBase64Packet(nil, nil)))
	assert.Equal(t, "\x00\x04\xff4€", string(AppendFramedText(nil, []byte("4€"))), "bytes")
	assert.Equal(t, "\x01\x03\xff\x04\x01\x02", string(AppendFramedBinary(nil, []byte{1, 2})))
	assert.Equal(t, "\x01\x01\x01\xff\x04", string(AppendFramedBinary(nil, make([]byte, 10)))[:5], "11 has two digits")
	assert.Equal(t, "\x04\x01", string(AppendBinary(nil, []byte{1})))
}

func texts(payload string) (packets []string, err error) {
	rest := []byte(payload)
	for {
		packet, left, err := Next(rest)
		if err != nil {
			return packets, err
		}
		if packets = append(packets, string(packet)); len(left) == 0 {
			return packets, nil
		}
		rest = left
	}
}

func TestNext(t *testing.T) {
	for _, test := range []struct {
		payload string
		want    []string
		err     error
	}{
		{"6:4hello2:4€", []string{"4hello", "4€"}, nil},
		{"3:4😀1:2", []string{"4😀", "2"}, nil},
		{"1:20:", []string{"2", ""}, nil},
		{"0:", []string{""}, nil},
		{"0:0:1:3", []string{"", "", "3"}, nil},
		{"", nil, errEmpty},
		{"x", nil, errLength},
		{"1", nil, errLength},
		{":4", nil, errLength},
		{"-1:4", nil, errLength},
		{"1e1:4123456789", nil, errLength},
		{"1:4x", []string{"4"}, errLength},
		{"3:4a", nil, errShort},
		{"2:4😀", nil, errShort}, // ends between two surrogates
		{"9999999999:4", nil, errLength},
		{"99999999999:4", nil, errLength},
		{"2147483639:4", nil, errShort},
	} {
		got, err := texts(test.payload)
		assert.Equal(t, test.want, got, "%q", test.payload)
		assert.Equal(t, test.err, err, "%q", test.payload)
	}
}

func TestNextFramed(t *testing.T) {
	for _, test := range []struct {
		payload string
		packet  string
		binary  bool
		rest    string
		err     error
	}{
		{"\x00\x04\xff4€\x00", "4€", false, "\x00", nil},
		{"\x01\x03\xff\x04ab", "\x04ab", true, "", nil},
		{"\x01\x01\x00\xff\x04123456789", "\x04123456789", true, "", nil},
		{"\x00\x00\xff", "", false, "", nil},
		{"", "", false, "", errEmpty},
		{"\x02\x01\xff4", "", false, "", errHeader},
		{"\x00\xff4", "", false, "", errLength},
		{"\x00\x014", "", false, "", errLength},
		{"\x00\x01", "", false, "", errLength},
		{"\x00\x02\xff4", "", false, "", errShort},
		{"\x00\x02\xff4\xc3", "", false, "", errUTF8},
		{"\x01\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff", "", false, "", errLength},
	} {
		packet, binary, rest, err := NextFramed([]byte(test.payload))
		assert.Equal(t, test.err, err, "%q", test.payload)
		assert.Equal(t, []any{test.packet, test.binary, test.rest}, []any{string(packet), binary, string(rest)}, "%q", test.payload)
	}
}

func TestBinaryMessages(t *testing.T) {
	data, err := Binary([]byte("\x04ab"))
	assert.Equal(t, "ab", string(data))
	assert.NoError(t, err)
	for _, bad := range []string{"", "\x02", "4ab"} {
		_, err := Binary([]byte(bad))
		assert.Equal(t, errType, err, "%q", bad)
	}

	data, is, err := Base64([]byte("b4AQI="))
	assert.Equal(t, []any{[]byte{1, 2}, true, nil}, []any{data, is, err})
	data, is, err = Base64([]byte("b4"))
	assert.Equal(t, []any{0, true, nil}, []any{len(data), is, err})
	_, is, err = Base64([]byte("4b"))
	assert.Equal(t, []any{false, nil}, []any{is, err})
	for bad, want := range map[string]error{"b": errType, "b2AQI=": errType, "bAQID": errType, "b4!": errBase64, "b4AQI": errBase64} {
		_, is, err := Base64([]byte(bad))
		assert.Equal(t, []any{true, want}, []any{is, err}, bad)
	}
}

// What is appended can be read again, whatever it is. Lengths are those of JavaScript.
func FuzzRoundTrip(f *testing.F) {
	f.Add("4hello", []byte{1}, "4€😀")
	f.Add("2", []byte{}, "4\x00\xff")
	f.Fuzz(func(t *testing.T, one string, data []byte, two string) {
		if one == "" || two == "" || !utf8.ValidString(one) || !utf8.ValidString(two) {
			t.Skip()
		}
		require.Equal(t, len(utf16.Encode([]rune(one))), utf16Len([]byte(one)))
		require.Equal(t, IsASCII([]byte(one)), utf16Len([]byte(one)) == len(one))

		text := AppendText(AppendBase64(AppendText(nil, []byte(one)), data), []byte(two))
		got, err := texts(string(text))
		require.NoError(t, err)
		require.Equal(t, []string{one, string(AppendBase64Packet(nil, data)), two}, got)
		back, is, err := Base64([]byte(got[1]))
		require.NoError(t, err)
		require.True(t, is && bytes.Equal(data, back))

		framed := AppendFramedText(AppendFramedBinary(AppendFramedText(nil, []byte(one)), data), []byte(two))
		for i, want := range []string{one, "\x04" + string(data), two} {
			packet, binary, rest, err := NextFramed(framed)
			require.NoError(t, err)
			require.Equal(t, want, string(packet))
			require.Equal(t, i == 1, binary)
			framed = rest
		}
		require.Empty(t, framed)
	})
}

// Any payload can be read to its end or to an error, and each step reads something.
func FuzzPayload(f *testing.F) {
	for _, s := range []string{"6:4hello2:4€", "10:b4AQIDBA==", "0:", "\x00\x04\xff4€\x01\x03\xff\x04\x01\x02", "\x00\xff", "1:4\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		before := bytes.Clone(payload)
		for rest := payload; utf8.Valid(payload); {
			packet, left, err := Next(rest)
			if err != nil {
				break
			}
			require.True(t, utf8.Valid(packet))
			require.Less(t, len(left), len(rest))
			rest = left
		}
		for rest := payload; ; {
			packet, binary, left, err := NextFramed(rest)
			if err != nil {
				break
			}
			require.True(t, binary || utf8.Valid(packet))
			require.Less(t, len(left), len(rest))
			rest = left
		}
		require.Equal(t, before, payload)
	})
}

func BenchmarkAppendText(b *testing.B) {
	packet := []byte(`42["my_event","hello"]`)
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendText(buf[:0], packet)
	}
}

func BenchmarkNext(b *testing.B) {
	payload := AppendText(nil, []byte(`42["my_event","hello"]`))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Next(payload); err != nil {
			b.Fatal(err)
		}
	}
}

func TestUndouble(t *testing.T) {
	for packet, want := range map[string]string{
		"4plain": "4plain", "4Ã¤": "4ä", "4â\u0082¬": "4€", "4ð\u009f\u0098\u0080x": "4😀x",
		"4ä": "4ä", "4é à": "4é à", "4€": "4€", "4Ã¤ and €": "4Ã¤ and €", "4Ã": "4Ã", "4©®": "4©®",
	} {
		assert.Equal(t, want, string(Undouble([]byte(packet))), packet)
	}
}
