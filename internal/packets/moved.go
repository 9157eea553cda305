package packets

import (
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

// Moved returns a kept event that another server has sent. ok is false if it has no offset.
func Moved(m migration.Packet) (p *KeptPacket, ok bool) {
	offset, ok := recovery.ParseOffset(m.Offset)
	if !ok {
		return nil, false
	}
	made := New([]byte(m.Text), m.Binary, true)
	if m.Last != "" {
		made.frames = engineio.Append(made.frames, engineio.TextFrames(m.Last))
	}
	return recovery.NewPacket(Kept{Frames: made.frames, Ask: m.Ask}, offset, made.Size), true
}
