package recovery

import (
	"iter"
	"sync"

	"github.com/seed-d124fa34/socketio/internal/budget"
)

// packetOverhead is about what a kept packet takes in memory besides the bytes of the
// event.
const packetOverhead = 128

// Packet is an event that is kept: one value for all the sessions that it is for. Only
// logs change it once it has been made.
type Packet[P any] struct {
	Payload P
	Offset  Offset // never zero
	cost    int64
	counted budget.Item
}

// NewPacket returns a packet for an event of a number of bytes. offset must not be zero.
func NewPacket[P any](payload P, offset Offset, size int) *Packet[P] {
	p := new(Packet[P])
	p.Init(payload, offset, size)
	return p
}

// Init makes p, which is zero, what [NewPacket] returns.
func (p *Packet[P]) Init(payload P, offset Offset, size int) {
	p.Payload, p.Offset, p.cost = payload, offset, int64(size)+packetOverhead
}

const (
	// chunkLen is how many entries a chunk has: it takes 256 bytes then.
	chunkLen  = 15
	chunkCost = 256
	entryCost = chunkCost / chunkLen

	// askEntries is how many entries a log gets before it asks for a confirmation.
	askEntries = 256

	// uncounted is how many bytes of a log the budget does not have at most, so that what
	// is confirmed soon costs the budget nothing.
	uncounted = 1 << 10

	// forgotten is the number of an entry that Replay is about to remove.
	forgotten = ^uint64(0)
)

type entry[P any] struct {
	packet *Packet[P]
	number uint64 // on the connection that the session is attached to; 0: not sent
}

type chunk[P any] struct {
	next    *chunk[P]
	entries [chunkLen]entry[P]
}

// logs is what all logs of a store have in common.
type logs[P any] struct {
	limit   int64    // bytes of each; 0: none
	offsets *Offsets // of this server
	chunks  sync.Pool
}

// Log is what a session keeps: the packets that its client may not have received,
// oldest first. The lock that guards it is its user's, and is held exclusively while any
// method is called. A log keeps something from [Store.Add] to Close.
//
// The numbers of packets are those of the connection that the session is attached to.
// They grow with every packet.
type Log[P any] struct {
	logs  *logs[P] // nil: Sent and Keep do nothing
	share *budget.Share

	first, last *chunk[P] // nil: empty
	begin, end  int       // of the entries, in first and last
	len         int
	size        int64 // bytes that count against logs.limit
	pending     int64 // bytes to count in share; negative: to take off

	newLen  int   // entries since the last request for a confirmation
	newSize int64 // their bytes

	trimmed    Offset // of the newest packet that is not kept any more
	hasTrimmed bool   // false: trimmed is zero, or what StartsAt said
	trimmedOwn Offset // the newest of them that this server has made; zero: none

	index map[Offset]struct{} // nil unless Has was called, see there
}

// StartsAt says which offset the client of a new session has from an earlier session
// that is lost. The official client goes on sending that offset until it gets an event,
// so it means that the client has received nothing.
func (l *Log[P]) StartsAt(o Offset) {
	if l.len == 0 && !l.hasTrimmed {
		l.trimmed = o
	}
}

// Restart makes the log of a session that comes from another server begin where it began there,
// see Start.
func (l *Log[P]) Restart(o Offset, confirmed bool) { l.trimmed, l.hasTrimmed = o, confirmed }

// Start returns the offset of the newest packet that is not kept any more, or what StartsAt said,
// and whether there was such a packet.
func (l *Log[P]) Start() (o Offset, confirmed bool) { return l.trimmed, l.hasTrimmed }

// TrimmedOwn returns the offset of the newest packet of this server that is not kept any more, zero if there
// is none: what this server made before and is not kept, the client has, or is not to get.
func (l *Log[P]) TrimmedOwn() Offset { return l.trimmedOwn }

// Sent keeps a packet that a connection has sent as a number, which is not 0. If the
// log is larger than its limit then, it loses its oldest packets. ask reports that the
// connection should be asked for a confirmation: much has been sent since the last one.
func (l *Log[P]) Sent(p *Packet[P], number uint64) (ask bool) {
	if l.logs == nil {
		return false
	}
	l.push(p, number)
	if limit := l.logs.limit; limit > 0 {
		for l.size > limit {
			l.trim()
		}
	}
	l.newLen++
	l.newSize += p.cost + entryCost
	return l.asks()
}

// Keep keeps a packet that has not been sent. ok is false if the log is larger than
// its limit then: the caller ends the session.
func (l *Log[P]) Keep(p *Packet[P]) (ok bool) {
	if l.logs == nil {
		return true
	}
	l.push(p, 0)
	return l.logs.limit == 0 || l.size <= l.logs.limit
}

// Confirm forgets what the client has: all up to a number. The number is of the
// connection that the session is attached to. ask is that of Sent.
func (l *Log[P]) Confirm(number uint64) (ask bool) {
	for l.len > 0 {
		if n := l.first.entries[l.begin].number; n == 0 || n > number {
			break
		}
		l.trim()
	}
	l.newLen, l.newSize = l.len, l.size
	return l.asks()
}

// asks reports whether a confirmation is worth a request.
func (l *Log[P]) asks() bool {
	if l.newLen < askEntries && (l.logs == nil || l.logs.limit == 0 || l.newSize < l.logs.limit/2) {
		return false
	}
	l.newLen, l.newSize = 0, 0
	return true
}

