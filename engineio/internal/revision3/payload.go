// Package revision3 encodes and decodes what revision 3 of Engine.IO writes differently from
// revision 4: the payloads of long-polling, in three forms, and the binary messages of
// WebSocket. It knows no connections.
//
// A payload is either text ("LENGTH:PACKET", one packet after the other) or framed, with a
// binary header in front of each packet. A text payload has binary messages in base64.
// Clients that cannot read binary data get text payloads only. They say so with the query
// parameter b64 or, if they poll with script elements, with j.
package revision3

import (
	"encoding/base64"
	"errors"
	"strconv"
	"unicode/utf8"
)

// Version is the value of the query parameter EIO of every request. Some early clients send
// another value, or none.
const Version = "3"

// message is the packet type of a message. It is the byte in front of binary data.
const message = 4

// base64Message is in front of a binary message in base64.
const base64Message = "b4"

const (
	framedText   = 0   // begins the header of a text packet
	framedBinary = 1   // begins the header of a binary one
	headerEnd    = 255 // ends the header
)

// maxDigits is how many digits a length may have. No payload is longer.
const maxDigits = 10

// Errors of payloads.
var (
	errEmpty  = errors.New("an empty payload")
	errLength = errors.New("a packet without a length, or with one that is none")
	errShort  = errors.New("a packet that is shorter than its length says")
	errHeader = errors.New("a framed packet whose header is neither that of a text nor that of binary data")
	errUTF8   = errors.New("a text packet that is not UTF-8")
)

// Errors of binary messages.
var (
	errType   = errors.New("binary data without the type of a message in front")
	errBase64 = errors.New("a binary message that is not base64")
)

// AppendText appends a text packet, which is UTF-8, to a text payload.
func AppendText(dst, packet []byte) []byte {
	dst = strconv.AppendInt(dst, int64(utf16Len(packet)), 10)
	return append(append(dst, ':'), packet...)
}

// AppendBase64 appends a binary message to a text payload.
func AppendBase64(dst, data []byte) []byte {
	dst = strconv.AppendInt(dst, int64(len(base64Message)+base64.StdEncoding.EncodedLen(len(data))), 10)
	return AppendBase64Packet(append(dst, ':'), data)
}

// AppendBase64Packet appends a binary message as a text packet, without its length.
func AppendBase64Packet(dst, data []byte) []byte {
	return base64.StdEncoding.AppendEncode(append(dst, base64Message...), data)
}

// AppendFramedText appends a text packet to a framed payload.
func AppendFramedText(dst, packet []byte) []byte {
	return append(appendHeader(dst, framedText, len(packet)), packet...)
}

// AppendFramedBinary appends a binary message to a framed payload.
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

// AppendBinary appends a binary message in the form of a WebSocket message.
func AppendBinary(dst, data []byte) []byte { return append(append(dst, message), data...) }

// Binary returns the data of a binary message. packet is a WebSocket message, or a binary packet
// of a framed payload.
func Binary(packet []byte) ([]byte, error) {
	if len(packet) == 0 || packet[0] != message {
		return nil, errType
	}
	return packet[1:], nil
}

// Base64 returns the data of a text packet that is a binary message in base64. is is false for other packets.
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

// Next returns the first packet of a text payload, which is UTF-8, and the rest. The packet may
// be empty, because some clients send an empty packet when they have nothing to send.
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

// NextFramed returns the first packet of a framed payload, and the rest. Binary decodes the
// packet if it is binary.
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

// number reads the decimal number at the beginning of p. zero is the byte for the digit 0.
// digits is the length of the number, or 0 if it has no digits or too many.
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

// IsASCII reports whether a text is ASCII. Its length in bytes is then its length in UTF-16 code
// units.
func IsASCII(p []byte) bool {
	for _, b := range p {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// utf16Len returns the length of a UTF-8 text in UTF-16 code units.
func utf16Len(p []byte) int {
	n := 0
	for _, b := range p {
		if b&0xc0 != 0x80 { // the first byte of a character
			n++
		}
		if b >= 0xf0 { // a character of two code units
			n++
		}
	}
	return n
}

// utf16Prefix returns how many bytes of a UTF-8 text are n UTF-16 code units. It reports false
// if the text is shorter, or if n ends between two surrogates.
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

// Undouble decodes a text packet of a text payload that was encoded in UTF-8 twice, as clients
// of Socket.IO 1 do. Their requests do not say so. Undouble decides by the text: if all its
// characters outside of ASCII look like bytes of UTF-8, it was almost certainly encoded twice.
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
