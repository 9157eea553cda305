package wsframe

import (
	"encoding/binary"
	"unicode/utf8"
)

// unmask applies the key of a frame (RFC 6455, section 5.3), read as a
// little-endian number, and returns it for what follows p.
func unmask(p []byte, key uint32) uint32 {
	wide := uint64(key)<<32 | uint64(key)
	for len(p) >= 32 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		binary.LittleEndian.PutUint64(p[8:], binary.LittleEndian.Uint64(p[8:])^wide)
		binary.LittleEndian.PutUint64(p[16:], binary.LittleEndian.Uint64(p[16:])^wide)
		binary.LittleEndian.PutUint64(p[24:], binary.LittleEndian.Uint64(p[24:])^wide)
		p = p[32:]
	}
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= byte(key)
		key = key>>8 | key<<24
	}
	return key
}

// validUTF8 returns how much of p is whole characters, and whether the rest is
// nothing or the beginning of one.
func validUTF8(p []byte) (n int, ok bool) {
	n = len(p)
	for i := len(p) - 1; i >= 0 && i > len(p)-utf8.UTFMax; i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				n = i
			}
			break
		}
	}
	return n, utf8.Valid(p[:n])
}
