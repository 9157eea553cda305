package eiotest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// The modes of a Client that speaks revision 3, as those of Socket.IO 1 and 2 do.
const (
	OldPolling         Mode = "old polling"          // long-polling only, with binary data
	OldBase64          Mode = "old base64"           // likewise, with binary data in base64
	OldJSONP           Mode = "JSONP"                // likewise, with scripts and forms
	OldWebSocket       Mode = "old websocket"        // WebSocket from the start
	OldBase64WebSocket Mode = "old base64 websocket" // likewise, with binary data in base64
	OldUpgrade         Mode = "old upgrade"          // long-polling, upgraded to WebSocket before Dial returns
)

// OldModes are all the ways to connect with revision 3.
var OldModes = []Mode{OldPolling, OldBase64, OldJSONP, OldWebSocket, OldBase64WebSocket, OldUpgrade}

// old is the format of a client of revision 3; nil is revision 4.
type old struct {
	base64, jsonp bool
}

// Current returns the mode of revision 4 that corresponds to a mode: Polling, WebSocket or Upgrade.
func (m Mode) Current() Mode {
	current, _ := revision3(m)
	return current
}

// Revision returns the revision of the protocol: 3 or 4.
func (m Mode) Revision() int {
	if _, old := revision3(m); old != nil {
		return 3
	}
	return 4
}

// revision3 returns the mode of revision 4 that corresponds to a mode, and the format.
func revision3(m Mode) (Mode, *old) {
	switch m {
	case OldPolling:
		return Polling, &old{}
	case OldBase64:
		return Polling, &old{base64: true}
	case OldJSONP:
		return Polling, &old{base64: true, jsonp: true}
	case OldWebSocket:
		return WebSocket, &old{}
	case OldBase64WebSocket:
		return WebSocket, &old{base64: true}
	case OldUpgrade:
		return Upgrade, &old{}
	}
	return m, nil
}

// query adds what a client of revision 3 has in every query.
func (o *old) query(q url.Values) url.Values {
	own := url.Values{"EIO": {"3"}}
	if o.jsonp {
		own["j"] = []string{jsonpIndex}
	}
	if o.base64 {
		own["b64"] = []string{"1"}
	}
	for k, v := range q {
		own[k] = v
	}
	return own
}

const jsonpIndex = "7"

// body makes the body of a POST and its Content-Type.
func (o *old) body(batch []packet) (body []byte, contentType string) {
	binary := false
	for _, p := range batch {
		binary = binary || p.binary
	}
	if binary && !o.base64 {
		for _, p := range batch {
			kind, content := byte(0), append([]byte{p.kind}, p.data...)
			if p.binary {
				kind, content = 1, append([]byte{4}, p.data...)
			}
			body = append(body, kind)
			for _, digit := range strconv.Itoa(len(content)) {
				body = append(body, byte(digit-'0'))
			}
			body = append(append(body, 255), content...)
		}
		return body, "application/octet-stream"
	}
	for _, p := range batch {
		text := o.text(p)
		body = fmt.Appendf(body, "%d:%s", len(utf16.Encode([]rune(text))), text)
	}
	if !o.jsonp {
		return body, "text/plain;charset=UTF-8"
	}
	escaped := strings.ReplaceAll(strings.ReplaceAll(string(body), `\n`, "\\\n"), "\n", `\n`)
	return []byte("d=" + url.QueryEscape(escaped)), "application/x-www-form-urlencoded"
}

// text is a packet in a payload of text.
func (o *old) text(p packet) string {
	if p.binary {
		return "b4" + base64.StdEncoding.EncodeToString(p.data)
	}
	return string(p.kind) + string(p.data)
}

// parse parses the answer to a poll, strictly.
func (o *old) parse(resp *Response) ([]packet, error) {
	contentType, body := resp.Header.Get("Content-Type"), resp.Body
	switch {
	case o.jsonp:
		literal, ok := strings.CutPrefix(body, "___eio["+jsonpIndex+"](")
		literal, end := strings.CutSuffix(literal, ");")
		if !ok || !end || contentType != "text/javascript; charset=UTF-8" || strings.ContainsAny(body, "\u2028\u2029<") {
			return nil, fmt.Errorf("script %.100q of type %q", body, contentType)
		}
		if err := json.Unmarshal([]byte(literal), &body); err != nil {
			return nil, fmt.Errorf("script %.100q: %w", body, err)
		}
	case contentType == "application/octet-stream" && !o.base64:
		return o.parseFramed([]byte(body))
	case contentType != "text/plain; charset=UTF-8":
		return nil, fmt.Errorf("payload of type %q", contentType)
	}
	return o.parseText(body)
}

func (o *old) parseText(body string) (packets []packet, err error) {
	units := utf16.Encode([]rune(body))
	for len(units) > 0 {
		n := 0
		for len(units) > 0 && units[0] >= '0' && units[0] <= '9' {
			n, units = 10*n+int(units[0]-'0'), units[1:]
		}
		if len(units) <= n || units[0] != ':' || n == 0 {
			return packets, fmt.Errorf("payload %.100q", body)
		}
		p, err := o.packet(string(utf16.Decode(units[1 : n+1])))
		if err != nil {
			return packets, err
		}
		packets, units = append(packets, p), units[n+1:]
	}
	return packets, nil
}

func (o *old) parseFramed(body []byte) (packets []packet, err error) {
	for len(body) > 0 {
		header, rest, ok := bytes.Cut(body, []byte{255})
		if !ok || len(header) < 2 || header[0] > 1 {
			return packets, fmt.Errorf("framed payload %.100q", body)
		}
		n := 0
		for _, digit := range header[1:] {
			n = 10*n + int(digit)
		}
		if n > len(rest) || n == 0 {
			return packets, fmt.Errorf("framed payload %.100q", body)
		}
		content := rest[:n]
		body = rest[n:]
		switch {
		case header[0] == 1 && content[0] == 4:
			packets = append(packets, packet{packetMessage, content[1:], true})
		case header[0] == 0 && utf8.Valid(content):
			p, err := o.packet(string(content))
			if err != nil {
				return packets, err
			}
			packets = append(packets, p)
		default:
			return packets, fmt.Errorf("framed packet %.100q", content)
		}
	}
	return packets, nil
}

// packet parses a text packet.
func (o *old) packet(s string) (packet, error) {
	if data, ok := strings.CutPrefix(s, "b4"); ok && o.base64 {
		b, err := base64.StdEncoding.Strict().DecodeString(data)
		return packet{packetMessage, b, true}, err
	}
	if strings.HasPrefix(s, "b") {
		return packet{}, fmt.Errorf("base64 for a client that can read binary data: %.100q", s)
	}
	return parsePacket(s)
}

// message parses a WebSocket message.
func (o *old) message(data []byte, text bool) (packet, error) {
	switch {
	case text:
		return o.packet(string(data))
	case o.base64 || len(data) == 0 || data[0] != 4:
		return packet{}, fmt.Errorf("binary message %.100q", data)
	}
	return packet{packetMessage, data[1:], true}, nil
}

// oldMaxPayload is the largest POST of a client of revision 3, in bytes. The server does not send its limit, so this
// follows from the default.
const oldMaxPayload = 1_000_000 / 2 // forms take more

// ping is the client's heartbeat.
func (c *Client) ping() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil || c.closing || c.hushed {
		return
	}
	c.out = append(c.out, packet{kind: packetPing})
	c.broadcast()
	c.heartbeat = time.AfterFunc(time.Duration(c.hs.PingTimeout)*time.Millisecond, func() { c.end(&CloseError{Kind: CloseTimeout}) })
}

// schedulePing is called with the mutex held when a packet of the server has come.
func (c *Client) schedulePing() {
	if c.heartbeat != nil {
		c.heartbeat.Stop()
	}
	if c.closed == nil && !c.opts.NoAutoPong {
		c.heartbeat = time.AfterFunc(time.Duration(c.hs.PingInterval)*time.Millisecond, c.ping)
	}
}

// openPollingOld reads the answer to the handshake of a client of revision 3.
func (c *Client) openPollingOld(resp *Response) error {
	packets, err := c.old.parse(resp)
	if err != nil || len(packets) == 0 {
		return fmt.Errorf("eiotest: handshake: %.100q: %w", resp.Body, err)
	}
	hs, err := parseHandshake(string(packets[0].appendText(nil)), 3)
	if err != nil {
		return err
	}
	c.hs = *hs
	c.raw.SID = hs.SID
	c.start()
	if !c.packets(packets[1:], nil) {
		return c.Err()
	}
	c.startPolling()
	return nil
}

// revision returns the revision of the protocol.
func (c *Client) revision() int {
	if c.old != nil {
		return 3
	}
	return 4
}

// sendBody sends a POST.
func (c *Client) sendBody(body []byte, contentType string) (*Response, error) {
	return c.raw.Do(c.ctx, http.MethodPost, c.raw.Address("polling"), bytes.NewReader(body), http.Header{"Content-Type": {contentType}})
}
