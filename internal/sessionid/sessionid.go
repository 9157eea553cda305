// Package sessionid makes session ids, and tells them from other names.
package sessionid

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

// Len is the length of every session id: 20 bytes in base64.
const Len = 27

var table = crc32.MakeTable(crc32.Castagnoli)

// New returns a session id: 128 random bits and their checksum, so that every server
// knows a session id when it sees one, those of other servers included. A room of such
// a name would receive a socket's private messages.
func New() string {
	var id [20]byte
	_, _ = rand.Read(id[:16]) // never fails
	binary.BigEndian.PutUint32(id[16:], crc32.Checksum(id[:16], table))
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// Is reports whether a name is one that New makes. Of the random names of that length
// one in four billion is.
func Is(name string) bool {
	if len(name) != Len {
		return false
	}
	var id [20]byte
	n, err := base64.RawURLEncoding.Strict().Decode(id[:], []byte(name))
	return err == nil && n == len(id) && binary.BigEndian.Uint32(id[16:]) == crc32.Checksum(id[:16], table)
}
