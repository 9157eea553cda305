package soak

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

// socket is a client in a namespace, from CONNECT to its end.
type socket struct {
	c      *client
	ns     string
	sid    string // empty until it is connected
	pid    string // the private session id, if the server has recovery
	offset string // of the last event
	state  socketState
	old    *socket // what it was before, on the same connection; until connected

	seq     int64      // of the events sent
	acked   int64      // the last acknowledged
	pending []*request // not yet acknowledged, in order
	asked   int64      // questions of the server
	replies int64      // answers to them
	checked bool       // a request is under way for which channel.ask has noted what must be heard
	moving  int        // joins and leaves under way
	nagged  bool       // a request that is overdue has been reported

	everyone, private *seat
	rooms             []*place
	aloud             *voice // to everyone, if the client is a speaker
	friend            *socket
	whisper           *voice // to the friend

	goal       ending // how it ended
	parted     bool   // it had sent DISCONNECT before
	ended      int64
	unexpected bool // it was not meant to end so
}

type socketState uint8

const (
	socketConnecting socketState = iota
	socketIn
	socketAway // it has lost its connection, and comes back
	socketLeaving
	socketOut
)

// place is a socket in a room.
type place struct {
	name       string
	seat       *seat
	talk, hint *voice // what it says there
}

// request is an event that is to be acknowledged.
type request struct {
	seq  int64
	kind kind
	at   int64
	pay  payload
	done func() error // may be nil
}

func newSocket(c *client, ns string) *socket { return &socket{c: c, ns: ns} }

// enter begins the memberships that every socket has.
func (s *socket) enter() {
	s.everyone = s.c.everyone(s.ns).join()
	s.private = newChannel("private messages of another socket").join()
}

// there reports whether the socket must get what is emitted to it, now or when it is back.
func (s *socket) there() bool { return s.state == socketIn || s.state == socketAway }

// connect asks for the namespace.
func (s *socket) connect() error {
	auth, err := json.Marshal(struct {
		workload.SoakAuth
		PID    string `json:"pid,omitempty"`
		Offset string `json:"offset,omitempty"`
	}{workload.SoakAuth{Client: s.c.n, Life: s.c.life}, s.pid, s.offset})
	if err != nil {
		return err
	}
	b := []byte{packetConnect}
	if s.ns != "/" {
		b = append(append(b, s.ns...), ',')
	}
	return s.c.link.send([]message{{wire.OpText, append(b, auth...)}})
}

// connected handles the answer.
func (s *socket) connected(data []byte) error {
	var reply struct {
		SID string `json:"sid"`
		PID string `json:"pid"`
	}
	err := json.Unmarshal(data, &reply)
	if err == nil && s.state == socketAway {
		return s.back(reply.SID, reply.PID)
	}
	if err != nil || reply.SID == "" || s.state != socketConnecting || s.c.cfg.Recovery != (reply.PID != "") {
		return s.c.broken(fmt.Errorf("CONNECT packet in %s: %.200q", s.ns, data))
	}
	s.sid, s.pid = reply.SID, reply.PID
	if other := s.c.sids[s.sid]; other != nil {
		s.c.fault(s.c.faultf(faultBooks, "the session id of another socket"))
	}
	s.c.sids[s.sid] = s
	s.state = socketIn
	if s.old != nil {
		s.old.end(endClean)
		s.old = nil
	}
	s.everyone.joined()
	s.private.joined()
	if s.c.speaker {
		s.aloud = s.c.speak(s.everyone.ch, false, s.everyone)
	}
	s.c.tellable = append(s.c.tellable, s)
	for range roomsEach {
		if err := s.join(); err != nil {
			return err
		}
	}
	return s.c.accepted()
}

// disconnect returns the packet that leaves the namespace.
func (s *socket) disconnect() message {
	s.state, s.parted = socketLeaving, true
	b := []byte{packetDisconnect}
	if s.ns != "/" {
		b = append(append(b, s.ns...), ',')
	}
	return message{wire.OpText, b}
}

