package recovery

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
)

// PID is the private id of a session: 128 random bits. Whoever knows it can take over
// the session, so that formatting, logging and encoding it show none of it. Only Secret
// does.
type PID [16]byte

// Key is what a session is found by: the SHA-256 of its private id, which servers tell each
// other instead of that.
type Key [sha256.Size]byte

// Key returns the key of the session that has the id.
func (p PID) Key() Key { return sha256.Sum256(p[:]) }

// pidLen is the length of what Secret returns.
const pidLen = 22

func newPID() (pid PID) {
	_, _ = rand.Read(pid[:]) // never fails
	return pid
}

// ParsePID returns the private id that a client has sent. ok is false for what cannot
// be one.
func ParsePID(text string) (pid PID, ok bool) {
	if len(text) != pidLen {
		return PID{}, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(pid[:], []byte(text))
	return pid, err == nil && n == len(pid)
}

// Secret returns the id as its client gets it: 22 characters of base64url.
func (p PID) Secret() string { return base64.RawURLEncoding.EncodeToString(p[:]) }

const concealed = "(private)"

// Format conceals the id, whatever the verb.
func (p PID) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(concealed)) }

// LogValue conceals the id in logs.
func (p PID) LogValue() slog.Value { return slog.StringValue(concealed) }

// MarshalText conceals the id in JSON and other encodings.
func (p PID) MarshalText() ([]byte, error) { return []byte(concealed), nil }
