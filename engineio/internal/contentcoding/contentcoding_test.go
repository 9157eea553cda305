package contentcoding_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
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

func TestWrite(t *testing.T) {
	body := strings.Repeat("a body ", 1000)
	for encoding, reader := range map[string]func(io.Reader) (io.ReadCloser, error){
		"gzip":    func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) },
		"deflate": zlib.NewReader,
	} {
		for range 2 { // the second time with a compressor that was used
			var out bytes.Buffer
			require.NoError(t, contentcoding.Write(&out, encoding, []byte(body)))
			assert.Less(t, out.Len(), len(body)/10)
			r, err := reader(&out)
			require.NoError(t, err)
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			assert.Equal(t, body, string(got))
		}
		require.ErrorIs(t, contentcoding.Write(failing{}, encoding, []byte(body)), errFailing)
	}
}

var errFailing = errors.New("the client has gone")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFailing }
