package standby

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// MaxSnapshot is the size in bytes of the largest snapshot that is written.
const MaxSnapshot = migration.MaxClaim

const snapshotVersion = 1

// Snapshot is what is written down of a session.
type Snapshot struct {
	Version int    `json:"v"`
	Host    string `json:"host"`   // the id of its server on the broker
	Prefix  string `json:"prefix"` // of the ids of that server's events
	// Base is where the history is read from: what its client may lack is in Session.Packets, or comes later.
	Base Mark `json:"base"`
	// Now is when the snapshot was made. Session.Rooms are those of then.
	Now Place `json:"now"`
	// Changes are the joins and leaves between Base and Now, oldest first.
	Changes []Change `json:"changes,omitempty"`
	// Asks is the newest id of an acknowledgement that its server has given.
	Asks    uint64             `json:"asks,omitempty"`
	Session *migration.Session `json:"session"`
}

// Change is a join, or a leave.
type Change struct {
	Place
	Room string `json:"room"`
	Left bool   `json:"left,omitempty"`
}

var (
	errTooLarge = errors.New("it is too large")
	errNoForm   = errors.New("it is not complete")
)

// Encode returns the form of a snapshot. The error is that it is too large, or that a value is not
// JSON.
func (s *Snapshot) Encode() ([]byte, error) {
	s.Version = snapshotVersion
	form, err := json.Marshal(s)
	if err == nil && len(form) > MaxSnapshot {
		err = errTooLarge
	}
	return form, err
}

// Decode reads the form of a snapshot. What it returns is complete; names in it are not checked.
func Decode(form []byte) (*Snapshot, error) {
	s := new(Snapshot)
	switch {
	case len(form) > MaxSnapshot:
		return nil, fmt.Errorf("the record of a session: %w", errTooLarge)
	default:
		if err := json.Unmarshal(form, s); err != nil {
			return nil, fmt.Errorf("the record of a session: %w", err)
		}
	}
	if s.Version != snapshotVersion || s.Session == nil || len(s.Session.Key) != len(recovery.Key{}) || s.Prefix == "" || s.Base.At == "" ||
		s.Now.Compare(s.Base.Place) < 0 {
		return nil, fmt.Errorf("the record of a session: %w", errNoForm)
	}
	return s, nil
}

// roomsAtBase returns the rooms before the changes.
func (s *Snapshot) roomsAtBase() map[string]bool {
	rooms := make(map[string]bool, len(s.Session.Rooms))
	for _, room := range s.Session.Rooms {
		rooms[room] = true
	}
	for i := len(s.Changes) - 1; i >= 0; i-- {
		rooms[s.Changes[i].Room] = s.Changes[i].Left
	}
	return rooms
}
