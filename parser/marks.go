package parser

import (
	"crypto/rand"
	"encoding/base64"
)

// A mark is a []byte that stands for an attachment while a JSON codec works on
// the value around it: a secret of this process and an index. In JSON it is a
// string of markLen letters and digits, which no codec has a reason to escape.
// Nobody outside can know a secret, so no data is ever taken for a mark.

const (
	secretLen = 32 // base64 digits, about 190 random bits
	indexLen  = 8  // decimal digits, which are base64 digits as well
	markLen   = secretLen + indexLen
	maxMarks  = 100_000_000
)

// Encoding and binding have different secrets, so that a slip in one is
// no use in the other.
var encodeSecret, bindSecret = newSecret(), newSecret()

func newSecret() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	out := make([]byte, 0, secretLen)
	for len(out) < secretLen {
		var b [2 * secretLen]byte
		rand.Read(b[:]) // never fails
		for _, c := range b {
			if c &= 63; int(c) < len(alphabet) && len(out) < secretLen {
				out = append(out, alphabet[c])
			}
		}
	}
	return string(out)
}

// appendMark appends the JSON form of mark n, without the quotes.
func appendMark(dst []byte, secret string, n int) []byte {
	dst = append(dst, secret...)
	for div := maxMarks / 10; div > 0; div /= 10 {
		dst = append(dst, byte('0'+n/div%10))
	}
	return dst
}

// mark returns mark n as the bytes whose base64 is its JSON form.
func mark(secret string, n int) []byte {
	text := appendMark(make([]byte, 0, markLen), secret, n)
	m, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		panic("parser: a mark is not base64: " + err.Error()) // not possible: see the alphabets
	}
	return m
}

// markIndex reports which mark the text is.
func markIndex[T string | []byte](text T, secret string) (int, bool) {
	if len(text) != markLen || string(text[:secretLen]) != secret {
		return 0, false
	}
	n := 0
	for _, c := range []byte(text[secretLen:]) {
		if !isDigit(c) {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}
