package flask

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/seed-d124fa34/socketio/internal/jsontext"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// envelope is a message as raw values. A value that is missing is nil.
type envelope struct {
	method, host, namespace, room, sid, id    []byte
	event, data, binary, skip, callback, args []byte
	except, volatile, compress, argc, bytes   []byte
	notices, timeout, home, from, left, limit []byte
	eventID                                   []byte
}

// member returns the field for the value of a member, nil for an unknown one.
func (m *envelope) member(key string) *[]byte {
	switch key {
	case "method":
		return &m.method
	case "host_id":
		return &m.host
	case "namespace":
		return &m.namespace
	case "room":
		return &m.room
	case "sid":
		return &m.sid
	case "id":
		return &m.id
	case "event":
		return &m.event
	case "data":
		return &m.data
	case "binary":
		return &m.binary
	case "skip_sid":
		return &m.skip
	case "callback":
		return &m.callback
	case "args":
		return &m.args
	}
	return m.own(key)
}

// own is member for members that Python does not know.
func (m *envelope) own(key string) *[]byte {
	switch key {
	case "except":
		return &m.except
	case "volatile":
		return &m.volatile
	case "compress":
		return &m.compress
	case "event_id":
		return &m.eventID
	case "argc":
		return &m.argc
	case "bytes":
		return &m.bytes
	case "notices":
		return &m.notices
	case "timeout":
		return &m.timeout
	case "home":
		return &m.home
	case "from":
		return &m.from
	case "left":
		return &m.left
	case "limit":
		return &m.limit
	}
	return nil
}

// addressed reports whether everything is known that decides which clients an event is for.
func (m *envelope) addressed() bool {
	return m.method != nil && m.host != nil && m.namespace != nil && m.room != nil
}

// arrival is a message that is being read.
type arrival struct {
	envelope
	judged bool // wanted and own are known
	wanted bool // it concerns this server
	own    bool // this server sent it, or it is an answer for another one
	err    error
	event  wire.Event
}

var (
	errNoNamespace = errors.New("it has no namespace")
	errNoEvent     = errors.New("an emit without event or data")
	errEmptyRoom   = errors.New("a room's name is empty")
)

// Read reads a message. If it is an event that reaches no client of this server, and its
// payload comes last, Read does not read the payload.
func (w *Wire) Read(_ string, data []byte, r wire.Receiver) (own bool, err error) {
	m := &w.arrived
	*m = arrival{event: wire.Event{Rooms: m.event.Rooms[:0]}}
	stopped := false
	err = jsontext.WalkObject(data, func(key []byte) bool {
		stopped = string(key) == "data" && m.addressed() && !w.concerns(m, r)
		return !stopped
	}, func(key, value []byte) {
		if member := m.member(string(key)); member != nil {
			*member = value
		}
	})
	switch {
	case err != nil:
		return false, explain(data, err)
	case stopped || !w.concerns(m, r):
		return m.own, nil
	}
	return false, w.carryOut(m, r)
}

// explain says what arrived instead of a message.
func explain(data []byte, err error) error {
	if len(data) > 0 && data[0] == 0x80 {
		return errors.New("a Python pickle, as python-socketio before 5.14 publishes: upgrade that server; pickles are not read")
	}
	return err
}

// concerns reports whether a message is of another server, and not an event that reaches no
// client of this server.
func (w *Wire) concerns(m *arrival, r wire.Receiver) bool {
	if !m.judged {
		m.judged = true
		m.wanted = w.judge(m, r)
	}
	return m.wanted
}

func (w *Wire) judge(m *arrival, r wire.Receiver) bool {
	mine := bytes.Equal(m.host, w.quoted)
	if string(m.method) == `"callback"` {
		m.own = !mine
		return mine
	}
	if mine {
		m.own = true
		return false
	}
	if string(m.method) != `"emit"` {
		return true
	}
	e := &m.event
	if !absent(m.home) { // a question to clients of one server, which also answers for those who have left
		e.Namespace, _ = jsontext.Text(m.namespace)
		m.readRooms()
		return bytes.Equal(m.home, w.quoted)
	}
	var ok bool
	if e.Namespace, ok = jsontext.Text(m.namespace); !ok {
		return true // the error comes later
	}
	e.Everyone = absent(m.room)
	if !e.Everyone {
		if m.readRooms(); m.err != nil {
			return true
		}
	}
	return r.Interested(e)
}

// readRooms reads the rooms that an event is for. To Python an empty name is a room without
// members; it must not become the room of everyone.
func (m *arrival) readRooms() {
	e := &m.event
	e.Rooms, m.err = appendNames(e.Rooms, m.room)
	e.Rooms = slices.DeleteFunc(e.Rooms, func(room string) bool { return room == "" })
}

