// Package protocol has the wire format of Engine.IO, revision 4: the types of packets, the
// query of a request, session ids and the payload of the open packet.
package protocol

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

// Version is the revision of the protocol, in the query parameter EIO of every
// request.
const Version = "4"

// The packet types (protocol: "Packet types"), as bytes on the wire.
const (
	Open    = '0'
	Close   = '1'
	Ping    = '2'
	Pong    = '3'
	Message = '4'
	Upgrade = '5'
	Noop    = '6'
	Base64  = 'b' // a binary message inside a text

	Separator = 0x1e // between the packets of a payload
)

// Handshake is the content of the open packet.
type Handshake struct {
	SID          string
	Upgrades     []string
	PingTimeout  time.Duration
	PingInterval time.Duration
	MaxPayload   int // bytes; 0 leaves it out, as in revision 3
}

// Packet returns the open packet. Its keys have the order of Flask-SocketIO.
func (h *Handshake) Packet() string {
	b, _ := json.Marshal(struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingTimeout  int64    `json:"pingTimeout"`
		PingInterval int64    `json:"pingInterval"`
		MaxPayload   int      `json:"maxPayload,omitempty"`
	}{h.SID, h.Upgrades, h.PingTimeout.Milliseconds(), h.PingInterval.Milliseconds(), h.MaxPayload})
	return string(Open) + string(b)
}

// IDLength is the length of the session ids that NewID returns.
const IDLength = 22

// NewID returns a session id: 128 random bits. Anyone who knows it can poll the session.
func NewID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// Query has the parameters of the query of a request that the protocol defines.
type Query struct {
	Transport, SID, Version string
	// Revision 3 only: a client that cannot read binary data asks for base64, and one that
	// polls with script elements (JSONP) gives the number of its callback. With other
	// transports that parameter belongs to the application.
	Base64 bool
	JSONP  bool
	Index  string
}

// ParseQuery reads a query. It makes no map, because every poll has a query. An escape that
// is not valid is text, as for browsers and the reference server.
func ParseQuery(raw string) (q Query) {
	escaped := strings.ContainsAny(raw, "%+")
	var transport, sid, version, index, base64 bool // the first of each counts
	set := func(field *string, seen *bool, value string) {
		if !*seen {
			*field, *seen = value, true
		}
	}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		if escaped {
			key, value = unescape(key), unescape(value)
		}
		switch key {
		case "transport":
			set(&q.Transport, &transport, value)
		case "sid":
			set(&q.SID, &sid, value)
		case "EIO":
			set(&q.Version, &version, value)
		case "j":
			q.JSONP = true
			set(&q.Index, &index, value)
		case "b64":
			if !base64 {
				q.Base64, base64 = value != "", true
			}
		}
	}
	q.JSONP = q.JSONP && q.Transport == "polling"
	return q
}

func unescape(s string) string {
	if t, err := url.QueryUnescape(s); err == nil {
		return t
	}
	return s
}
