// Package revision3 is what revision 3 of Engine.IO looks like where it differs from
// revision 4: the payloads of long-polling, in three forms, and the binary messages of
// WebSocket. It knows no connection.
//
// A payload is text ("LENGTH:PACKET", one after the other) or framed: each packet behind
// a header in bytes. Text holds binary messages in base64. Clients that cannot read
// binary data get text only, and say so with the query parameter b64 or, if they poll with
// script elements, with j.
package revision3

import (
	"encoding/base64"
	"errors"
	"strconv"
	"unicode/utf8"
)

// Version is the revision, in the query parameter EIO of every request. Clients of some
// early versions send another one, or none.
const Version = "3"

// message is the type of a message, as a number: it stands before binary data.
const message = 4

// base64Message begins a text that holds a binary message.
const base64Message = "b4"

const (
	framedText   = 0   // begins the header of a text packet
	framedBinary = 1   // begins the header of a binary one
	headerEnd    = 255 // ends the header
)

// maxDigits bounds the digits of a length: no payload is longer.
const maxDigits = 10

// What is wrong with a payload.
var (
	errEmpty  = errors.New("an empty payload")
	errLength = errors.New("a packet without a length, or with one that is none")
	errShort  = errors.New("a packet that is shorter than its length says")
	errHeader = errors.New("a framed packet whose header is neither that of a text nor that of binary data")
	errUTF8   = errors.New("a text packet that is not UTF-8")
)

// What is wrong with a binary message.
var (
	errType   = errors.New("binary data without the type of a message in front")
	errBase64 = errors.New("a binary message that is not base64")
)

// AppendText appends a text packet as it stands in a payload of text. The packet is
// UTF-8.
func AppendText(dst, packet []byte) []byte {
	dst = strconv.AppendInt(dst, int64(utf16Len(packet)), 10)
	return append(append(dst, ':'), packet...)
}

// AppendBase64 appends a binary message as it stands in a payload of text.
func AppendBase64(dst, data []byte) []byte {
	dst = strconv.AppendInt(dst, int64(len(base64Message)+base64.StdEncoding.EncodedLen(len(data))), 10)
	return AppendBase64Packet(append(dst, ':'), data)
}

// AppendBase64Packet appends a binary message as a text packet.
func AppendBase64Packet(dst, data []byte) []byte {
	return base64.StdEncoding.AppendEncode(append(dst, base64Message...), data)
}

// AppendFramedText appends a text packet as it stands in a framed payload.
func AppendFramedText(dst, packet []byte) []byte {
	return append(appendHeader(dst, framedText, len(packet)), packet...)
}

// AppendFramedBinary appends a binary message as it stands in a framed payload.
func AppendFramedBinary(dst, data []byte) []byte {
	return append(append(appendHeader(dst, framedBinary, 1+len(data)), message), data...)
}

func appendHeader(dst []byte, kind byte, n int) []byte {
	dst = append(dst, kind)
	at := len(dst)
	dst = strconv.AppendInt(dst, int64(n), 10)
	for i := at; i < len(dst); i++ {
		dst[i] -= '0'
	}
	return append(dst, headerEnd)
}

// AppendBinary appends a binary message as it stands in a WebSocket message.
func AppendBinary(dst, data []byte) []byte { return append(append(dst, message), data...) }

// Binary returns the data of a binary message: of a WebSocket message, or of a packet of a
// framed payload.
func Binary(packet []byte) ([]byte, error) {
	if len(packet) == 0 || packet[0] != message {
		return nil, errType
	}
	return packet[1:], nil
}

// Base64 returns the data of a binary message that came as the text packet, if it is one.
func Base64(packet []byte) (data []byte, is bool, err error) {
	if len(packet) == 0 || packet[0] != base64Message[0] {
		return nil, false, nil
	}
	if len(packet) == 1 || packet[1] != base64Message[1] {
		return nil, true, errType
	}
	data, err = base64.StdEncoding.AppendDecode(nil, packet[len(base64Message):])
	if err != nil {
		return nil, true, errBase64
	}
	return data, true, nil
}

// Next returns the first packet of a payload of text, which is UTF-8, and the rest. The
// packet may be empty: some clients send such a packet when they have nothing to say.
func Next(payload []byte) (packet, rest []byte, err error) {
	if len(payload) == 0 {
		return nil, nil, errEmpty
	}
	n, digits := number(payload, '0')
	if digits == 0 || digits == len(payload) || payload[digits] != ':' {
		return nil, nil, errLength
	}
	payload = payload[digits+1:]
	end, ok := utf16Prefix(payload, n)
	if !ok {
		return nil, nil, errShort
	}
	return payload[:end], payload[end:], nil
}

// NextFramed returns the first packet of a framed payload, and the rest. A binary packet
// is for Binary.
func NextFramed(payload []byte) (packet []byte, binary bool, rest []byte, err error) {
	switch {
	case len(payload) == 0:
		return nil, false, nil, errEmpty
	case payload[0] > framedBinary:
		return nil, false, nil, errHeader
	}
	binary, payload = payload[0] == framedBinary, payload[1:]
	n, digits := number(payload, 0)
	switch {
	case digits == 0 || digits == len(payload) || payload[digits] != headerEnd:
		return nil, false, nil, errLength
	case n > len(payload)-digits-1:
		return nil, false, nil, errShort
	}
	payload = payload[digits+1:]
	packet, rest = payload[:n], payload[n:]
	if !binary && !utf8.Valid(packet) {
		return nil, false, nil, errUTF8
	}
	return packet, binary, rest, nil
}

// number reads the decimal number at the beginning of p, whose digits count from zero.
// Without digits, or with too many, digits is 0.
func number(p []byte, zero byte) (n, digits int) {
	for digits < len(p) && p[digits]-zero <= 9 {
		if digits == maxDigits || n > (1<<31-1-9)/10 {
			return 0, 0
		}
		n = 10*n + int(p[digits]-zero)
		digits++
	}
	return n, digits
}

// IsASCII reports whether a text has nothing but ASCII in it: then its length in bytes is
// that in UTF-16 code units.
func IsASCII(p []byte) bool {
	for _, b := range p {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// utf16Len returns how many UTF-16 code units a text of UTF-8 has.
func utf16Len(p []byte) int {
	n := 0
	for _, b := range p {
		if b&0xc0 != 0x80 { // not inside a character
			n++
		}
		if b >= 0xf0 { // two surrogates
			n++
		}
	}
	return n
}

// utf16Prefix returns how many bytes of a text of UTF-8 are n UTF-16 code units. It
// reports false if there are fewer, or if they end between two surrogates.
func utf16Prefix(p []byte, n int) (end int, ok bool) {
	for n > 0 {
		if end == len(p) {
			return 0, false
		}
		if p[end] < utf8.RuneSelf {
			n, end = n-1, end+1
			continue
		}
		r, size := utf8.DecodeRune(p[end:])
		if r > 0xffff {
			n--
		}
		n, end = n-1, end+size
	}
	return end, n == 0
}

// Undouble returns a text packet of a payload of text as it was meant. Clients of Socket.IO
// 1 encode it in UTF-8 twice, which nothing in their requests tells: but a text that
// is meant as it came has hardly ever nothing but pairs of characters that look like it.
func Undouble(packet []byte) []byte {
	if IsASCII(packet) {
		return packet
	}
	once := make([]byte, 0, len(packet))
	for _, r := range string(packet) {
		if r > 0xff {
			return packet
		}
		once = append(once, byte(r))
	}
	if !utf8.Valid(once) {
		return packet
	}
	return once
}
