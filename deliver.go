package socketio

import (
	"errors"
	"slices"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/parser"
)

// How a packet gets to one client: it is handed to the connection, held until the client is
// connected, and kept if the client can come back.

// errLeftRoom: the socket has left the room that a packet was for.
var errLeftRoom = errors.New("socketio: left the room")

// deliver queues a packet for the client, or holds it until the CONNECT packet is
// queued. It drops a volatile packet that cannot be sent now; sent is false then. via is
// the socket's place in the room that the packet is for, nil if it is for the socket
// alone. The error is errLeftRoom if the socket has left the room.
func (s *Socket) deliver(p packet, volatile bool, via *place) (sent bool, err error) {
	if s.recovery != nil {
		return s.deliverKept(p, volatile, via, false)
	}
	if s.state.Load() != stateJoined {
		held, err := s.hold(p, volatile, via)
		if held || err != nil {
			return held, err
		}
		if volatile {
			s.srv().stats.volatileDropped.Add(1)
			return false, nil
		}
	}
	s.sending.RLock()
	switch {
	case via.Left():
		s.sending.RUnlock()
		return false, errLeftRoom
	case s.state.Load() != stateJoined:
		err = engineio.ErrClosed
	case volatile:
		sent, err = s.at.Load().client.conn.SendVolatile(p.Frames())
	default:
		sent, err = true, s.at.Load().client.conn.Send(p.Frames())
	}
	s.sending.RUnlock()
	if err != nil {
		return false, s.sendError(err)
	}
	return sent, nil
}

// hold keeps a packet for a socket whose CONNECT packet is not queued. If it returns
// false and no error, the caller may send the packet, or drop a volatile one.
func (s *Socket) hold(p packet, volatile bool, via *place) (held bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case via.Left():
		return false, errLeftRoom
	case s.state.Load() == stateJoined || s.state.Load() == stateAway: // meanwhile
		return false, nil
	case s.reason != "":
		return false, &DisconnectError{s.reason, s.cause}
	case volatile: // it cannot be sent now, so deliver drops it
		return false, nil
	}
	size := int64(p.Size) + packetOverhead
	cl := s.client()
	waiting := cl.held.Load() + int64(cl.conn.Buffered())
	if waiting > 0 && waiting+size > int64(s.srv().opts.Limits.SendQueueLimit) {
		return false, ErrSendQueueFull
	}
	s.heldSize += size
	cl.held.Add(size)
	s.held = append(s.held, p)
	return true, nil
}

// packetOverhead is what a held packet counts besides its bytes.
const packetOverhead = 96

// takeHeld removes the packets that are held, and returns them. The caller holds s.mu.
func (s *Socket) takeHeld() []packet {
	batch := s.held
	s.client().held.Add(-s.heldSize)
	s.held, s.heldSize = nil, 0
	return batch
}

// closeIfFull closes the connection of a socket if err says that its queue is full. It
// is for emits that cannot wait for this client, such as those to a room. A client that
// is not connected yet stays.
func (s *Socket) closeIfFull(err error) {
	if errors.Is(err, ErrSendQueueFull) && s.state.Load() == stateJoined {
		s.client().conn.Close(ReasonSlowClient, engineio.ErrSendQueueFull)
	}
}

// deliverKept is deliver for a socket whose client can come back. What is not volatile
// is kept in the order in which it is sent; while the client is away it is only kept. With once,
// nothing is done if the socket has the event already.
func (s *Socket) deliverKept(p packet, volatile bool, via *place, once bool) (sent bool, err error) {
	if !volatile {
		p = p.Fixed()
	}
	if s.state.Load() < stateJoined {
		held, err := s.hold(p, volatile, via)
		if held || err != nil {
			return held, err
		}
	}
	var conn *engineio.Conn
	var ask, full bool
	s.sending.Lock()
	switch state := s.state.Load(); {
	case via.Left():
		err = errLeftRoom
	case once && (p.Kept == nil || s.recovery.has(p.Kept.Offset)):
	case state == stateAway && p.Kept != nil && !volatile:
		sent, full = true, !s.recovery.keep(p.Kept, via)
		s.recovery.overflowed = s.recovery.overflowed || full
	case volatile && state < stateLeaving && state != stateJoined:
		s.srv().stats.volatileDropped.Add(1)
	case state != stateJoined:
		err = engineio.ErrClosed
	case volatile:
		sent, err = s.client().conn.SendVolatile(p.VolatileFrames())
	case p.Kept == nil:
		sent, err = true, s.client().conn.Send(p.Frames())
	default:
		conn = s.client().conn
		sent, ask, err = s.sendKept(conn, p.Kept)
	}
	s.sending.Unlock()
	switch {
	case ask:
		conn.Ping()
	case full:
		s.end(ExpiredSessionLimit, "", errSessionLimit)
		err = engineio.ErrClosed
	}
	if err == errLeftRoom {
		return false, err
	}
	if err != nil {
		return false, s.sendError(err)
	}
	return sent, nil
}

