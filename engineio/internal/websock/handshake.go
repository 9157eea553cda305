package websock

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strings"
)

// The response to a WebSocket handshake (RFC 6455, section 4.2.2).
const (
	acceptHead = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
	acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

// acceptHeader has the keys that are in acceptHead.
var acceptHeader = map[string]bool{"Upgrade": true, "Connection": true, "Sec-Websocket-Accept": true}

// handshakeKey returns the key of a request that is a plain WebSocket handshake
// (RFC 6455, section 4.2.1). The library checks all others: it refuses most, and its
// message says what is wrong.
func handshakeKey(r *http.Request) (key string, plain bool) {
	if r.Method != http.MethodGet || r.ProtoMajor != 1 || r.ProtoMinor < 1 ||
		!strings.EqualFold(singleValue(r.Header["Upgrade"]), "websocket") || singleValue(r.Header["Sec-Websocket-Version"]) != "13" {
		return "", false
	}
	for token := range strings.SplitSeq(singleValue(r.Header["Connection"]), ",") {
		plain = plain || strings.EqualFold(strings.TrimSpace(token), "Upgrade")
	}
	key = singleValue(r.Header["Sec-Websocket-Key"])
	var nonce [18]byte
	if !plain || len(key) != base64.StdEncoding.EncodedLen(16) {
		return "", false
	}
	n, err := base64.StdEncoding.Decode(nonce[:], []byte(key))
	return key, err == nil && n == 16
}

// singleValue returns the value of a header that has one value, otherwise "".
func singleValue(values []string) string {
	if len(values) != 1 {
		return ""
	}
	return values[0]
}

// appendAccept appends the response to a handshake, with the headers that the application has
// set.
func appendAccept(b []byte, key string, header http.Header) []byte {
	sum := sha1.Sum([]byte(key + acceptGUID))
	b = append(b, acceptHead...)
	b = base64.StdEncoding.AppendEncode(b, sum[:])
	b = append(b, "\r\n"...)
	if len(header) > 0 {
		var more bytes.Buffer
		_ = header.WriteSubset(&more, acceptHeader)
		b = append(b, more.Bytes()...)
	}
	return append(b, "\r\n"...)
}
