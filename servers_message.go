package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The messages that Go servers exchange beside those of queue.go, on a channel of
// their own: they know of each other, and ask each other. Each is a JSON object,
// whose members v, is, host, name and url mean the same in every version:
//
//	hello   sent on subscribing: everybody is to say here
//	here    sent every few seconds
//	bye     the server shuts down, and has no clients any more
//	ask     a question, which is an order for some values of "do"
//	answer  the answer, in parts
//
// A server of another version is known to be there, and not asked.

const (
	serversVersion = 1
	serversSuffix  = "#servers" // after Options.Cluster.Channel

	maxServerName = 200       // bytes, of host and name
	answerSize    = 128 << 10 // bytes, roughly, of one part of an answer
)

// serversMessage is any of the messages.
type serversMessage struct {
	Version int    `json:"v"`
	Is      string `json:"is"`
	Host    string `json:"host"` // who sends it, as on the queue
	Name    string `json:"name"` // the same for people

	// URL is where the other servers find the endpoint of this one, if it has
	// Options.Cluster.PeerURL: in hello and here.
	URL string `json:"url,omitempty"`

	ID uint64 `json:"id,omitempty"` // of a question, and its answers

	// A question. To are the hosts it is for, all if there are none.
	To       []string `json:"to,omitempty"`
	Do       string   `json:"do,omitempty"`
	NS       string   `json:"ns,omitempty"`
	Room     string   `json:"room,omitempty"`
	Other    string   `json:"other,omitempty"` // room, for move
	SID      string   `json:"sid,omitempty"`
	Everyone bool     `json:"everyone,omitempty"` // instead of Room or Rooms
	Rooms    []string `json:"rooms,omitempty"`
	Skip     []string `json:"skip,omitempty"`
	Except   []string `json:"except,omitempty"`

	// An answer, for To[0]. Part counts from 0.
	Part  int      `json:"part,omitempty"`
	Last  bool     `json:"last,omitempty"`
	Names []string `json:"names,omitempty"`
	Count int      `json:"count,omitempty"`
	Found bool     `json:"found,omitempty"`
	Error string   `json:"error,omitempty"`
}

// What a question asks.
const (
	doMembers    = "members"    // Names: the session ids in Room, or of everyone
	doCount      = "count"      // Count: how many these are
	doRooms      = "rooms"      // Found: SID is here; Names: its rooms
	doSelect     = "select"     // Names: the session ids that an emission reaches
	doDisconnect = "disconnect" // everyone in Room; Count: how many
	doMove       = "move"       // everyone in Room goes to Other; Count: how many
)

// roomNeeded reports whether the question is about Room, unless about everyone.
func (m *serversMessage) roomNeeded() bool {
	switch m.Do {
	case doMembers, doCount, doDisconnect, doMove:
		return true
	}
	return false
}

// changes reports whether the question is an order, not to be carried out twice.
func (m *serversMessage) changes() bool { return m.Do == doDisconnect || m.Do == doMove }

// readServersMessage decodes a message. One of another version is returned as far
// as it means the same, with an error.
func readServersMessage(data []byte) (*serversMessage, error) {
	var head struct {
		Version *int   `json:"v"`
		Is      string `json:"is"`
		Host    string `json:"host"`
		Name    string `json:"name"`
		URL     string `json:"url"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("between servers: %w", err)
	}
	switch {
	case head.Version == nil || head.Is == "":
		return nil, errors.New("between servers: it has no version or does not say what it is")
	case head.Host == "" || len(head.Host) > maxServerName || len(head.Name) > maxServerName:
		return nil, errors.New("between servers: its host has no name, or too long a one")
	}
	if _, err := endpointURL(head.URL); head.URL != "" && err != nil {
		return nil, fmt.Errorf("between servers: the PeerURL of %s: %w", head.Name, err)
	}
	m := &serversMessage{Version: *head.Version, Is: head.Is, Host: head.Host, Name: head.Name, URL: head.URL}
	if m.Version != serversVersion {
		return m, fmt.Errorf("between servers: version %d, and this server knows %d", m.Version, serversVersion)
	}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("between servers: %w", err)
	}
	switch m.Is {
	case "hello", "here", "bye", "ask":
	case "answer":
		if len(m.To) != 1 || m.Part < 0 || m.Count < 0 {
			return nil, errors.New("between servers: an answer for nobody, or with a negative number")
		}
	default:
		return nil, fmt.Errorf("between servers: it is a %.40q", m.Is)
	}
	return m, nil
}

// encode returns the message as it is published.
func (m *serversMessage) encode() []byte {
	data, _ := json.Marshal(m) // strings and numbers have no errors
	return data
}

// parts divides an answer, so that brokers take it.
func (m *serversMessage) parts() []*serversMessage {
	all := []*serversMessage{}
	names := m.Names
	for first := true; first || len(names) > 0; first = false {
		part := *m
		part.Part = len(all)
		n, size := 0, 0
		for n < len(names) && size < answerSize {
			size += len(names[n]) + 3
			n++
		}
		part.Names, names = names[:n], names[n:]
		part.Last = len(names) == 0
		all = append(all, &part)
	}
	return all
}