// renew leaves the namespace and enters it again, on the same connection.
func (s *socket) renew() error {
	c := s.c
	if err := c.link.send([]message{s.disconnect()}); err != nil {
		return err
	}
	n := newSocket(c, s.ns)
	n.old = s
	c.sockets[slices.Index(c.sockets, s)] = n
	n.enter()
	return n.connect()
}

// end is called when the socket must hear nothing any more.
func (s *socket) end(how ending) {
	if s.old != nil {
		s.old.end(how)
		s.old = nil
	}
	if s.state == socketOut {
		return
	}
	if (how == endKick || how == endHangUp) && s.goal != endNone {
		how = s.goal
	} else if how == endKick {
		how = endClean // its other namespaces are left by the client
	}
	s.state, s.goal, s.ended = socketOut, how, s.c.Clock()
	s.everyone.left()
	s.private.left()
	for _, p := range s.rooms {
		p.seat.left()
	}
	s.c.bury(s)
}

// voices returns the voices of the socket.
func (s *socket) voices() []*voice {
	vs := []*voice{s.aloud, s.whisper}
	for _, p := range s.rooms {
		vs = append(vs, p.talk, p.hint)
	}
	return slices.DeleteFunc(vs, func(v *voice) bool { return v == nil })
}

// beKicked asks the server to end the socket, or the connection.
func (s *socket) beKicked(how ending) error {
	s.goal = how
	name := workload.SoakKick
	if how == endHangUp {
		name = workload.SoakHangUp
		for _, other := range s.c.sockets {
			other.goal = how
		}
	}
	s.state = socketLeaving
	s.seq++
	return s.c.link.send(encodePacket(s.ns, -1, name, workload.Head{Seq: s.seq, At: s.c.wall(s.c.Clock())}, "", payload{}))
}

// request sends an event, and calls done when it is acknowledged. v may be nil.
func (s *socket) request(k kind, name, to string, v *voice, p payload, done func() error) error {
	s.seq++
	now := s.c.Clock()
	h := workload.Head{Seq: s.seq, At: s.c.wall(now), Sum: p.sum()}
	if v != nil {
		v.sent++
		h.Voice, h.Number = v.id, v.sent
	}
	s.pending = append(s.pending, &request{seq: s.seq, kind: k, at: now, pay: p, done: done})
	s.c.counts[k].sent++
	return s.c.link.send(encodePacket(s.ns, s.seq, name, h, to, p))
}

// packet handles a packet from the server.
func (s *socket) packet(p packet, attachment []byte) error {
	if s.state == socketConnecting && p.kind != packetConnect && p.kind != packetConnectError {
		if s.old == nil {
			return s.c.broken(fmt.Errorf("packet %c before CONNECT in %s: %.200q", p.kind, s.ns, p.data))
		}
		return s.old.packet(p, attachment)
	}
	if s.state == socketAway && p.kind != packetConnect && p.kind != packetConnectError {
		return s.c.broken(fmt.Errorf("packet %c before the session is recovered in %s: %.200q", p.kind, s.ns, p.data))
	}
	switch p.kind {
	case packetConnect:
		return s.connected(p.data)
	case packetDisconnect:
		return s.kicked()
	case packetConnectError:
		return s.c.broken(fmt.Errorf("refused in %s: %.200q", s.ns, p.data))
	}
	m, err := parseContent(p)
	if err != nil {
		return s.c.broken(err)
	}
	pay := payload{text: m.text, binary: attachment}
	if pay.binary == nil && p.attachments > 0 {
		pay.binary = []byte{}
	}
	if m.event == "" {
		return s.acknowledged(p.id, m, pay)
	}
	if m.offset != "" && s.pid != "" {
		s.offset = m.offset
	}
	if m.event == workload.OffsetEvent {
		return nil
	}
	if sum := pay.sum(); sum != m.head.Sum {
		s.fault(faultPayload, "event %s (voice %d, message %d) with %d+%d bytes and checksum %x, sent with %x",
			m.event, m.head.Voice, m.head.Number, len(m.text), len(attachment), sum, m.head.Sum)
	}
	switch m.event {
	case workload.SoakSaid:
		s.said(m.head, pay)
	case workload.SoakAsk:
		return s.ask(p.id, m.head, pay)
	default:
		s.fault(faultProtocol, "event %q, which this server does not emit", m.event)
	}
	return nil
}

