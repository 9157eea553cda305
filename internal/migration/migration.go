// Package migration has sessions as they travel from one server to another: what a
// server has to know of one to go on with it, and its form in an answer of package fleet,
// which is a list of strings.
package migration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Session is one client in one namespace, and what it has missed.
type Session struct {
	// Key is the SHA-256 of the private id, see package recovery.
	Key []byte `json:"key"`

	SID       string                     `json:"sid"`
	Namespace string                     `json:"ns"`
	Rooms     []string                   `json:"rooms,omitempty"` // without that of the SID
	Values    map[string]json.RawMessage `json:"values,omitempty"`
	Reason    string                     `json:"reason"` // for which its connection was lost

	// Start and Confirmed are those of the log, see recovery.Log.Start.
	Start     string     `json:"start,omitempty"`
	Confirmed bool       `json:"confirmed,omitempty"`
	Own       string     `json:"own,omitempty"`     // see recovery.Log.TrimmedOwn
	Packets   []Packet   `json:"packets,omitempty"` // oldest first
	Questions []Question `json:"questions,omitempty"`
	// Asks is the newest id of an acknowledgement that its server has given: a late answer of the client must not
	// count for another question.
	Asks uint64 `json:"asks,omitempty"`

	// Restored is what Restorer.Restore has for Host.Take besides. It goes to no other server.
	Restored any `json:"-"`
}

// Packet is an event, as the messages that its client gets.
type Packet struct {
	Offset string `json:"o"`
	// Text is the first message, followed by Binary and, if it is not empty, Last. If Text is
	// empty and there is Binary, the first message is of that.
	Text   string   `json:"t,omitempty"`
	Binary [][]byte `json:"b,omitempty"`
	Last   string   `json:"l,omitempty"`
	// Ask is the acknowledgement that it asks for; 0: none.
	Ask uint64 `json:"a,omitempty"`
}

// Question is an acknowledgement that is waited for.
type Question struct {
	Ask    uint64 `json:"a"` // its id for the client
	Answer uint64 `json:"n"` // its id for the server that waits
	// Left is for how much longer it is waited for, at most; 0: until it is cancelled.
	Left time.Duration `json:"left,omitempty"`
}

// chunkSize is how many bytes a string of the form has at most, about.
const chunkSize = 32 << 10

// A string of the form begins with one of these.
const (
	goesOn = '+' // the next one has more of this session
	ends   = '.'
)

// Append appends the form of a session. The error is that a value is not JSON.
func Append(form []string, s *Session) ([]string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it takes space, and packets have much of that
	if err := enc.Encode(s); err != nil {
		return form, fmt.Errorf("a session that is to move: %w", err)
	}
	text := strings.TrimSuffix(b.String(), "\n")
	for len(text) > chunkSize {
		n := chunkSize
		for !utf8.RuneStart(text[n]) {
			n--
		}
		form = append(form, string(goesOn)+text[:n])
		text = text[n:]
	}
	return append(form, string(ends)+text), nil
}

var errCutOff = errors.New("a session from another server is cut off")

// Read returns the sessions that a form has, in order.
func Read(form []string) (all []*Session, err error) {
	var text strings.Builder
	for i, chunk := range form {
		if chunk == "" {
			return nil, errCutOff
		}
		text.WriteString(chunk[1:])
		switch {
		case chunk[0] == goesOn && i+1 < len(form):
			continue
		case chunk[0] != ends:
			return nil, errCutOff
		}
		s := new(Session)
		if err := json.Unmarshal([]byte(text.String()), s); err != nil {
			return nil, fmt.Errorf("a session from another server: %w", err)
		}
		text.Reset()
		all = append(all, s)
	}
	return all, nil
}
