package contentcoding_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/contentcoding"
)

func TestAccepted(t *testing.T) {
	for header, want := range map[string]string{
		"":                            "",
		"gzip":                        "gzip",
		"deflate":                     "deflate",
		"br, deflate, GZIP":           "gzip",
		"gzip;q=0.5, deflate":         "deflate",
		"gzip; q=0, deflate; q=0.001": "deflate",
		"gzip;q=0, *":                 "deflate",
		"*":                           "gzip",
		"*;q=0":                       "",
		"identity":                    "",
		"gzip;q=nonsense":             "",
	} {
		assert.Equal(t, want, contentcoding.Accepted(header), header)
	}
}

func TestAppend(t *testing.T) {
	body := strings.Repeat("a body ", 1000)
	for encoding, reader := range map[string]func(io.Reader) (io.ReadCloser, error){
		"gzip":    func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) },
		"deflate": zlib.NewReader,
	} {
		for range 2 { // the second time with a compressor that was used
			out, ok := bytes.CutPrefix(contentcoding.Append([]byte("head"), encoding, []byte(body)), []byte("head"))
			assert.True(t, ok)
			assert.Less(t, len(out), len(body)/10)
			r, err := reader(bytes.NewReader(out))
			require.NoError(t, err)
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			assert.Equal(t, body, string(got))
		}
	}
}