// Resume forgets what the client has that returns with an offset, zero if it has none,
// and reports whether the log has all that the client does not have. If not, the log
// stays as it is.
func (l *Log[P]) Resume(o Offset) bool {
	if o == l.trimmed || o.IsZero() && !l.hasTrimmed {
		return true
	}
	if o.IsZero() {
		return false
	}
	has := 0
	for e := range l.entries() {
		has++
		if e.packet.Offset == o {
			for range has {
				l.trim()
			}
			return true
		}
	}
	return false
}

// Replay calls send for every packet, oldest first. send returns the number with which
// the session's new connection has sent the packet, 0 if it has not, and whether the
// packet is still to be kept. send must not use the log. ask is that of Sent.
func (l *Log[P]) Replay(send func(p *Packet[P]) (number uint64, keep bool)) (ask bool) {
	drop := false
	for e := range l.entries() {
		number, keep := send(e.packet)
		if !keep {
			number, drop = forgotten, true
		}
		e.number = number
	}
	if drop {
		l.dropForgotten()
	}
	l.newLen, l.newSize = 0, 0
	return l.len > 0
}

// Clear forgets everything, whether the client has it or not: only a client that has
// all of it can resume.
func (l *Log[P]) Clear() {
	for l.len > 0 {
		l.trim()
	}
}

// Close ends the log, which gives back what it has counted. Sent and Keep have no
// effect from then on.
func (l *Log[P]) Close() {
	if l.logs == nil {
		return
	}
	l.Clear()
	l.count()
	l.logs, l.index = nil, nil
}

// Insert keeps packets that have not been sent, before the entry with the index at. ok is that of Keep.
func (l *Log[P]) Insert(at int, packets ...*Packet[P]) (ok bool) {
	if l.logs == nil {
		return true
	}
	for i := range l.len { // all entries go round once
		if i == at {
			l.pushAll(packets)
			packets = nil
		}
		e := l.take()
		l.put(e.packet, e.number)
	}
	l.pushAll(packets)
	return l.logs.limit == 0 || l.size <= l.logs.limit
}

func (l *Log[P]) pushAll(packets []*Packet[P]) {
	for _, p := range packets {
		l.push(p, 0)
	}
}

// All returns what is kept, oldest first.
func (l *Log[P]) All() iter.Seq[*Packet[P]] {
	return func(yield func(*Packet[P]) bool) {
		for e := range l.entries() {
			if !yield(e.packet) {
				return
			}
		}
	}
}

// Len returns how many packets are kept.
func (l *Log[P]) Len() int { return l.len }

// Size returns how many bytes of the limit the log takes.
func (l *Log[P]) Size() int64 { return l.size }

// entries returns the entries, which may be changed, oldest first.
func (l *Log[P]) entries() iter.Seq[*entry[P]] {
	return func(yield func(*entry[P]) bool) {
		i := l.begin
		for c := l.first; c != nil; c = c.next {
			end := chunkLen
			if c == l.last {
				end = l.end
			}
			for ; i < end; i++ {
				if !yield(&c.entries[i]) {
					return
				}
			}
			i = 0
		}
	}
}

func (l *Log[P]) push(p *Packet[P], number uint64) {
	if l.share.Hold(&p.counted) {
		l.pend(p.cost)
	}
	l.put(p, number)
	l.size += p.cost + entryCost
	if l.index != nil {
		l.addToIndex(p.Offset)
	}
}

// put appends an entry.
func (l *Log[P]) put(p *Packet[P], number uint64) {
	if l.last == nil || l.end == chunkLen {
		l.addChunk()
	}
	l.last.entries[l.end] = entry[P]{p, number}
	l.end++
	l.len++
}

func (l *Log[P]) addChunk() {
	c, ok := l.logs.chunks.Get().(*chunk[P])
	if !ok {
		c = new(chunk[P])
	}
	if l.last == nil {
		l.first = c
	} else {
		l.last.next = c
	}
	l.last, l.end = c, 0
	l.pend(chunkCost)
}

// trim forgets the oldest packet.
func (l *Log[P]) trim() {
	p := l.take().packet
	l.release(p)
	l.trimmed, l.hasTrimmed = p.Offset, true
	if l.logs.offsets.made(p.Offset) {
		l.trimmedOwn = p.Offset
	}
}

// take removes the oldest entry.
func (l *Log[P]) take() entry[P] {
	c := l.first
	e := c.entries[l.begin]
	c.entries[l.begin] = entry[P]{}
	l.begin++
	l.len--
	if l.begin < chunkLen && l.len > 0 {
		return e
	}
	l.first, l.begin = c.next, 0
	if l.first == nil {
		l.last, l.end = nil, 0
	}
	c.next = nil
	l.logs.chunks.Put(c)
	l.pend(-chunkCost)
	return e
}

// release takes off what a packet counts that the log does not keep any more.
func (l *Log[P]) release(p *Packet[P]) {
	l.size -= p.cost + entryCost
	if l.share.Release(&p.counted) {
		l.pend(-p.cost)
	}
}

// dropForgotten removes what Replay has marked.
func (l *Log[P]) dropForgotten() {
	for range l.len {
		if e := l.take(); e.number == forgotten {
			l.release(e.packet)
		} else {
			l.put(e.packet, e.number)
		}
	}
}

// pend counts bytes, sooner or later.
func (l *Log[P]) pend(bytes int64) {
	l.pending += bytes
	if l.pending >= uncounted || l.pending <= -uncounted {
		l.count()
	}
}

func (l *Log[P]) count() {
	n := l.pending
	l.pending = 0
	l.share.Count(n)
}
