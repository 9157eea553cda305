package msgpack

import (
	"encoding/binary"
	"math"
)

// The formats of msgpack (https://github.com/msgpack/msgpack/blob/master/spec.md)
// that begin a value. Those named fix hold a small number in the byte itself.
const (
	fixMap   = 0x80 // to 0x8f
	fixArray = 0x90 // to 0x9f
	fixStr   = 0xa0 // to 0xbf
	null     = 0xc0
	no       = 0xc2
	yes      = 0xc3
	bin8     = 0xc4
	bin16    = 0xc5
	bin32    = 0xc6
	ext8     = 0xc7
	ext16    = 0xc8
	ext32    = 0xc9
	float32_ = 0xca
	float64_ = 0xcb
	uint8_   = 0xcc
	uint16_  = 0xcd
	uint32_  = 0xce
	uint64_  = 0xcf
	int8_    = 0xd0
	int16_   = 0xd1
	int32_   = 0xd2
	int64_   = 0xd3
	fixExt1  = 0xd4
	fixExt8  = 0xd7
	fixExt16 = 0xd8
	str8     = 0xd9
	str16    = 0xda
	str32    = 0xdb
	array16  = 0xdc
	array32  = 0xdd
	map16    = 0xde
	map32    = 0xdf
	fixNeg   = 0xe0 // to 0xff
)

// appendUint appends the shortest form of n.
func appendUint(dst []byte, n uint64) []byte {
	switch {
	case n < fixMap:
		return append(dst, byte(n))
	case n <= math.MaxUint8:
		return append(dst, uint8_, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, uint16_), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, uint32_), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, uint64_), n)
}

// appendInt appends the shortest form of n.
func appendInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendUint(dst, uint64(n))
	case n >= fixNeg-0x100:
		return append(dst, byte(n))
	case n >= math.MinInt8:
		return append(dst, int8_, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, int16_), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, int32_), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, int64_), uint64(n))
}

func appendFloat(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, float64_), math.Float64bits(f))
}

// appendHead appends what begins a string, array or map: for fewer than limit
// elements fix, else the format with 8 (if there is one), 16 or 32 bits. No
// message is so long that 32 are not enough.
func appendHead(dst []byte, n, limit int, fix, with8, with16 byte) []byte {
	switch {
	case n < limit:
		return append(dst, fix|byte(n))
	case n <= math.MaxUint8 && with8 != 0:
		return append(dst, with8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, with16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, with16+1), uint32(n))
}

func appendMap(dst []byte, n int) []byte   { return appendHead(dst, n, 16, fixMap, 0, map16) }
func appendArray(dst []byte, n int) []byte { return appendHead(dst, n, 16, fixArray, 0, array16) }

func appendStr[T string | []byte](dst []byte, s T) []byte {
	return append(appendHead(dst, len(s), 32, fixStr, str8, str16), s...)
}

func appendBin(dst, b []byte) []byte {
	return append(appendHead(dst, len(b), 0, 0, bin8, bin16), b...)
}

// kind is what a value is.
type kind int

const (
	kindNone kind = iota // the message has ended, or there is no such format
	kindNull
	kindBool
	kindInt
	kindUint64 // may be beyond int64
	kindFloat
	kindStr
	kindBin
	kindArray
	kindMap
	kindExt
)

func kindOf(c byte) kind {
	switch {
	case c < fixMap, c >= fixNeg, uint8_ <= c && c <= uint32_, int8_ <= c && c <= int64_:
		return kindInt
	case c < fixArray, c == map16, c == map32:
		return kindMap
	case c < fixStr, c == array16, c == array32:
		return kindArray
	case c < null, str8 <= c && c <= str32:
		return kindStr
	case c == null:
		return kindNull
	case c == no, c == yes:
		return kindBool
	case bin8 <= c && c <= bin32:
		return kindBin
	case c == float32_, c == float64_:
		return kindFloat
	case c == uint64_:
		return kindUint64
	case ext8 <= c && c <= ext32, fixExt1 <= c && c <= fixExt16:
		return kindExt
	}
	return kindNone
}

// kind returns what the next value is.
func (r *reader) kind() kind {
	if r.pos == len(r.data) {
		return kindNone
	}
	return kindOf(r.data[r.pos])
}

// next returns the next n bytes, which are a part of the message; ok is false
// if there are not as many.
func (r *reader) next(n uint64) (b []byte, ok bool) {
	if n > uint64(len(r.data)-r.pos) {
		return nil, false
	}
	b = r.data[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return b, true
}

// bits reads an unsigned number of size bytes.
func (r *reader) bits(size uint64) (n uint64, ok bool) {
	b, ok := r.next(size)
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n, ok
}

// int reads an integer. One that is a kindUint64 is to be converted to uint64.
func (r *reader) int() (int64, bool) {
	c := r.data[r.pos]
	r.pos++
	switch {
	case c < fixMap, c >= fixNeg:
		return int64(int8(c)), true
	case c <= uint64_:
		n, ok := r.bits(1 << (c - uint8_))
		return int64(n), ok
	}
	size := uint64(1) << (c - int8_)
	n, ok := r.bits(size)
	shift := 64 - 8*size
	return int64(n<<shift) >> shift, ok
}

func (r *reader) float() (float64, bool) {
	c := r.data[r.pos]
	r.pos++
	if c == float32_ {
		n, ok := r.bits(4)
		return float64(math.Float32frombits(uint32(n))), ok
	}
	n, ok := r.bits(8)
	return math.Float64frombits(n), ok
}

// head reads what begins a string, binary value, array, map or extension, and
// returns the length in it.
func (r *reader) head() (n uint64, ok bool) {
	c := r.data[r.pos]
	r.pos++
	switch {
	case c < fixStr: // fixMap and fixArray
		return uint64(c & 0xf), true
	case c < null:
		return uint64(c & 0x1f), true
	case c <= bin32:
		return r.bits(1 << (c - bin8))
	case c <= ext32:
		return r.bits(1 << (c - ext8))
	case c <= fixExt16:
		return 1 << (c - fixExt1), true
	case c <= str32:
		return r.bits(1 << (c - str8))
	case c <= array32:
		return r.bits(2 << (c - array16))
	}
	return r.bits(2 << (c - map16))
}
