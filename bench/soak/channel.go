package soak

import "fmt"

// channel is a destination of messages: a room, everyone in a namespace, or one socket. Its
// members hear its voices. It is known exactly what a member must hear, because all clients are
// in this process and nothing is concurrent here:
//
//   - A member must not hear a message that was acknowledged to the speaker before the member
//     asked to join: it was emitted without the member.
//   - A member must hear a message that is sent after its join was acknowledged. After any
//     message that it hears, it must hear the next one.
//   - When the server acknowledges a request of a member, the member must have heard every
//     message that was acknowledged to its speaker before the request: it was queued before.
//   - A member must hear nothing after its leave was acknowledged.
type channel struct {
	name    string
	members map[*seat]struct{}
	voices  map[*voice]struct{}
}

func newChannel(name string) *channel {
	return &channel{name: name, members: map[*seat]struct{}{}, voices: map[*voice]struct{}{}}
}

// voice numbers the messages of one socket in one channel, from its join to its leave.
type voice struct {
	id       int64
	ch       *channel
	volatile bool  // its messages may be lost
	sent     int64 // the last number sent; for a voice of the server, the last one that anybody heard
	acked    int64 // the last number that is known to have been emitted
	servers  bool  // it is a voice of the server
	gone     bool  // none of its messages will be emitted any more
	ears     int   // how many members may still hear it
	deaf     *seat // the seat of the speaker, if it does not hear itself
}

// seat is the membership of one socket in one channel.
type seat struct {
	ch    *channel
	state seatState
	ears  map[*voice]*ear
}

type seatState uint8

const (
	seatJoining seatState = iota // asked
	seatIn                       // and acknowledged
	seatLeaving                  // asked
	seatOut                      // and acknowledged, or the socket is gone
)

// ear says what a member has heard of a voice.
type ear struct {
	last  int64 // the last number heard; before the first one, the last that must not be heard
	limit int64 // the first number heard may be any up to the one after this
	heard bool
	mark  int64 // what must have been heard when the request under way is acknowledged; nothing if negative
	over  bool  // nothing comes after mark
}

const unmarked = -1

// join begins a membership. The socket is about to ask for it.
func (ch *channel) join() *seat {
	s := &seat{ch: ch, ears: map[*voice]*ear{}}
	ch.members[s] = struct{}{}
	for v := range ch.voices {
		s.listen(v)
	}
	return s
}

func (s *seat) listen(v *voice) {
	s.ears[v] = &ear{last: v.acked, limit: v.acked, mark: unmarked}
	v.ears++
}

// joined is called when the join was acknowledged.
func (s *seat) joined() {
	s.state = seatIn
	for v, e := range s.ears {
		if !e.heard {
			e.limit = v.sent
		}
	}
}

// left ends a membership. It is called when the leave was acknowledged or the socket is gone.
func (s *seat) left() {
	if s.state == seatOut {
		return
	}
	s.state = seatOut
	delete(s.ch.members, s)
	for v := range s.ears {
		v.ears--
	}
	s.ears = nil
}

// speak begins a voice. deaf is the seat of the speaker, if it does not hear itself.
func (ch *channel) speak(id int64, volatile bool, deaf *seat) *voice {
	v := &voice{id: id, ch: ch, volatile: volatile, deaf: deaf}
	ch.voices[v] = struct{}{}
	for s := range ch.members {
		if s != deaf {
			s.listen(v)
		}
	}
	return v
}

// silent notes that no message of the voice will be emitted any more.
func (v *voice) silent() {
	v.gone = true
	delete(v.ch.voices, v)
}

// fault is something that a check has found.
type fault struct {
	kind string
	text string
}

// The kinds of faults.
const (
	faultLost       = "lost"
	faultDuplicate  = "duplicate"
	faultOrder      = "out of order"
	faultStray      = "stray"
	faultPayload    = "payload"
	faultProtocol   = "protocol"
	faultDisconnect = "disconnected"
	faultUnanswered = "unanswered"
	faultBooks      = "books"
	faultIndex      = "index"
	faultMemory     = "memory"
	faultServer     = "found by the server"
)

func faultf(kind, format string, args ...any) *fault {
	return &fault{kind, fmt.Sprintf(format, args...)}
}

// hear notes a message that the member got. It returns what is wrong with it.
func (s *seat) hear(v *voice, number int64) *fault {
	if s.state == seatOut {
		return faultf(faultStray, "message %d of voice %d in %s to a socket that has left it", number, v.id, s.ch.name)
	}
	e := s.ears[v]
	if e == nil {
		return faultf(faultStray, "message %d of voice %d in %s, which this socket cannot hear", number, v.id, s.ch.name)
	}
	if v.servers {
		v.sent, v.acked = max(v.sent, number), max(v.acked, number-1)
	}
	if number < 1 || number > v.sent {
		return faultf(faultPayload, "message %d of voice %d in %s, which has said %d", number, v.id, s.ch.name, v.sent)
	}
	last, first := e.last, !e.heard
	e.last, e.heard = max(e.last, number), true
	switch {
	case number == last && !first:
		return faultf(faultDuplicate, "message %d of voice %d in %s came twice", number, v.id, s.ch.name)
	case number <= last && !first:
		return faultf(faultOrder, "message %d of voice %d in %s came after %d", number, v.id, s.ch.name, last)
	case number <= last:
		return faultf(faultStray, "message %d of voice %d in %s was emitted before this socket asked to join (%d was acknowledged)", number, v.id, s.ch.name, last)
	case v.volatile:
		return nil
	case first && (s.state == seatJoining || v.servers):
		return nil // what was sent before the join is acknowledged may be missed
	case first && number > e.limit+1:
		return faultf(faultLost, "messages %d to %d of voice %d in %s did not come", e.limit+1, number-1, v.id, s.ch.name)
	case !first && number != last+1:
		return faultf(faultLost, "messages %d to %d of voice %d in %s did not come", last+1, number-1, v.id, s.ch.name)
	}
	return nil
}

// ask notes what must have been heard when the request is acknowledged that is about to be sent.
func (s *seat) ask() {
	if s.state != seatIn {
		return
	}
	for v, e := range s.ears {
		e.over = v.gone
		if e.mark = v.acked; v.servers && !e.heard {
			e.mark = 0 // how much it had said when the join was acknowledged is not known
		}
	}
}

// answered checks what ask has noted.
func (s *seat) answered() []*fault {
	var faults []*fault
	for v, e := range s.ears {
		if e.mark == unmarked {
			continue
		}
		have := e.last
		if !e.heard {
			have = max(have, e.limit) // which need not have come
		}
		if e.mark > have && !v.volatile {
			faults = append(faults, faultf(faultLost, "messages %d to %d of voice %d in %s did not come", have+1, e.mark, v.id, s.ch.name))
			e.last, e.heard = e.mark, true
		}
		e.mark = unmarked
		if e.over {
			v.ears--
			delete(s.ears, v)
		}
	}
	return faults
}
