// Package sessionid makes session ids, and recognises them among other names.
package sessionid

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// Len is the length of every session id: 20 bytes in base64.
const Len = 27

var table = crc32.MakeTable(crc32.Castagnoli)

// New returns a session id: 128 random bits and their checksum. The checksum lets every
// server recognise session ids, including those of other servers: a room with such a name
// would receive a socket's private messages.
func New() string {
	var id [20]byte
	_, _ = rand.Read(id[:16]) // never fails
	binary.BigEndian.PutUint32(id[16:], crc32.Checksum(id[:16], table))
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// MayBe reports whether a name looks like a session id. It does not compute the checksum, so
// that it costs less than Is.
func MayBe(name string) bool { return len(core(name)) == Len }

// core returns the part of a session id that New has made. The session ids of clients of
// Socket.IO 2 are the id of their connection, with the namespace and "#" in front unless that
// is "/", and with a dot and a server's name behind if servers hand requests over.
func core(name string) string {
	if len(name) <= Len {
		return name
	}
	if name[0] == '/' {
		name = name[strings.LastIndexByte(name, '#')+1:]
	}
	if len(name) > Len && name[Len] == '.' {
		name = name[:Len]
	}
	return name
}

// Is reports whether a name is one that New makes, or a session id of a client of Socket.IO
// 2. One in four billion of all random names of that length is, too.
func Is(name string) bool {
	name = core(name)
	if len(name) != Len {
		return false
	}
	var id [20]byte
	n, err := base64.RawURLEncoding.Strict().Decode(id[:], []byte(name))
	return err == nil && n == len(id) && binary.BigEndian.Uint32(id[16:]) == crc32.Checksum(id[:16], table)
}

// MayBePython reports whether a name may be a session id of python-socketio: 20
// characters of base64, the first 16 of them random. A room may have such a name, too,
// so nothing may be sent to the name because of this.
func MayBePython(name string) bool {
	const length, random = 20, 16
	if len(name) != length {
		return false
	}
	if _, err := base64.RawURLEncoding.DecodeString(name); err != nil {
		return false
	}
	begin := name[:random]
	return strings.ToLower(begin) != begin && strings.ToUpper(begin) != begin
}
