package socketio

import (
	"iter"
	"slices"
)

// partSize is how many members of a room are copied at a time.
const partSize = 256

// room is a set of sockets that can be handed out while it changes: what is
// handed out never does. Changes copy what has been handed out since, but no more
// than two parts of the members, however many there are. Guarded by its shard.
type room struct {
	tail   []*member // the last ones, partSize at most
	shared bool      // tail has been handed out: to be copied before any of it changes
	parts  *parts    // those before tail; nil: none
}

type parts struct {
	list  []*part
	epoch uint64 // how often the parts have been handed out
	own   uint64 // the epoch in which list was copied last: if it is not this one, it is to be copied
}

type part struct {
	members [partSize]*member
	own     uint64 // like parts.own
}

// member is the place of one socket in one room.
type member struct {
	s *Socket
	i int // in the room; guarded by the shard
	// left: the socket has left the room, whoever still has it in a list of
	// members. Written with both Socket.mu and Socket.sending held.
	left bool
}

// roster is who was in a room when it was made.
type roster struct {
	parts []*part
	tail  []*member
}

// all returns the members, in no order.
func (ro roster) all() iter.Seq[*member] {
	return func(yield func(*member) bool) {
		for _, p := range ro.parts {
			for _, m := range p.members {
				if !yield(m) {
					return
				}
			}
		}
		for _, m := range ro.tail {
			if !yield(m) {
				return
			}
		}
	}
}

func (ro roster) len() int { return len(ro.parts)*partSize + len(ro.tail) }

// roster hands out the members.
func (r *room) roster() roster {
	r.shared = true
	ro := roster{tail: slices.Clip(r.tail)}
	if r.parts != nil {
		r.parts.epoch++
		ro.parts = slices.Clip(r.parts.list)
	}
	return ro
}

// before is how many members are before tail.
func (r *room) before() int {
	if r.parts == nil {
		return 0
	}
	return len(r.parts.list) * partSize
}

func (r *room) len() int { return r.before() + len(r.tail) }

// add appends a member. What is behind the end of what has been handed out may
// change.
func (r *room) add(s *Socket) *member {
	if len(r.tail) == partSize {
		if r.parts == nil {
			r.parts = new(parts)
		}
		p := &part{own: r.parts.epoch}
		copy(p.members[:], r.tail)
		r.parts.list = append(r.parts.list, p)
		r.tail, r.shared = nil, false
	}
	m := &member{s: s, i: r.before() + len(r.tail)}
	r.tail = append(r.tail, m)
	return m
}

// remove removes a member; the last one takes its place.
func (r *room) remove(m *member) {
	if len(r.tail) == 0 {
		r.popPart()
	}
	last := len(r.tail) - 1
	if r.shared || cap(r.tail) > 64 && cap(r.tail) > 4*last {
		r.tail, r.shared = slices.Clone(r.tail), false
	}
	moved := r.tail[last]
	r.tail[last] = nil
	r.tail = r.tail[:last]
	if moved != m {
		r.set(m.i, moved)
	}
}

// popPart makes the last part the tail, which is empty.
func (r *room) popPart() {
	ps := r.parts
	ps.ownList()
	last := len(ps.list) - 1
	p := ps.list[last]
	ps.list[last] = nil
	ps.list = ps.list[:last]
	if last == 0 {
		r.parts = nil
	}
	r.tail, r.shared = p.members[:], p.own != ps.epoch
}

// set puts a member, which has been taken out, in place i.
func (r *room) set(i int, m *member) {
	m.i = i
	before := r.before()
	if i >= before {
		r.tail[i-before] = m
		return
	}
	p := r.parts.list[i/partSize]
	if p.own != r.parts.epoch {
		r.parts.ownList()
		p = &part{p.members, r.parts.epoch}
		r.parts.list[i/partSize] = p
	}
	p.members[i%partSize] = m
}

// ownList copies the list of parts if it has been handed out.
func (ps *parts) ownList() {
	if ps.own != ps.epoch {
		ps.list, ps.own = slices.Clone(ps.list), ps.epoch
	}
}
