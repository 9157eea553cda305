package revision

import (
	"bytes"
	"fmt"
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
			r -= 0x10000
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		} else {
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
	}
	return dst
}
