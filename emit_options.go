package socketio

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// EmitOption says to whom and how an event is sent, see [Socket.Emit]. The
// order of options does not matter. Without [To] or [Broadcast] a [Socket] and a
// [Context] emit to their client, a [Namespace] and a [Server] to everyone.
//
// Several arguments of an event are one value, [Args]: not c.Emit("y", 1, 2), which
// does not compile, but c.Emit("y", socketio.Args{1, 2}). The name of the method
// stands in what the compiler says then.
type EmitOption interface {
	severalArgumentsGoIntoOneArgs(*emitOptions)
}

// emitOptions are those of one Emit or Call.
type emitOptions struct {
	ns         string
	rooms      []string
	room       [1]string // what rooms is made of, if it is enough
	targeted   bool      // To was given, though perhaps without rooms
	broadcast  bool
	skipSelf   bool
	skip       []string
	except     []string
	ack        *ackOption
	ackTimeout time.Duration // 0: none
	volatile   bool
	local      bool
	noCompress bool
	err        error
	out        wire.Event // for other servers: here, so that it needs no memory of its own
}

type optionFunc func(*emitOptions)

func (f optionFunc) severalArgumentsGoIntoOneArgs(e *emitOptions) { f(e) }

// To selects everyone in at least one of the rooms, each once; a room may be a
// session id. Several To add up. The sender is included if it is in one of
// them, see [SkipSelf]. No room at all is nobody; an empty name among them is
// [ErrRoomName], and nothing is sent. Flask-SocketIO: to, room.
func To(rooms ...string) EmitOption {
	if len(rooms) == 1 {
		return roomOption(rooms[0])
	}
	return roomsOption(slices.Clone(rooms)) // so that rooms itself needs no memory
}

// roomOption is To with one room, the most frequent.
type roomOption string

func (o roomOption) severalArgumentsGoIntoOneArgs(e *emitOptions) {
	e.targeted = true
	if e.rooms == nil {
		e.room[0] = string(o)
		e.rooms = e.room[:]
		return
	}
	e.rooms = append(e.rooms, string(o))
}

type roomsOption []string

func (o roomsOption) severalArgumentsGoIntoOneArgs(e *emitOptions) {
	e.targeted = true
	e.rooms = append(e.rooms, o...)
}

// Broadcast selects everyone in the namespace, the sender included, see
// [SkipSelf]. With [To] it adds nothing. Flask-SocketIO: broadcast=True.
func Broadcast() EmitOption { return broadcastOption }

// SkipSelf leaves out the client of the socket that emits, and nobody else.
// Flask-SocketIO: include_self=False.
func SkipSelf() EmitOption { return skipSelfOption }

// Volatile sends the event only to clients that can take it now: it is dropped
// where the connection is busy, rather than queued. Such events may be lost.
func Volatile() EmitOption { return volatileOption }

// Local sends the event to clients of this server only, even where a broker
// connects it with others. Flask-SocketIO: ignore_queue.
func Local() EmitOption { return localOption }

var (
	broadcastOption  = optionFunc(func(e *emitOptions) { e.broadcast = true })
	skipSelfOption   = optionFunc(func(e *emitOptions) { e.skipSelf = true })
	volatileOption   = optionFunc(func(e *emitOptions) { e.volatile = true })
	localOption      = optionFunc(func(e *emitOptions) { e.local = true })
	noCompressOption = optionFunc(func(e *emitOptions) { e.noCompress = true })
	compressOption   = optionFunc(func(e *emitOptions) { e.noCompress = false })
)

// Skip leaves out the sockets with these session ids. Flask-SocketIO: skip_sid.
func Skip(sids ...string) EmitOption {
	return optionFunc(func(e *emitOptions) { e.skip = append(e.skip, sids...) })
}

// Except leaves out everyone in at least one of these rooms. An empty name is
// [ErrRoomName], and nothing is sent.
func Except(rooms ...string) EmitOption {
	return optionFunc(func(e *emitOptions) { e.except = append(e.except, rooms...) })
}

// InNamespace emits in another namespace. The client of a socket is then the
// same connection's socket there, if there is one: otherwise the error is
// [ErrUnknownSocket]. Flask-SocketIO: namespace.
func InNamespace(name string) EmitOption {
	return optionFunc(func(e *emitOptions) {
		var err error
		if e.ns, err = namespaceName(name); err != nil {
			e.err = fmt.Errorf("socketio: InNamespace: %w", err)
		}
	})
}

// Compress says whether the packet may be compressed, where the connection can;
// without this option it may. Already compressed data is best sent with
// Compress(false).
func Compress(on bool) EmitOption {
	if on {
		return compressOption
	}
	return noCompressOption
}

var emitOptionsPool = sync.Pool{New: func() any { return new(emitOptions) }}

// free ends the use of the options.
func (e *emitOptions) free() {
	*e = emitOptions{}
	emitOptionsPool.Put(e)
}

