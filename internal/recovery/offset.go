package recovery

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync/atomic"
)

// maxOffset is the longest offset, in bytes.
const maxOffset = 23

// Offset is the id of an event. The client remembers that of the last event that it
// has received. Offsets can be compared with ==; the zero Offset stands for no event.
type Offset struct {
	len  uint8
	text [maxOffset]byte
}

// ParseOffset returns the offset that a client has sent. ok is false for what is no
// offset of any event: an empty text, or one of more than 23 bytes.
func ParseOffset(text string) (o Offset, ok bool) {
	if text == "" || len(text) > maxOffset {
		return Offset{}, false
	}
	o.len = uint8(copy(o.text[:], text))
	return o, true
}

// IsZero reports whether the offset is that of no event.
func (o Offset) IsZero() bool { return o.len == 0 }

// String returns the offset as the client gets it.
func (o Offset) String() string { return string(o.text[:o.len]) }

// Append appends the offset as the client gets it. Offsets that [Store.NextOffset]
// makes need no escaping in a JSON string.
func (o Offset) Append(b []byte) []byte { return append(b, o.text[:o.len]...) }

// numberEnd returns where the number of the offset ends.
func (o Offset) numberEnd() int {
	if i := bytes.IndexByte(o.text[:o.len], placeMark); i >= prefixSize {
		return i
	}
	return int(o.len)
}

// UpTo reports whether a server has made the offset before another one, or both are the same offset. It is
// false for offsets of two servers.
func (o Offset) UpTo(other Offset) bool {
	end, otherEnd := o.numberEnd(), other.numberEnd()
	if end <= prefixSize || end > otherEnd || [prefixSize]byte(o.text[:]) != [prefixSize]byte(other.text[:]) {
		return false
	}
	if end < otherEnd {
		return true
	}
	for i := prefixSize; i < end; i++ {
		if a, b := strings.IndexByte(digits, o.text[i]), strings.IndexByte(digits, other.text[i]); a != b {
			return a < b
		}
	}
	return true
}

const (
	digits     = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	prefixSize = 8
)

// Offsets makes offsets: random characters, which no other server has, and a number.
// It may be used by any number of goroutines.
type Offsets struct {
	prefix [prefixSize]byte
	last   atomic.Uint64
}

// NewOffsets returns an Offsets whose offsets are unique on all servers.
func NewOffsets() *Offsets {
	os := new(Offsets)
	os.init()
	return os
}

func (os *Offsets) init() {
	_, _ = rand.Read(os.prefix[:]) // never fails
	for i, b := range os.prefix {
		os.prefix[i] = digits[b%64]
	}
}

// made reports whether an offset is one of these.
func (os *Offsets) made(o Offset) bool { return [prefixSize]byte(o.text[:]) == os.prefix }

// Next returns the offset of a new event.
func (os *Offsets) Next() (o Offset) {
	n := os.last.Add(1)
	o.len = prefixSize + 1
	for rest := n >> 6; rest > 0; rest >>= 6 {
		o.len++
	}
	copy(o.text[:], os.prefix[:])
	for i := o.len - 1; i >= prefixSize; i-- {
		o.text[i] = digits[n%64]
		n >>= 6
	}
	return o
}

// placeMark divides the two numbers of an offset that NextAfter makes.
const placeMark = '.'

// NextAfter is Next for an event that is emitted after its server has received a number of messages,
// which the offset says. number is that of the event.
func (os *Offsets) NextAfter(received uint64) (o Offset, number uint64) {
	number = os.last.Add(1)
	var b [2 * maxOffset]byte
	text := append(appendNumber(append(b[:0], os.prefix[:]...), number), placeMark)
	text = appendNumber(text, received)
	o.len = uint8(copy(o.text[:], text))
	return o, number
}

// OffsetAt returns the offset of an event to which no server has given one, by its place in a history
// that all servers share.
func OffsetAt(place string) (o Offset) {
	sum := sha256.Sum256([]byte(place))
	text := base64.RawURLEncoding.AppendEncode(o.text[:0], sum[:16])
	o.len = uint8(len(text))
	return o
}

// Prefix returns how all its offsets begin.
func (os *Offsets) Prefix() string { return string(os.prefix[:]) }

// ReadPlace reads an offset that NextAfter has made.
func ReadPlace(text []byte) (prefix string, number, received uint64, ok bool) {
	if len(text) <= prefixSize || len(text) > maxOffset {
		return "", 0, 0, false
	}
	first, second, ok := bytes.Cut(text[prefixSize:], []byte{placeMark})
	number, good := readNumber(first)
	received, good2 := readNumber(second)
	return string(text[:prefixSize]), number, received, ok && good && good2
}

func appendNumber(b []byte, n uint64) []byte {
	if n >= 64 {
		b = appendNumber(b, n>>6)
	}
	return append(b, digits[n%64])
}

func readNumber(text []byte) (n uint64, ok bool) {
	if len(text) == 0 || len(text) > 10 {
		return 0, false
	}
	for _, c := range text {
		i := strings.IndexByte(digits, c)
		if i < 0 {
			return 0, false
		}
		n = n<<6 | uint64(i)
	}
	return n, true
}
