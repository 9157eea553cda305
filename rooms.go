package socketio

import (
	"fmt"
	"iter"

	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/sessionid"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// Rooms are kept in internal/rooms. What is here is what sockets have to do with them:
// who may join, and what is sent to whom meanwhile.

// place is that of a socket in a room. An event that is for the room reaches the socket
// through it. The mark of those who have left is written with both Socket.mu and
// Socket.sending held.
type place = rooms.Place[*Socket]

// Join adds the socket to a room of its namespace; being there already is fine.
// In a connect handler it takes effect when the client is accepted. The error
// is [ErrRoomName] for an empty name, one longer than 1,024 bytes or the session
// id of another socket, on whichever server, a [*LimitError] beyond [Options].Limits.MaxRooms, and
// [ErrClosed] if the client has left.
func (s *Socket) Join(room string) error {
	if s == nil {
		return ErrUnknownSocket
	}
	if s.remote() {
		return s.Namespace().JoinRoom(s.sid, room)
	}
	return s.join(room)
}

// Leave removes the socket from a room: when it has returned, nothing more is
// sent to the client for that room. Not being there is fine, and the room that is
// its session id cannot be left.
func (s *Socket) Leave(room string) {
	if s == nil {
		return
	}
	if s.remote() {
		_ = s.Namespace().LeaveRoom(s.sid, room) // whether it is there nobody knows
		return
	}
	s.leaveRoom(room)
}

// Rooms returns the rooms the socket is in, its session id first and the others
// sorted. When its client has gone it is still in them until its disconnect
// handler has returned, and then in none.
func (s *Socket) Rooms() []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Load() == stateGone {
		return nil
	}
	return s.membership.Rooms(s.sid)
}

// InRoom reports whether the socket is in a room, that of its session id included:
// whether [Socket.Rooms] has it. (To emit to a room see [To].)
func (s *Socket) InRoom(room string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return (s.membership.Has(room) || room == s.sid) && s.state.Load() != stateGone
}

// JoinRoom adds a socket to a room; being there already is fine. The error is
// [ErrUnknownSocket], [ErrClosed] or [ErrRoomName]. With [Options].Cluster.Broker, a
// socket that is not here is left to the other servers, as with LeaveRoom and
// Disconnect: whether one of them has it, and can do it, is not heard, and the
// error is [ErrBrokerUnavailable] or nil.
func (n *namespace) JoinRoom(sid, room string) error {
	if err := n.checkRoom(room); err != nil {
		return err
	}
	if s := n.Socket(sid); s != nil {
		return s.Join(room)
	}
	return n.elsewhere(wire.Join, sid, room)
}

// LeaveRoom removes a socket from a room; not being there is fine. The error is
// [ErrUnknownSocket], [ErrRoomName] for an empty name, or that of the broker, see JoinRoom.
func (n *namespace) LeaveRoom(sid, room string) error {
	if err := n.checkRoom(room); err != nil {
		return err
	}
	if s := n.Socket(sid); s != nil {
		s.Leave(room)
		return nil
	}
	return n.elsewhere(wire.Leave, sid, room)
}

// CloseRoom removes everyone from a room, on every server. Nothing is sent to
// them. The error is [ErrRoomName] for an empty name. Whether the other servers
// hear of it is not reported: see [Server.BrokerStatus].
func (n *namespace) CloseRoom(room string) error {
	if err := n.checkRoom(room); err != nil {
		return err
	}
	n.srv.closeRoom(n.name, room)
	if c := n.srv.cluster; c != nil && n.name != anyName {
		_ = c.Do(wire.Command{Do: wire.CloseRoom, Namespace: n.name, Room: room})
	}
	return nil
}

// checkRoom checks the name of a room that is to be looked at, in a namespace that
// there can be.
func (n *namespace) checkRoom(room string) error {
	switch {
	case n.err != nil:
		return n.err
	case room == "":
		return errEmptyRoom
	}
	return nil
}

// errEmptyRoom is what an empty room name gets everywhere.
var errEmptyRoom = fmt.Errorf("%w: its name is empty", ErrRoomName)

// Rooms returns the rooms of a socket, see [Socket.Rooms]; nil if the
// namespace has no such socket.
func (n *namespace) Rooms(sid string) []string {
	if s := n.Socket(sid); s != nil {
		return s.Rooms()
	}
	return nil
}

// Members returns the session ids in a room on this server, in no particular
// order. A session id is a room with that socket alone. The error is
// [ErrRoomName] for an empty name: for everyone see [Namespace.Sockets].
func (n *namespace) Members(room string) ([]string, error) {
	if err := n.checkRoom(room); err != nil {
		return nil, err
	}
	return n.srv.sidsIn(n.name, room), nil
}

