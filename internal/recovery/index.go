package recovery

// maxForgotten is how many offsets of packets that are not kept any more an index has at most, as long as
// the log keeps fewer.
const maxForgotten = 1024

// Has reports whether the log keeps the packet with an offset, or has kept it lately. The first call
// makes an index, which takes as long as there are packets; later ones take no longer for a long log.
func (l *Log[P]) Has(o Offset) bool {
	if l.index == nil {
		l.index = make(map[Offset]struct{}, l.len)
		for e := range l.entries() {
			l.index[e.packet.Offset] = struct{}{}
		}
	}
	_, has := l.index[o]
	return has
}

// addToIndex adds an offset to the index, or forgets the index if most of it is of no use any more: few
// sessions need one, and not for long.
func (l *Log[P]) addToIndex(o Offset) {
	if len(l.index) > 2*l.len+maxForgotten {
		l.index = nil
		return
	}
	l.index[o] = struct{}{}
}

// Pending are packets that are about to go into a log, in order. The lock that guards it is its user's.
type Pending[P any] struct {
	packets []*Packet[P]
	offsets map[Offset]struct{}
}

// Add adds a packet.
func (l *Pending[P]) Add(p *Packet[P]) {
	if l.offsets == nil {
		l.offsets = make(map[Offset]struct{})
	}
	l.packets = append(l.packets, p)
	l.offsets[p.Offset] = struct{}{}
}

// Has reports whether there is a packet with an offset.
func (l *Pending[P]) Has(o Offset) bool {
	_, has := l.offsets[o]
	return has
}

// Take takes out all packets, those that came first first.
func (l *Pending[P]) Take() []*Packet[P] {
	all := l.packets
	l.packets, l.offsets = nil, nil
	return all
}