// carryOut passes a message to the receiver.
func (w *Wire) carryOut(m *arrival, r wire.Receiver) error {
	switch string(m.method) {
	case `"emit"`:
		q, err := m.readEvent()
		if err != nil {
			return err
		}
		return r.Event(&m.event, q)
	case `"callback"`:
		a, err := m.answer()
		if err != nil {
			return err
		}
		return r.Answer(a)
	case `"cancel"`:
		if !absent(m.host) && m.id != nil {
			r.Cancel(hostName(m.host), string(m.id))
		}
		return nil
	case `"disconnect"`:
		return m.command(wire.Disconnect, r)
	case `"enter_room"`:
		return m.command(wire.Join, r)
	case `"leave_room"`:
		return m.command(wire.Leave, r)
	case `"close_room"`:
		return m.command(wire.CloseRoom, r)
	}
	return fmt.Errorf("its method is %.40q", m.method)
}

func (m *arrival) command(do wire.Action, r wire.Receiver) error {
	c := wire.Command{Do: do}
	var ok bool
	if c.Namespace, ok = jsontext.Text(m.namespace); !ok {
		return errNoNamespace
	}
	c.SID, _ = name(m.sid)
	if do != wire.Disconnect {
		if c.Room, _ = name(m.room); c.Room == "" {
			return fmt.Errorf("%s: %w", methods[do], errEmptyRoom)
		}
	}
	return r.Command(c)
}

// readEvent reads the rest of an emit, and its question.
func (m *arrival) readEvent() (q *wire.Question, err error) {
	e := &m.event
	switch {
	case m.namespace == nil || e.Namespace == "":
		return nil, errNoNamespace
	case m.err != nil:
		return nil, fmt.Errorf("room: %w", m.err)
	case absent(m.envelope.event) || m.data == nil:
		return nil, errNoEvent
	}
	if e.Payload, err = readPayload(m.data, truthy(m.binary)); err != nil {
		return nil, err
	}
	if string(e.Args) == "null" && string(m.argc) != "1" {
		e.Args = nil // Python publishes null for no argument
	}
	e.Name = clean(m.envelope.event)
	e.ID = eventID(m.eventID)
	e.Volatile, e.NoCompress = truthy(m.volatile), string(m.compress) == "false"
	if e.Skip, err = appendNames(nil, m.skip); err != nil {
		return nil, fmt.Errorf("skip_sid: %w", err)
	}
	if e.Except, err = appendNames(nil, m.except); err != nil {
		return nil, fmt.Errorf("except: %w", err)
	}
	if slices.Contains(e.Except, "") {
		return nil, fmt.Errorf("except: %w", errEmptyRoom)
	}
	return m.question()
}

// eventID returns an id without its quotes, nil for a value that cannot be one.
func eventID(lit []byte) []byte {
	if len(lit) < len(`"x"`) || len(lit) > wire.MaxEventID+len(`""`) || lit[0] != '"' || bytes.IndexByte(lit, '\\') >= 0 {
		return nil
	}
	return lit[1 : len(lit)-1]
}

// callback is the name of a question on the asking server, in the form in which it came: the
// answers repeat it.
type callback struct{ host, sid, namespace, id []byte }

// question reads the question of an event, nil if it asks for no acknowledgements.
func (m *arrival) question() (*wire.Question, error) {
	if absent(m.callback) {
		return nil, nil
	}
	var back [][]byte
	err := jsontext.WalkArray(m.callback, func(value []byte) bool {
		back = append(back, bytes.Clone(value))
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("callback: %w", err)
	}
	if len(back) != 3 || absent(m.host) {
		return nil, nil
	}
	q := &wire.Question{
		Host: hostName(m.host), ID: string(back[2]), Timeout: -1,
		Failures: truthy(m.notices), Binary: truthy(m.bytes),
		Return: &callback{host: bytes.Clone(m.host), sid: back[0], namespace: back[1], id: back[2]},
	}
	q.Home, _ = jsontext.Text(m.home)
	if ms, err := strconv.ParseInt(string(m.timeout), 10, 64); err == nil && ms >= 0 {
		q.Timeout = time.Duration(min(ms, maxTimeout)) * time.Millisecond
	}
	return q, nil
}

// hostName returns the host_id of another server.
func hostName(lit []byte) string {
	s, _ := name(lit)
	return s
}

// maxTimeout is the longest timeout, in milliseconds: a year.
const maxTimeout = 365 * 24 * 3600 * 1000

// answer reads a callback.
func (m *arrival) answer() (*wire.Answer, error) {
	a := new(wire.Answer)
	var err error
	if a.ID, err = strconv.ParseUint(string(m.id), 10, 64); err != nil || m.args == nil {
		return nil, errors.New("a callback without id or args")
	}
	a.Namespace, _ = jsontext.Text(m.namespace)
	a.From, _ = jsontext.Text(m.from)
	if a.Failed = truthy(m.left); a.Failed {
		a.Limit, _ = strconv.Atoi(string(m.limit))
		return a, nil
	}
	a.Payload, err = readPayload(m.args, truthy(m.binary))
	return a, err
}