// CountRoom returns how many sockets are in a room on this server, at the cost of
// one look-up. The error is [ErrRoomName] for an empty name.
func (n *namespace) CountRoom(room string) (int, error) {
	if err := n.checkRoom(room); err != nil {
		return 0, err
	}
	return n.srv.countIn(n.name, room), nil
}

// findSocket returns the socket of this server with a session id, in whatever
// namespace, nil if there is none.
func (srv *Server) findSocket(sid string) *Socket {
	if len(sid) != sessionid.Len { // most names are those of rooms
		return nil
	}
	return srv.index.Find(sid)
}

// ownRoom returns the socket whose own room has this name, nil if there is none in the
// namespace. Nobody else can be in that room.
func (srv *Server) ownRoom(ns, room string) *Socket {
	if s := srv.findSocket(room); s != nil && s.name == ns {
		return s
	}
	return nil
}

// socketsIn returns who is in a room now, also if its name is a session id.
func (srv *Server) socketsIn(ns, room string) iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		if s := srv.ownRoom(ns, room); s != nil {
			if s.present() {
				yield(s)
			}
			return
		}
		for p := range srv.index.Members(ns, room).All() {
			if !yield(p.Member()) {
				return
			}
		}
	}
}

// sidsIn returns the session ids in a room.
func (srv *Server) sidsIn(ns, room string) []string {
	sids := make([]string, 0, srv.countIn(ns, room))
	for s := range srv.socketsIn(ns, room) {
		sids = append(sids, s.sid)
	}
	return sids
}

// countIn returns how many are in a room.
func (srv *Server) countIn(ns, room string) int {
	if s := srv.ownRoom(ns, room); s != nil {
		if !s.present() {
			return 0
		}
		return 1
	}
	return srv.index.Count(ns, room)
}

// occupied reports whether an event for a room can reach anybody: whether somebody is
// in it, or has its name as session id and has not left.
func (srv *Server) occupied(ns, room string) bool {
	if srv.index.Occupied(ns, room) {
		return true
	}
	s := srv.ownRoom(ns, room)
	return s != nil && !s.hasLeft()
}

// closeRoom removes everyone from a room, those included who will be in it when they
// are accepted: a socket enters the room before it is forgotten as one that waits.
func (srv *Server) closeRoom(ns, room string) {
	for _, s := range srv.index.Waiting(ns) {
		s.Leave(room)
	}
	for p := range srv.index.Members(ns, room).All() {
		p.Member().Leave(room)
	}
}

// checkRoomName checks the name of a room that is to be joined.
func checkRoomName(name string) error {
	switch {
	case name == "":
		return errEmptyRoom
	case len(name) > maxName:
		return fmt.Errorf("%w: its name is longer than %d bytes", ErrRoomName, maxName)
	}
	return nil
}

func (s *Socket) join(room string) error {
	if err := checkRoomName(room); err != nil {
		return err
	}
	if room == s.sid {
		return nil // always there
	}
	if sessionid.Is(room) {
		// A socket of this server in another namespace is in none of this one: its
		// session id is a name like any other here.
		if other := s.srv().findSocket(room); other == nil || other.name == s.name {
			return fmt.Errorf("%w: its name is the session id of another socket", ErrRoomName)
		}
	}
	joined, err := s.enterRoom(room)
	if hs := s.srv().hooks.Load(); hs != nil && joined {
		hs.joined(s, room)
	}
	return err
}

// enterRoom puts the socket in a room, or notes that it is to be there when accepted.
// joined is set if it is there now and was not before.
func (s *Socket) enterRoom(room string) (joined bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != "" {
		return false, &DisconnectError{s.reason, s.cause}
	}
	if s.membership.Has(room) {
		return false, nil
	}
	if most := s.srv().opts.Limits.MaxRooms; s.membership.Len() >= most {
		s.srv().stats.hit(limitRooms)
		return false, &LimitError{limitRooms, most}
	}
	return s.srv().index.Join(&s.membership, room), nil
}

func (s *Socket) leaveRoom(room string) {
	left := s.exitRoom(room)
	if hs := s.srv().hooks.Load(); hs != nil && left {
		hs.left(s, room)
	}
}

// exitRoom takes the socket out of a room, and reports whether it was there.
func (s *Socket) exitRoom(room string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, had := s.srv().index.Leave(&s.membership, room)
	if p != nil {
		s.sending.Lock() // when it is unlocked, every emit that got through is queued
		p.MarkLeft()
		s.sending.Unlock()
	}
	return p != nil || had && s.announced // in its disconnect handler
}

// hasLeft reports whether the socket has left its namespace, or is to leave.
func (s *Socket) hasLeft() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason != ""
}

// present reports whether the socket is in its namespace.
func (s *Socket) present() bool {
	state := s.state.Load()
	return state == stateAdmitting || state == stateJoined
}
