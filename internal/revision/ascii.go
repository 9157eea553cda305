package revision

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendASCII appends a packet in which all text of its payload is ASCII, which means the
// same in JSON. Clients of Socket.IO 1 misread other text in some transports. The name of a
// namespace stays as it is.
func AppendASCII(dst, packet []byte) []byte {
	start := 0
	for start < len(packet) && (packet[start] >= '0' && packet[start] <= '9' || packet[start] == '-') {
		start++
	}
	if start < len(packet) && packet[start] == '/' {
		comma := bytes.IndexByte(packet, ',')
		if comma < 0 {
			return append(dst, packet...)
		}
		start = comma
	}
	dst = append(dst, packet[:start]...)
	for i := start; i < len(packet); {
		if packet[i] < utf8.RuneSelf {
			dst = append(dst, packet[i])
			i++
			continue
		}
		r, size := utf8.DecodeRune(packet[i:])
		i += size
		if r > 0xffff {
			high, low := utf16.EncodeRune(r)
			dst = appendEscape(appendEscape(dst, high), low)
		} else {
			dst = appendEscape(dst, r)
		}
	}
	return dst
}

const hexDigits = "0123456789abcdef"

func appendEscape(dst []byte, unit rune) []byte {
	return append(dst, '\\', 'u', hexDigits[unit>>12&15], hexDigits[unit>>8&15], hexDigits[unit>>4&15], hexDigits[unit&15])
}
