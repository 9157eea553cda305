package rooms

import (
	"iter"
	"slices"
)

// partSize is how many places of a room are copied at a time.
const partSize = 256

// room is a set of members. A Roster of it does not change when the room does: a change
// copies the places that have been handed out since, but no more than two parts of them,
// whatever their number. Its shard guards it.
type room[M comparable] struct {
	tail   []*Place[M] // the last ones, partSize at most
	shared bool        // tail has been handed out: it is copied before any of it changes
	away   int32       // how many of the members are away
	parts  *parts[M]   // the places before tail; nil: none
}

type parts[M comparable] struct {
	list  []*part[M]
	epoch uint64 // how often the parts have been handed out
	own   uint64 // the epoch in which list was copied last; a change in a later one copies it again
}

type part[M comparable] struct {
	places [partSize]*Place[M]
	own    uint64 // like parts.own
}

// Place is the place of one member in one room.
type Place[M comparable] struct {
	member M
	i      int  // in the room; its shard guards it
	away   bool // room.away counts it; its shard guards it
	left   bool
}

// Member returns whose place it is.
func (p *Place[M]) Member() M { return p.member }

// MarkLeft notes that the member has left, for users of a [Roster] that still has the place.
// A lock of the caller guards the mark. The index does not look at it.
func (p *Place[M]) MarkLeft() { p.left = true }

// Left reports whether MarkLeft was called. A nil place is never left.
func (p *Place[M]) Left() bool { return p != nil && p.left }

// Roster has the members that a room had when the Roster was made.
type Roster[M comparable] struct {
	parts []*part[M]
	tail  []*Place[M]
}

// All returns the places, in no order.
func (ro Roster[M]) All() iter.Seq[*Place[M]] {
	return func(yield func(*Place[M]) bool) {
		for _, p := range ro.parts {
			for _, place := range p.places {
				if !yield(place) {
					return
				}
			}
		}
		for _, place := range ro.tail {
			if !yield(place) {
				return
			}
		}
	}
}

// Len returns how many there are.
func (ro Roster[M]) Len() int { return len(ro.parts)*partSize + len(ro.tail) }

// roster hands out the places.
func (r *room[M]) roster() Roster[M] {
	r.shared = true
	ro := Roster[M]{tail: slices.Clip(r.tail)}
	if r.parts != nil {
		r.parts.epoch++
		ro.parts = slices.Clip(r.parts.list)
	}
	return ro
}

// before returns how many places are before tail.
func (r *room[M]) before() int {
	if r.parts == nil {
		return 0
	}
	return len(r.parts.list) * partSize
}

func (r *room[M]) len() int { return r.before() + len(r.tail) }

// present returns how many members are not away.
func (r *room[M]) present() int { return r.len() - int(r.away) }

// setAway notes that the member with the place is away, or is back.
func (r *room[M]) setAway(place *Place[M], away bool) {
	switch {
	case place.away == away:
	case away:
		r.away++
	default:
		r.away--
	}
	place.away = away
}

// add appends a place. The memory behind the end of a Roster may change.
func (r *room[M]) add(member M) *Place[M] {
	if len(r.tail) == partSize {
		if r.parts == nil {
			r.parts = new(parts[M])
		}
		p := &part[M]{own: r.parts.epoch}
		copy(p.places[:], r.tail)
		r.parts.list = append(r.parts.list, p)
		r.tail, r.shared = nil, false
	}
	place := &Place[M]{member: member, i: r.before() + len(r.tail)}
	r.tail = append(r.tail, place)
	return place
}

// remove removes a place; the last one moves to where it was.
func (r *room[M]) remove(place *Place[M]) {
	r.setAway(place, false)
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
	if moved != place {
		r.set(place.i, moved)
	}
}

// popPart makes the last part the tail, which is empty.
func (r *room[M]) popPart() {
	ps := r.parts
	ps.ownList()
	last := len(ps.list) - 1
	p := ps.list[last]
	ps.list[last] = nil
	ps.list = ps.list[:last]
	if last == 0 {
		r.parts = nil
	}
	r.tail, r.shared = p.places[:], p.own != ps.epoch
}

// set puts a place, which has been taken out, in position i.
func (r *room[M]) set(i int, place *Place[M]) {
	place.i = i
	before := r.before()
	if i >= before {
		r.tail[i-before] = place
		return
	}
	p := r.parts.list[i/partSize]
	if p.own != r.parts.epoch {
		r.parts.ownList()
		p = &part[M]{p.places, r.parts.epoch}
		r.parts.list[i/partSize] = p
	}
	p.places[i%partSize] = place
}

// ownList copies the list of parts if it has been handed out.
func (ps *parts[M]) ownList() {
	if ps.own != ps.epoch {
		ps.list, ps.own = slices.Clone(ps.list), ps.epoch
	}
}