func (s *socket) fault(kind, format string, args ...any) {
	s.c.fault(s.c.faultf(kind, "in %s: %s", s.ns, fmt.Sprintf(format, args...)))
}

// kicked is called when the server has ended the socket.
func (s *socket) kicked() error {
	if s.goal != endKick && s.goal != endHangUp {
		s.fault(faultDisconnect, "the server ended the socket")
		s.unexpected = true
		return s.c.link.lost(fmt.Errorf("DISCONNECT in %s", s.ns))
	}
	if s.goal == endHangUp {
		return nil // the end of the connection follows
	}
	var bye []message
	for _, other := range s.c.sockets {
		if other != s {
			bye = append(bye, other.disconnect())
		}
	}
	return s.c.link.bye(bye)
}

// join joins a room, at random.
func (s *socket) join() error {
	if s.ns == workload.SoakFeed {
		return nil
	}
	name := workload.SoakRoom(s.c.rng.IntN(s.c.cfg.Rooms))
	if slices.ContainsFunc(s.rooms, func(p *place) bool { return p.name == name }) {
		return nil
	}
	ch := s.c.room(s.ns, name)
	p := &place{name: name, seat: ch.join()}
	s.rooms = append(s.rooms, p)
	s.moving++
	return s.request(kindJoin, workload.SoakJoin, name, nil, payload{}, func() error {
		s.moving--
		p.seat.joined()
		p.talk = s.c.speak(ch, false, nil)
		p.hint = s.c.speak(ch, true, nil)
		return nil
	})
}

// move leaves a room and joins another.
func (s *socket) move() error {
	i := slices.IndexFunc(s.rooms, func(p *place) bool { return p.seat.state == seatIn })
	if i < 0 || s.checked {
		return nil
	}
	p := s.rooms[i]
	s.checked = true
	s.moving++
	p.seat.ask()
	p.seat.state = seatLeaving
	err := s.request(kindLeave, workload.SoakLeave, p.name, nil, payload{}, func() error {
		s.checked = false
		s.moving--
		s.report(p.seat.answered())
		p.seat.left()
		p.talk.silent()
		p.hint.silent()
		s.rooms = slices.DeleteFunc(s.rooms, func(other *place) bool { return other == p })
		return nil
	})
	if err != nil {
		return err
	}
	return s.join()
}

// check sends a request, and checks on its acknowledgement that everything has come that was sent before.
func (s *socket) check() error {
	if s.checked {
		return nil
	}
	s.checked = true
	seats := []*seat{s.everyone, s.private}
	for _, p := range s.rooms {
		seats = append(seats, p.seat)
	}
	for _, at := range seats {
		at.ask()
	}
	return s.request(kindSync, workload.SoakSync, "", nil, payload{}, func() error {
		s.checked = false
		for _, at := range seats {
			s.report(at.answered())
		}
		return nil
	})
}

func (s *socket) report(faults []*fault) {
	for _, f := range faults {
		s.fault(f.kind, "%s", f.text)
	}
}

// say speaks with a voice and expects to be acknowledged, after it has heard
// itself if it can.
func (s *socket) say(k kind, name, to string, v *voice, hears *seat, p payload) error {
	number := v.sent + 1
	return s.request(k, name, to, v, p, func() error {
		v.acked = max(v.acked, number)
		if hears == nil {
			return nil
		}
		if e := hears.ears[v]; e != nil && hears.state != seatOut && e.last < number {
			s.fault(faultOrder, "message %d to %s was acknowledged before the sender, who is a member, got it", number, strconv.Quote(to))
		}
		return nil
	})
}
