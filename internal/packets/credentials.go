package packets

import (
	"fmt"
	"strings"

	"github.com/seed-d124fa34/socketio/internal/goargs"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/parser"
)

// Credentials are what a client adds to the payload of its CONNECT packet to come back to its session.
type Credentials struct {
	PID string // as the client sent it; empty: the client was in no session before
	ID  recovery.PID
	// Home is the server on which the session began, by its name on the broker. The session may be on
	// another one now.
	Home string
	// Offset is the last one that the client has received; zero: it has received none.
	Offset recovery.Offset
	// UnknownOffset: the client names an offset that is none of this package.
	UnknownOffset bool
}

// CredentialsIn returns the credentials in a CONNECT packet. Their PID is empty if there are none, or if
// the pid cannot be that of a server: it is the application's then.
func CredentialsIn(p parser.Packet) (c Credentials) {
	if p.Args.Len() == 0 {
		return c
	}
	var auth struct {
		PID    string `json:"pid"`
		Offset any    `json:"offset"`
	}
	if p.Args.Bind(0, &auth) != nil || auth.PID == "" {
		return c
	}
	secret, home, _ := strings.Cut(auth.PID, ".")
	id, ok := recovery.ParsePID(secret)
	if !ok {
		return c
	}
	c.PID, c.ID, c.Home = auth.PID, id, home
	if auth.Offset != nil && auth.Offset != "" {
		text, _ := auth.Offset.(string)
		c.Offset, ok = recovery.ParseOffset(text)
		c.UnknownOffset = !ok
	}
	return c
}

// WithoutCredentials returns the payload of a CONNECT packet as the application of the client gave it.
// The error is that the parser cannot encode what it has decoded; the payload is the whole one then.
func (e *Encoder) WithoutCredentials(p parser.Packet, limits parser.Limits) (parser.Args, error) {
	auth := authAlone[parser.Raw]
	if e.OwnParser { // what is not JSON must be decoded
		auth = authAlone[any]
	}
	args := auth(p)
	if len(args) == 0 {
		return goargs.Args(nil), nil
	}
	text, attachments, err := e.Parser.Encode(nil, parser.Header{Type: parser.Connect, Namespace: p.Namespace}, args)
	if err == nil {
		var again parser.Packet
		if again, err = parser.DecodeAll(e.Parser, limits, text, attachments); err == nil {
			return again.Args, nil
		}
	}
	return p.Args, fmt.Errorf("the payload of a CONNECT packet cannot be encoded again: %w", err)
}

// authAlone returns the object in a CONNECT packet without the credentials, as the only argument; none
// if nothing is left.
func authAlone[V any](p parser.Packet) []any {
	auth := map[string]V{}
	_ = p.Args.Bind(0, &auth)
	delete(auth, "pid")
	delete(auth, "offset")
	if len(auth) == 0 {
		return nil
	}
	return []any{auth}
}
