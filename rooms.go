package socketio

import (
	"fmt"
	"iter"

	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/sessionid"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// internal/rooms keeps the members of rooms. This file has the rules: which sockets may
// join, and what reaches them while they join or leave.

// maxName bounds the names of rooms and namespaces, in bytes. Clients may choose
// these names, and the server keeps them.
const maxName = 1024

// place is the place of a socket in a room. An event for the room reaches the socket
// through it. When the socket leaves the room, the place is marked with both Socket.mu
// and Socket.sending held.
type place = rooms.Place[*Socket]

// Join adds the socket to a room of its namespace. It has no effect if the socket is
// already there. In a connect handler it takes effect when the client is accepted. The
// error is [ErrRoomName] for a name that is empty, longer than 1,024 bytes or the session
// id of another socket on any server, a [*LimitError] beyond [Options].Limits.MaxRooms,
// and [ErrClosed] if the client has left. Flask-SocketIO: join_room.
func (s *Socket) Join(room string) error {
	if s == nil {
		return ErrUnknownSocket
	}
	if s.elsewhere() {
		return s.Namespace().JoinRoom(s.sid, room)
	}
	return s.join(room)
}

// Leave removes the socket from a room. When it has returned, nothing more is sent to
// the client for that room. It has no effect if the socket is not there, nor for the room
// of its session id, which it cannot leave. Flask-SocketIO: leave_room.
func (s *Socket) Leave(room string) {
	if s == nil {
		return
	}
	if s.elsewhere() {
		_ = s.Namespace().LeaveRoom(s.sid, room) // the other server reports no errors
		return
	}
	s.leaveRoom(room)
}

// Rooms returns the rooms that the socket is in: its session id, and then the others,
// sorted. After its client has gone, the socket is still in them until its disconnect
// handler has returned. Then it is in none. Flask-SocketIO: rooms.
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

// InRoom reports whether the socket is in a room: whether [Socket.Rooms] contains it.
// (To emit to a room see [To].)
func (s *Socket) InRoom(room string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return (s.membership.Has(room) || room == s.sid) && s.state.Load() != stateGone
}

// JoinRoom adds a socket to a room, as [Socket.Join] does. The error is
// [ErrUnknownSocket], [ErrClosed] or [ErrRoomName]. With [Options].Cluster.Broker, the
// command for a socket that this server does not have is published for the others, as
// with LeaveRoom and Disconnect. They do not report whether one of them has the socket
// or whether the command fails, so the error is then [ErrBrokerUnavailable] or nil.
func (n *namespace) JoinRoom(sid, room string) error {
	if err := n.checkRoom(room); err != nil {
		return err
	}
	if s := n.Socket(sid); s != nil {
		return s.Join(room)
	}
	if err := n.elsewhere(wire.Join, sid, room); err != nil {
		return err
	}
	if s := n.Socket(sid); s != nil { // it has come meanwhile
		return s.Join(room)
	}
	return nil
}

// LeaveRoom removes a socket from a room, as [Socket.Leave] does. The error is
// [ErrUnknownSocket], [ErrRoomName] for an empty name, or that of the broker, see
// JoinRoom.
func (n *namespace) LeaveRoom(sid, room string) error {
	if err := n.checkRoom(room); err != nil {
		return err
	}
	if s := n.Socket(sid); s != nil {
		s.Leave(room)
		return nil
	}
	err := n.elsewhere(wire.Leave, sid, room)
	if s := n.Socket(sid); s != nil && err == nil { // it has come meanwhile
		s.Leave(room)
	}
	return err
}

// CloseRoom removes everyone from a room, on every server. Nothing is sent to
// them. The error is [ErrRoomName] for an empty name. It does not report whether the
// command reaches the other servers: see [Server.BrokerStatus]. Flask-SocketIO:
// close_room.
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

// checkRoom checks the names of the namespace and of a room in it.
func (n *namespace) checkRoom(room string) error {
	switch {
	case n.err != nil:
		return n.err
	case room == "":
		return errEmptyRoom
	}
	return nil
}

// errEmptyRoom is the error of an empty room name.
var errEmptyRoom = fmt.Errorf("%w: its name is empty", ErrRoomName)

// Rooms returns the rooms of a socket, see [Socket.Rooms]; nil if the
// namespace has no such socket.
func (n *namespace) Rooms(sid string) []string {
	if s := n.Socket(sid); s != nil {
		return s.Rooms()
	}
	return nil
}

// Members returns the session ids in a room on this server, in no particular order. A
// session id names a room that has this socket alone. The error is [ErrRoomName] for an empty
// name; [Namespace.Sockets] is for everyone.
func (n *namespace) Members(room string, opts ...QueryOption) ([]string, error) {
	if err := n.checkRoom(room); err != nil {
		return nil, err
	}
	return n.srv.sidsIn(n.name, room, includesAway(opts)), nil
}

// CountRoom returns how many sockets are in a room on this server, at the cost of
// one look-up. The error is [ErrRoomName] for an empty name.
func (n *namespace) CountRoom(room string, opts ...QueryOption) (int, error) {
	if err := n.checkRoom(room); err != nil {
		return 0, err
	}
	return n.srv.countIn(n.name, room, includesAway(opts)), nil
}

// findSocket returns the socket of this server with a session id, in any namespace. It
// is nil if there is none.
func (srv *Server) findSocket(sid string) *Socket {
	if !sessionid.MayBe(sid) { // callers often ask for the name of a room
		return nil
	}
	return srv.index.Find(sid)
}

// ownRoom returns the socket of the namespace whose session id is the name of the room,
// nil if there is none. No other socket can be in that room.
func (srv *Server) ownRoom(ns, room string) *Socket {
	if s := srv.findSocket(room); s != nil && s.name == ns {
		return s
	}
	return nil
}

// socketsIn ranges over the sockets in a room. The room may be a session id. With away,
// those are included that have lost their connection and may come back.
func (srv *Server) socketsIn(ns, room string, away bool) iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		if s := srv.ownRoom(ns, room); s != nil {
			if s.present() || away && s.Away() {
				yield(s)
			}
			return
		}
		for p := range srv.index.Members(ns, room).All() {
			if s := p.Member(); (away || !s.Away()) && !yield(s) {
				return
			}
		}
	}
}

