package soak

import (
	"bytes"
	"slices"

	"github.com/seed-d124fa34/socketio/bench/workload"
)

// acknowledged handles an acknowledgement. They must come in order.
func (s *socket) acknowledged(id int64, m content, pay payload) error {
	i := slices.IndexFunc(s.pending, func(r *request) bool { return r.seq == id })
	switch {
	case i < 0 && id >= 1 && id <= s.acked:
		s.fault(faultDuplicate, "event %d was acknowledged twice", id)
		return nil
	case i < 0:
		s.fault(faultPayload, "an acknowledgement for event %d; %d were sent", id, s.seq)
		return nil
	case i > 0:
		s.fault(faultOrder, "event %d was acknowledged before %d", id, s.pending[0].seq)
	}
	r := s.pending[i]
	s.pending = append(s.pending[:i:i], s.pending[i+1:]...)
	s.acked = max(s.acked, id)
	s.nagged = false
	if m.head.Seq != id {
		s.fault(faultPayload, "event %d was acknowledged with what belongs to %d", id, m.head.Seq)
	}
	if (r.kind == kindEcho || r.kind == kindBinary) && (!bytes.Equal(pay.text, r.pay.text) || !bytes.Equal(pay.binary, r.pay.binary)) {
		s.fault(faultPayload, "event %d with %d+%d bytes was acknowledged with %d+%d others", id, len(r.pay.text), len(r.pay.binary), len(pay.text), len(pay.binary))
	}
	s.c.counts[r.kind].acked++
	s.c.timingOf(s, r.kind, s.c.Clock()-r.at)
	if r.done != nil && s.state == socketIn {
		return r.done()
	}
	return nil
}

// said handles a message of another client, or of the server.
func (s *socket) said(h workload.Head, pay payload) {
	v := s.c.voices[h.Voice]
	if v == nil {
		s.fault(faultStray, "message %d of voice %d, which fell silent long ago", h.Number, h.Voice)
		return
	}
	at := s.seatIn(v.ch)
	if at == nil {
		s.fault(faultStray, "message %d of voice %d in %s, of which it is no member", h.Number, h.Voice, v.ch.name)
		return
	}
	if f := at.hear(v, h.Number); f != nil {
		s.fault(f.kind, "%s", f.text)
	}
	k := heardRoom
	switch {
	case v.volatile:
		k = heardHint
	case at == s.everyone:
		k = heardEveryone
	case at == s.private:
		k = heardPrivate
	case pay.binary != nil:
		k = heardRoomBytes
	}
	s.c.counts[k].heard++
	s.c.timingOf(s, k, s.c.wall(s.c.Clock())-h.At)
}

// seatIn returns the socket's seat in a channel, nil if it has none.
func (s *socket) seatIn(ch *channel) *seat {
	switch ch {
	case s.everyone.ch:
		return s.everyone
	case s.private.ch:
		return s.private
	}
	for _, p := range s.rooms {
		if p.seat.ch == ch {
			return p.seat
		}
	}
	return nil
}

// ask answers a question of the server. They must come in order.
func (s *socket) ask(id int64, h workload.Head, pay payload) error {
	if id < 0 {
		s.fault(faultProtocol, "question %d wants no answer", h.Seq)
		return nil
	}
	switch {
	case h.Seq == s.asked+1:
	case h.Seq == s.asked:
		s.fault(faultDuplicate, "question %d came twice", h.Seq)
	case h.Seq < s.asked:
		s.fault(faultOrder, "question %d came after %d", h.Seq, s.asked)
	default:
		s.fault(faultLost, "questions %d to %d did not come", s.asked+1, h.Seq-1)
	}
	s.asked = max(s.asked, h.Seq)
	if s.state != socketIn && s.goal == endNone || s.c.link.closing {
		return nil // the socket has sent DISCONNECT; one that waits to be kicked has not
	}
	s.replies++
	s.c.counts[heardQuestion].heard++
	if pay.binary != nil {
		pay.binary = bytes.Clone(pay.binary) // valid only during this call
	}
	return s.c.link.send(encodePacket(s.ns, id, "", h, "", pay))
}
