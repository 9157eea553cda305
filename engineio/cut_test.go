package engineio_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// A connection that ends in the middle of a message, wherever that is: what came of the message is no message. The
// WebSocket library takes the end of the connection for the end of the message at some places. .ci/nightly cuts long
// messages at four times as many places.
func TestCutMessage(t *testing.T) {
	compressed := "\xf2\x48\xcd\xc9\xc9\x07\x00" // "Hello", RFC 7692, section 7.2.3.1
	for name, message := range map[string]string{
		"binary":               frame(0x82, strings.Repeat("x", 1200)),
		"text":                 frame(0x81, "4"+strings.Repeat("x", 600)),
		"fragments":            frame(0x02, "one") + frame(0x00, "two") + frame(0x80, "three"),
		"compressed":           frame(0xc2, compressed),
		"compressed fragments": frame(0x42, compressed[:3]) + frame(0x80, compressed[3:]),
	} {
		t.Run(name, func(t *testing.T) {
			shake := []byte(request("GET", "EIO=4&transport=websocket", wsHeaders+"Sec-WebSocket-Extensions: permessage-deflate\r\n", ""))
			opts := &engineio.Options{PerMessageDeflate: true}
			step := max(1, len(message)/64)
			if os.Getenv("NIGHTLY") != "" {
				step = max(1, len(message)/256)
			}
			for at := 0; at < len(message); at++ {
				if at > 16 && at < len(message)-4 && at%step != 0 { // in the middle of the data
					continue
				}
				synctest.Test(t, func(t *testing.T) {
					h := newHost(t, opts, nil)
					eiotest.Play(t, h.srv, []eiotest.Step{{Data: shake}, {Data: []byte(message[:at]), Half: true}}).Close()
					assert.Empty(t, h.messages(), fmt.Sprint("cut at ", at))
				})
				h := newHost(t, opts, nil)
				received := overSocket(t, h.srv, shake, []byte(message[:at]))
				assert.True(t, bytes.HasPrefix(received, []byte("HTTP/1.1 101")))
				h.finish()
				assert.Empty(t, h.messages(), fmt.Sprint("over a socket, cut at ", at))
			}
		})
	}
}
