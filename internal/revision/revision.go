// Package revision has what differs between the revisions of the Socket.IO protocol that
// clients speak: 5 since version 3 of the official client, and 4 before. It knows no
// connection. Events and acknowledgements are the same in both.
package revision

import (
	"github.com/seed-d124fa34/socketio/internal/sessionid"
	"github.com/seed-d124fa34/socketio/parser"
)

// Protocol is a revision.
type Protocol interface {
	// Decoder returns the decoder of a connection: d, or one that changes what d gets or
	// returns. textual says that d reads the packets of the protocol, and not those of
	// another format.
	Decoder(d parser.Decoder, textual bool) parser.Decoder
	// JoinsMain reports whether the server connects each client to "/" without being asked.
	JoinsMain() bool
	// SID returns the session id of a new socket on the connection with the id connection.
	SID(namespace, connection string) string
	// Connected returns the payload of the packet that tells a client that it is connected.
	Connected(sid string) []any
	// Refused returns the payload of the packet that tells a client that it is refused.
	// whole is an object with message and data.
	Refused(message string, data, whole any) []any
}

// The revisions.
var (
	Current Protocol = revision5{}
	Old     Protocol = revision4{}
)

// Of returns the revision that a client speaks whose connection speaks a revision of
// Engine.IO.
func Of(engine int) Protocol {
	if engine == 3 {
		return Old
	}
	return Current
}

// ConnectMain is the packet by which a client would ask for "/".
var ConnectMain, _, _ = parser.New(nil).NewDecoder(parser.Limits{}).Decode([]byte("0"), false)

type revision5 struct{}

func (revision5) Decoder(d parser.Decoder, _ bool) parser.Decoder { return d }
func (revision5) JoinsMain() bool                                 { return false }
func (revision5) SID(_, _ string) string                          { return sessionid.New() }
func (revision5) Connected(sid string) []any                      { return []any{reply{sid}} }
func (revision5) Refused(_ string, _, whole any) []any            { return []any{whole} }

// reply is the payload of the server's CONNECT packet.
type reply struct {
	SID string `json:"sid"`
}

type revision4 struct{}

func (revision4) JoinsMain() bool        { return true }
func (revision4) Connected(string) []any { return nil }

func (revision4) Decoder(d parser.Decoder, textual bool) parser.Decoder {
	if textual {
		return decoder{d}
	}
	return foreign{d}
}

// SID returns the session id that the client computes for itself.
func (revision4) SID(namespace, connection string) string {
	if namespace == "/" {
		return connection
	}
	return namespace + "#" + connection
}

// InvalidNamespace is the message for a namespace that the server does not have.
const InvalidNamespace = "Invalid namespace"

// Refused returns the data or, if there is none, the message. The reference server sends
// the object for a namespace that it does not have.
func (revision4) Refused(message string, data, whole any) []any {
	switch data {
	case nil, "", false, 0, 0.0: // as JavaScript decides
	default:
		return []any{data}
	}
	if message == InvalidNamespace {
		return []any{whole}
	}
	return []any{message}
}
