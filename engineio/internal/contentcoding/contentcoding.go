// Package contentcoding compresses the body of HTTP answers.
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

var compressors = map[string]*sync.Pool{
	"gzip":    {New: func() any { return gzip.NewWriter(nil) }},
	"deflate": {New: func() any { return zlib.NewWriter(nil) }}, // HTTP's deflate is the zlib format
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

// Write writes a body, compressed, to w. encoding is one that Accepted has returned.
func Write(w io.Writer, encoding string, body []byte) error {
	pool := compressors[encoding]
	z := pool.Get().(resetWriter)
	defer pool.Put(z)
	z.Reset(w)
	if _, err := z.Write(body); err != nil {
		return err
	}
	return z.Close()
}
