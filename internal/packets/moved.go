package packets

import (
	"bytes"
	"slices"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// ToMove returns a kept event in the form in which another server gets it.
func ToMove(p *KeptPacket) migration.Packet {
	m := migration.Packet{Offset: p.Offset.String(), Ask: p.Payload.Ask}
	first := true
	for message, binary := range p.Payload.Frames.Messages() {
		switch {
		case binary:
			m.Binary = append(m.Binary, message)
		case first:
			m.Text = string(message)
		default: // its OffsetEvent
			m.Last = string(message)
		}
		first = false
	}
	return m
}

// Moved makes the events that come with sessions of another server. An event that comes with several
// of them is made once. The zero Moved is ready. It is for one goroutine.
type Moved struct {
	made map[string]movedEvent // by offset
}

type movedEvent struct {
	from migration.Packet
	kept *KeptPacket
}

// Event returns an event as it is kept. ok is false if it has no offset.
func (all *Moved) Event(m migration.Packet) (p *KeptPacket, ok bool) {
	offset, ok := recovery.ParseOffset(m.Offset)
	if !ok {
		return nil, false
	}
	if e := all.made[m.Offset]; e.kept != nil && sameEvent(&e.from, &m) {
		return e.kept, true
	}
	if all.made == nil {
		all.made = make(map[string]movedEvent)
	}
	p = moved(m, offset)
	all.made[m.Offset] = movedEvent{m, p}
	return p, true
}

func sameEvent(a, b *migration.Packet) bool {
	return a.Text == b.Text && a.Last == b.Last && a.Ask == b.Ask && slices.EqualFunc(a.Binary, b.Binary, bytes.Equal)
}

func moved(m migration.Packet, offset recovery.Offset) *KeptPacket {
	kept := new(keptFrames)
	made := newPacket(&kept.frames, []byte(m.Text), m.Binary, true)
	if m.Last != "" {
		made.frames = engineio.Append(made.frames, engineio.TextFrames(m.Last))
	}
	kept.Init(Kept{Frames: made.frames, Ask: m.Ask}, offset, made.Size)
	return &kept.KeptPacket
}
