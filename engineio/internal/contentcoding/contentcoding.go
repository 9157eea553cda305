// Package contentcoding compresses the bodies of HTTP answers.
package contentcoding

import (
	"compress/gzip"
	"compress/zlib"
	"io"
	"strconv"
	"strings"
	"sync"
)

type resetWriter interface {
	io.WriteCloser
	Reset(io.Writer)
}

// compressor is a compressing writer, and the buffer that it appends to.
type compressor struct {
	writer resetWriter
	out    []byte
}

// Write appends what the writer has compressed.
func (z *compressor) Write(p []byte) (int, error) {
	z.out = append(z.out, p...)
	return len(p), nil
}

var compressors = map[string]*sync.Pool{
	"gzip":    {New: func() any { return &compressor{writer: gzip.NewWriter(nil)} }},
	"deflate": {New: func() any { return &compressor{writer: zlib.NewWriter(nil)} }}, // HTTP's deflate is the zlib format
}

// Accepted returns the encoding of an answer for an Accept-Encoding
// header: the one with the higher weight, gzip when equal, "" for none.
func Accepted(header string) string {
	best, bestQ, starQ := "", 0.0, -1.0
	named := map[string]bool{}
	consider := func(name string, q float64) {
		if q > bestQ || q == bestQ && q > 0 && name == "gzip" {
			best, bestQ = name, q
		}
	}
	for item := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(item, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		q := 1.0
		if v, ok := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(v, 64); err != nil {
				q = 0
			}
		}
		switch name {
		case "gzip", "deflate":
			named[name] = true
			consider(name, q)
		case "*":
			starQ = q
		}
	}
	if starQ > 0 {
		for name := range compressors {
			if !named[name] {
				consider(name, starQ)
			}
		}
	}
	return best
}

// Append compresses a body and appends it to dst. encoding is one that Accepted has returned.
func Append(dst []byte, encoding string, body []byte) []byte {
	pool := compressors[encoding]
	z := pool.Get().(*compressor)
	defer pool.Put(z)
	z.out = dst
	z.writer.Reset(z)
	_, _ = z.writer.Write(body) // appending does not fail
	_ = z.writer.Close()
	dst, z.out = z.out, nil
	return dst
}
