package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	version = 1

	maxNameLen = 200 // bytes, of a server's id and of its name
)

// The kinds of messages, see the package comment.
const (
	kindHello  = "hello"
	kindAlive  = "alive"
	kindBye    = "bye"
	kindAsk    = "ask"
	kindAnswer = "answer"
	kindNext   = "next"
)

// message is any of the messages. It does not change once it has been made.
type message struct {
	Version int    `json:"v"`
	Kind    string `json:"is"`
	Host    string `json:"host"` // the id of the server that sends it
	Name    string `json:"name"` // the same for people

	// Endpoint is where the other servers find the endpoint of this one, if it has one for them: in
	// hello and here.
	Endpoint string `json:"url,omitempty"`

	// To are the servers that a message is for. A question without it is for all servers; answer and
	// next have exactly one.
	To []string `json:"to,omitempty"`
	ID uint64   `json:"id,omitempty"` // of a question, and of what belongs to it

	Question json.RawMessage `json:"question,omitempty"` // ask
	Order    bool            `json:"order,omitempty"`    // ask
	Once     bool            `json:"once,omitempty"`     // ask
	Urgent   bool            `json:"urgent,omitempty"`   // ask

	// Part counts from 0. In ask and next it is the part that is wanted. Attempt tells the parts of
	// one list from those of another that was made later for the same question.
	Part    int    `json:"part,omitempty"`
	Attempt uint64 `json:"attempt,omitempty"`

	Last  bool     `json:"last,omitempty"` // answer, as all that follow
	Names []string `json:"names,omitempty"`
	Count int      `json:"count,omitempty"` // Count, Found and Error come with the last part
	Found bool     `json:"found,omitempty"`
	Error string   `json:"error,omitempty"`
}

// readMessage decodes a message for the server self; of answers for other servers it decodes no
// more than who sent them. If a message cannot be used but shows that a server is there, because it
// is of another version, both results are set.
func readMessage(data []byte, self string) (*message, error) {
	var head struct {
		Version  *int     `json:"v"`
		Kind     string   `json:"is"`
		Host     string   `json:"host"`
		Name     string   `json:"name"`
		Endpoint string   `json:"url"`
		To       []string `json:"to"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("between servers: %w", err)
	}
	switch {
	case head.Version == nil || head.Kind == "":
		return nil, errors.New("between servers: a message has no version or no kind")
	case head.Host == "" || len(head.Host) > maxNameLen || len(head.Name) > maxNameLen:
		return nil, errors.New("between servers: a message has no sender, or the sender's name is too long")
	}
	if _, err := ParseEndpoint(head.Endpoint); head.Endpoint != "" && err != nil {
		return nil, fmt.Errorf("between servers: the PeerURL of %s: %w", head.Name, err)
	}
	if head.Name == "" {
		head.Name = head.Host
	}
	m := &message{Version: *head.Version, Kind: head.Kind, Host: head.Host, Name: head.Name, Endpoint: head.Endpoint, To: head.To}
	if m.Version != version {
		return m, fmt.Errorf("between servers: %s sends version %d, and this server knows version %d", m.Name, m.Version, version)
	}
	if m.Kind == kindAnswer && len(m.To) == 1 && m.To[0] != self {
		return m, nil
	}
	m.To = nil
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("between servers: %w", err)
	}
	m.Name = head.Name
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

// check checks what json.Unmarshal does not.
func (m *message) check() error {
	switch m.Kind {
	case kindHello, kindAlive, kindBye:
		return nil
	case kindAsk:
		if len(m.Question) == 0 || m.Part < 0 {
			return errors.New("between servers: a question without content, or for a part with a negative number")
		}
	case kindAnswer, kindNext:
		if len(m.To) != 1 || m.Part < 0 || m.Count < 0 {
			return fmt.Errorf("between servers: a message of kind %q without receiver, or with a negative number", m.Kind)
		}
	default:
		return fmt.Errorf("between servers: a message is of kind %.40q", m.Kind)
	}
	return nil
}

// encode returns the message as it is published.
func (m *message) encode() []byte {
	data, err := json.Marshal(m)
	if err != nil { // Question is valid JSON, which Ask has checked, and nothing else can fail
		panic(err)
	}
	return data
}

// PerhapsOrder reports, without decoding it, whether a message may be one that ReadOrder reads.
func PerhapsOrder(data []byte) bool { return bytes.Contains(data, []byte(`"order":true`)) }

// ReadOrder returns the content of an order to all servers, and the id of the server that gives it.
// ok is false if the message is none.
func ReadOrder(data []byte) (host string, content []byte, ok bool) {
	m, err := readMessage(data, "")
	if err != nil || m == nil || m.Kind != kindAsk || !m.Order || m.Once {
		return "", nil, false
	}
	return m.Host, m.Question, true
}