// sidsIn returns the session ids in a room.
func (srv *Server) sidsIn(ns, room string, away bool) []string {
	sids := make([]string, 0, srv.countIn(ns, room, away))
	for s := range srv.socketsIn(ns, room, away) {
		sids = append(sids, s.sid)
	}
	return sids
}

// countIn returns how many sockets are in a room.
func (srv *Server) countIn(ns, room string, away bool) int {
	s := srv.ownRoom(ns, room)
	switch {
	case s != nil && (s.present() || away && s.Away()):
		return 1
	case s != nil:
		return 0
	case away:
		return srv.index.CountAll(ns, room)
	}
	return srv.index.Count(ns, room)
}

// occupied reports whether an event for a room can reach a socket: one that is in the
// room, or whose session id is the room's name and that has not left.
func (srv *Server) occupied(ns, room string) bool {
	if srv.index.Occupied(ns, room) {
		return true
	}
	s := srv.ownRoom(ns, room)
	return s != nil && !s.hasLeft()
}

// closeRoom removes everyone from a room, including sockets that will be in it when they
// are accepted. It misses none: a socket enters the room before it ceases to be a waiting
// one.
func (srv *Server) closeRoom(ns, room string) {
	for _, s := range srv.index.Waiting(ns) {
		s.Leave(room)
	}
	for p := range srv.index.Members(ns, room).All() {
		p.Member().Leave(room)
	}
}

// inOneOf reports whether the socket is in one of the rooms. With joining, the rooms
// count that it will be in when its connect handler accepts it.
func (s *Socket) inOneOf(rooms []string, joining bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, room := range rooms {
		if s.membership.In(room) || joining && s.membership.Has(room) || room == s.sid {
			return true
		}
	}
	return false
}

// inRoom calls visit for every socket in a room, with its place there. The place is nil
// for a socket in the room of its session id, and for self if that will be in the room
// when its connect handler accepts it.
func (srv *Server) inRoom(ns, room string, self *Socket, visit func(s *Socket, via *place)) {
	if s := srv.ownRoom(ns, room); s != nil {
		if s.state.Load() < stateLeaving {
			visit(s, nil)
		}
		return
	}
	waits := self != nil && self.awaits(room) // asked first, because it may be in the index a moment later
	for p := range srv.index.Members(ns, room).All() {
		if s := p.Member(); !waits || s != self {
			visit(s, p)
		}
	}
	if waits {
		visit(self, nil)
	}
}

// awaits reports whether the socket will be in a room when its connect handler accepts
// it. room may be rooms.Everyone.
func (s *Socket) awaits(room string) bool {
	if s.state.Load() != stateConnecting {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Load() != stateConnecting {
		return false
	}
	return s.membership.Has(room) || room == rooms.Everyone
}

// checkRoomName checks the name of a room that a socket wants to join.
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
		return nil // the socket is always there
	}
	if sessionid.Is(room) {
		// The session id of a socket of another namespace on this server is an
		// ordinary name in this namespace.
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

// enterRoom puts the socket in a room, or records that it will be there when it is
// accepted. joined is set if it is there now and was not before.
func (s *Socket) enterRoom(room string) (joined bool, err error) {
	s.srv().sequence.Lock()
	defer s.srv().sequence.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != "" {
		return false, &DisconnectError{s.reason, s.cause}
	}
	s.changes(room)
	if s.membership.Has(room) {
		return false, nil
	}
	if most := s.srv().opts.Limits.MaxRooms; s.membership.Len() >= most {
		s.srv().stats.hit(limitRooms)
		return false, &LimitError{limitRooms, most}
	}
	if s.recovery != nil {
		s.recovery.recorder.Changed(room, false)
	}
	return s.srv().index.Join(&s.membership, room), nil
}

// changes notes that a room is joined or left, with s.mu locked: what was asked for earlier and is
// still to come has no effect any more.
func (s *Socket) changes(room string) {
	if r := s.recovery; r != nil && r.changed != nil {
		r.changed[room] = true
	}
}

func (s *Socket) leaveRoom(room string) {
	left := s.exitRoom(room)
	if hs := s.srv().hooks.Load(); hs != nil && left {
		hs.left(s, room)
	}
}

// exitRoom takes the socket out of a room, and reports whether it was there.
func (s *Socket) exitRoom(room string) bool {
	s.srv().sequence.Lock()
	defer s.srv().sequence.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes(room)
	p, had := s.srv().index.Leave(&s.membership, room)
	if s.recovery != nil && (had || p != nil) {
		s.recovery.recorder.Changed(room, true)
	}
	if p != nil {
		s.sending.Lock() // waits until every emit that reached the socket through p is queued
		p.MarkLeft()
		s.sending.Unlock()
	}
	return p != nil || had && s.announced // the second case: in its disconnect handler
}