// keep keeps a packet for a client that is away, with Socket.sending locked.
func (r *recoverable) keep(p *packets.KeptPacket, via *place) (ok bool) {
	if via == belated {
		r.belated = append(r.belated, p)
		return true
	}
	return r.session.Log.Keep(p)
}

// has reports whether an event is kept, with Socket.sending locked.
func (r *recoverable) has(offset recovery.Offset) bool {
	for p := range r.session.Log.All() {
		if p.Offset == offset {
			return true
		}
	}
	return slices.ContainsFunc(r.belated, func(p *packets.KeptPacket) bool { return p.Offset == offset })
}

// sendKept sends a packet and keeps it, with s.sending locked. ask is set if the client is
// to be asked what it has.
func (s *Socket) sendKept(conn *engineio.Conn, k *packets.KeptPacket) (sent, ask bool, err error) {
	log := &s.recovery.session.Log
	n, err := conn.SendNumbered(k.Payload.Frames)
	switch {
	case err == nil:
		return true, log.Sent(k, n), nil
	case !errors.Is(err, engineio.ErrClosed):
		return false, false, err
	}
	// The connection has ended, and the socket is about to hear of it.
	if !log.Keep(k) {
		s.recovery.overflowed = true
	}
	return true, false, nil
}

// sendRequired sends a packet that the protocol requires. If the send queue is full, it
// closes the connection.
func (cl *client) sendRequired(p packet) error {
	err := cl.conn.Send(p.Frames())
	if errors.Is(err, engineio.ErrSendQueueFull) {
		cl.conn.Close(ReasonSlowClient, err)
	}
	return err
}

// refuse sends a CONNECT_ERROR packet.
func (cl *client) refuse(ns string, e *Error) {
	cl.srv.stats.connectErrors.Add(1)
	if hs := cl.srv.hooks.Load(); hs != nil {
		hs.refused(cl, ns, e)
	}
	p, err := cl.srv.encode(parser.Header{Type: parser.ConnectError, Namespace: ns}, cl.refusal(e), true)
	if err != nil {
		cl.srv.log.Warn("socketio: the data of a refusal cannot be encoded: the refusal is sent without it", "namespace", ns, "error", err)
		p, err = cl.srv.encode(parser.Header{Type: parser.ConnectError, Namespace: ns}, cl.refusal(&Error{Message: e.Message}), true)
	}
	if err == nil {
		err = cl.sendRequired(p)
	}
	if err != nil {
		cl.srv.log.Debug("socketio: a refusal could not be sent", "namespace", ns, "error", err)
	}
}

// refusal returns the payload of a CONNECT_ERROR packet. Other parsers than Socket.IO's own
// have objects only.
func (cl *client) refusal(e *Error) []any {
	if cl.srv.opts.ownParser {
		return []any{e}
	}
	return cl.revision().Refused(e.Message, e.Data, e)
}

// emitToArrived sends an event to sockets that have come from other servers since Server.emit looked for its
// recipients, unless they have it from the broker.
func (srv *Server) emitToArrived(e *emitOptions, self *Socket, p packet) {
	srv.each(e, false, self, func(s *Socket, via *place) error {
		if s.recovery == nil || s.recovery.arrival <= e.arrived {
			return nil
		}
		_, err := s.deliverKept(p, false, via, true)
		s.closeIfFull(err)
		return err
	})
}