// newEmitOptions puts the options together. They are to be freed, unless
// there is an error.
func newEmitOptions(from *Socket, ns string, opts []EmitOption) (*emitOptions, error) {
	e := emitOptionsPool.Get().(*emitOptions)
	e.ns = ns
	for _, opt := range opts {
		if opt != nil {
			opt.severalArgumentsGoIntoOneArgs(e)
		}
	}
	err := e.err
	switch {
	case err != nil:
	case e.ns == anyName:
		err = errors.New(`socketio: Namespace("*") is for handlers; emit in a namespace by its name`)
	case slices.Contains(e.rooms, ""):
		err = fmt.Errorf("socketio: To: %w", errEmptyRoom)
	case slices.Contains(e.except, ""):
		err = fmt.Errorf("socketio: Except: %w", errEmptyRoom)
	case e.ackTimeout != 0 && e.ack == nil:
		err = errors.New("socketio: AckTimeout without OnAck: there is no acknowledgement to wait for; a Call is bounded by its context")
	case from == nil && e.skipSelf:
		err = errors.New("socketio: SkipSelf needs a sender; emit on a Socket or a Context, or use Skip(sid)")
	}
	if err != nil {
		e.free()
		return nil, err
	}
	if from != nil && from.remote() {
		if from.sid == "" && (e.direct(from) || e.skipSelf) {
			e.free()
			return nil, fmt.Errorf("%w: a server of Flask-SocketIO did not say which client answered", ErrUnknownSocket)
		}
		if e.direct(from) {
			e.targeted, e.rooms = true, []string{from.sid}
		}
		if e.skipSelf {
			e.skip = append(e.skip, from.sid)
		}
	}
	return e, nil
}

// socketSets are for emits to several rooms: whom they have reached.
var socketSets rooms.SetPool[Socket]

// each calls visit for every recipient, once, with its place in the room it was
// found in, if it is one. No lock is held: who joins meanwhile may be missed. If a
// socket has left the room, visit returns errLeftRoom; it may then be found again
// through another room. A socket whose connect handler has not decided is
// reached by its own emits and by its session id only.
func (srv *Server) each(e *emitOptions, fromSocket bool, self *Socket, visit func(*Socket, *place) error) {
	if fromSocket && !e.targeted && !e.broadcast {
		if !e.skipSelf && !e.leavesOut(self, self) {
			_ = visit(self, nil)
		}
		return
	}
	leavesOut := e.skipSelf || len(e.skip) > 0 || len(e.except) > 0
	if !e.targeted || len(e.rooms) == 1 {
		room := rooms.Everyone
		if e.targeted {
			room = e.rooms[0]
		}
		srv.inRoom(e.ns, room, self, func(s *Socket, via *place) {
			if !leavesOut || !(e.skipSelf && s == self) && !e.leavesOut(s, self) {
				_ = visit(s, via)
			}
		})
		return
	}
	seen := socketSets.Get()
	for i, room := range e.rooms {
		last := i == len(e.rooms)-1 // whom it finds nobody looks for any more
		srv.inRoom(e.ns, room, self, func(s *Socket, via *place) {
			if i > 0 && seen.Has(s) || leavesOut && (e.skipSelf && s == self || e.leavesOut(s, self)) {
				return
			}
			if err := visit(s, via); err != errLeftRoom && !last {
				seen.Add(s)
			}
		})
	}
	socketSets.Put(seen)
}

// leavesOut reports whether Skip or Except leave a socket out.
func (e *emitOptions) leavesOut(s, self *Socket) bool {
	if s == nil {
		return false
	}
	if len(e.skip) > 0 && slices.Contains(e.skip, s.sid) {
		return true
	}
	return len(e.except) > 0 && s.inOneOf(e.except, s == self)
}

// recipients returns whom each visits.
func (srv *Server) recipients(e *emitOptions, fromSocket bool, self *Socket) (all []recipient) {
	srv.each(e, fromSocket, self, func(s *Socket, via *place) error {
		all = append(all, recipient{s, via})
		return nil
	})
	return all
}

// inOneOf reports whether the socket is in one of the rooms. joining counts those
// that it will be in when its connect handler accepts it.
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

// inRoom calls visit for everyone in a room, with the place there if it has one:
// a socket in the room of its session id has none, and neither has self, if it
// will be in the room when its connect handler accepts it.
func (srv *Server) inRoom(ns, room string, self *Socket, visit func(s *Socket, via *place)) {
	if s := srv.ownRoom(ns, room); s != nil {
		if s.state.Load() < stateLeaving {
			visit(s, nil)
		}
		return
	}
	for p := range srv.index.Members(ns, room).All() {
		visit(p.Member(), p)
	}
	if self != nil && self.awaits(room) {
		visit(self, nil)
	}
}

// awaits reports whether the socket will be in a room, or everyone's, when its
// connect handler accepts it.
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
