package soak

import (
	"math/rand/v2"

	"github.com/seed-d124fa34/socketio/bench/workload"
)

// share is one of several possibilities. Its probability is its part of the sum of all shares.
type share[T any] struct {
	what T
	n    int
}

// pick chooses one of the possibilities.
func pick[T any](rng *rand.Rand, shares []share[T]) T {
	sum := 0
	for _, s := range shares {
		sum += s.n
	}
	at := rng.IntN(sum)
	for _, s := range shares {
		if at -= s.n; at < 0 {
			return s.what
		}
	}
	panic("unreachable")
}

// clientKind is how a client behaves.
type clientKind uint8

const (
	kindWebSocket clientKind = iota // WebSocket from the start
	kindPolling                     // never anything else
	kindUpgrading                   // polling, then WebSocket; begins anew every few minutes
	kindChurning                    // comes and goes, each time as one of the others
)

func (k clientKind) String() string {
	return [...]string{"websocket", "polling", "upgrading", "churning"}[k]
}

var kindShares = []share[clientKind]{{kindWebSocket, 45}, {kindPolling, 20}, {kindUpgrading, 15}, {kindChurning, 20}}

// How many of a hundred clients are in namespaces besides the main one, and how many of a hundred that
// stay on WebSocket sometimes do not read.
const (
	inChat      = 30
	inFeed      = 10
	slowReaders = 5
	speakers    = 8 // how many clients broadcast
	roomsEach   = 2 // how many rooms a socket is in
)

var churnTransports = []share[clientKind]{{kindWebSocket, 45}, {kindPolling, 25}, {kindUpgrading, 30}}

// ending is how a client, or a socket, leaves.
type ending uint8

const (
	endNone       ending = iota
	endClean             // DISCONNECT for each namespace, then the connection
	endClose             // the connection without a word in the namespaces
	endDrop              // the network connections are cut
	endVanish            // stops polling, between two polls
	endKick              // the server disconnects the socket
	endHangUp            // the server closes the connection
	endMidUpgrade        // cut while upgrading
	endings
)

func (e ending) String() string {
	return [...]string{"staying", "leaving", "closing", "dropping out", "vanishing", "kicked", "hung up on", "dropping out of an upgrade"}[e]
}

var churnEndings = map[clientKind][]share[ending]{
	kindWebSocket: {{endClean, 40}, {endDrop, 30}, {endClose, 15}, {endKick, 8}, {endHangUp, 7}},
	kindPolling:   {{endClean, 40}, {endDrop, 25}, {endClose, 10}, {endKick, 8}, {endHangUp, 7}, {endVanish, 10}},
	kindUpgrading: {{endClean, 25}, {endDrop, 20}, {endClose, 10}, {endKick, 5}, {endHangUp, 5}, {endMidUpgrade, 35}},
}

// reasons are those that the disconnect handler may get for an ending.
var reasons = [endings][]string{
	endClean:      {"client disconnect"},
	endClose:      {"client disconnect", "transport close"},
	endDrop:       {"transport close", "transport error", "ping timeout"},
	endVanish:     {"ping timeout"},
	endKick:       {"server disconnect"},
	endHangUp:     {"server disconnect"},
	endMidUpgrade: {"transport close", "transport error", "ping timeout"},
}

// orderly reports whether the server must handle everything that was sent before the ending.
func (e ending) orderly() bool { return e == endClean || e == endClose || e == endKick }

// kind is a kind of message.
type kind uint8

const (
	kindEcho kind = iota
	kindBinary
	kindSync
	kindJoin
	kindLeave
	kindSay
	kindSayBytes
	kindHint
	kindTell
	kindAll
	kindCall
	kindLater
	// What the clients hear.
	heardRoom
	heardRoomBytes
	heardHint
	heardPrivate
	heardEveryone
	heardQuestion
	heardSlowly // any of these, and acknowledgements, by a slow reader
	// What takes time besides.
	kindConnect
	kindUpgrade
	kinds
)

func (k kind) String() string {
	return [...]string{
		"event acknowledged with its text", "event acknowledged with its bytes", "event that does nothing", "joining a room", "leaving a room",
		"text to a room", "bytes to a room", "volatile text to a room", "private text", "text to everyone",
		"event during which the server asks (Call)", "event after which the server asks (OnAck)",
		"text in a room", "bytes in a room", "volatile text in a room", "private text heard", "text to everyone heard", "question of the server",
		"anything, by slow readers", "connecting", "upgrading",
	}[k]
}

// What clients do; in namespaces without rooms, only quiet.
var (
	quiet = []share[func(*socket) error]{
		{(*socket).echo, 18},
		{(*socket).binary, 10},
		{(*socket).check, 12},
		{(*socket).call, 5},
		{(*socket).later, 7},
	}
	actions = append([]share[func(*socket) error]{
		{(*socket).talk, 24},
		{(*socket).talkBytes, 8},
		{(*socket).hint, 6},
		{(*socket).tell, 10},
		{(*socket).wander, 5},
		{(*socket).again, 1},
	}, quiet...)
)

// maxPending is how many events of a socket may wait for an acknowledgement
// before it does nothing new.
const maxPending = 16

// act makes the client do something, and calls itself again after a while.
func (c *client) act() error {
	if c.going {
		return nil
	}
	if err := c.later(c.think(), c.act); err != nil {
		return err
	}
	s := c.sockets[c.rng.IntN(len(c.sockets))]
	if c.quiet || c.dropping || s.state != socketIn || len(s.pending) >= maxPending {
		return nil
	}
	if s.ns == workload.SoakFeed {
		return pick(c.rng, quiet)(s)
	}
	return pick(c.rng, actions)(s)
}

// think is how long the client waits before it acts, in milliseconds.
func (c *client) think() int64 {
	mean := 1000 * float64(c.cfg.Clients) / c.cfg.Rate
	return 1 + int64(min(c.rng.ExpFloat64(), 5)*mean)
}

// text returns a payload: most are small.
func (c *client) text(large int) []byte {
	n := 16 + c.rng.IntN(240)
	switch p := c.rng.IntN(1000); {
	case p < 2:
		n = large/2 + c.rng.IntN(large/2)
	case p < 50:
		n = 1000 + c.rng.IntN(3000)
	}
	at := c.rng.IntN(len(c.material) - n)
	return c.material[at : at+n]
}

const (
	largest    = 120 << 10 // of what is answered to the sender
	largestOut = 20 << 10  // of what goes to a room
)

func (s *socket) echo() error {
	return s.request(kindEcho, workload.SoakEcho, "", nil, payload{text: s.c.text(largest)}, nil)
}

func (s *socket) binary() error {
	return s.request(kindBinary, workload.SoakBinary, "", nil, payload{binary: s.c.text(largest)}, nil)
}

func (s *socket) call() error {
	return s.request(kindCall, workload.SoakCall, "", nil, payload{text: s.c.text(largestOut)}, nil)
}

func (s *socket) later() error {
	return s.request(kindLater, workload.SoakLater, "", nil, payload{binary: s.c.text(largestOut)}, nil)
}

// inRoom returns a room that the socket is in, nil if there is none.
func (s *socket) inRoom() *place {
	if len(s.rooms) == 0 {
		return nil
	}
	if p := s.rooms[s.c.rng.IntN(len(s.rooms))]; p.seat.state == seatIn {
		return p
	}
	return nil
}

func (s *socket) talk() error {
	if p := s.inRoom(); p != nil {
		return s.say(kindSay, workload.SoakSay, p.name, p.talk, p.seat, payload{text: s.c.text(largestOut)})
	}
	return nil
}

func (s *socket) talkBytes() error {
	if p := s.inRoom(); p != nil {
		return s.say(kindSayBytes, workload.SoakSayBytes, p.name, p.talk, p.seat, payload{binary: s.c.text(largestOut)})
	}
	return nil
}

func (s *socket) hint() error {
	if p := s.inRoom(); p != nil {
		return s.say(kindHint, workload.SoakHint, p.name, p.hint, nil, payload{text: s.c.text(largestOut)})
	}
	return nil
}

// tell sends a message to one other socket of the namespace, often the same.
func (s *socket) tell() error {
	if s.friend == nil || !s.friend.there() {
		other := s.c.tellable[s.c.rng.IntN(len(s.c.tellable))]
		if other == s || other.ns != s.ns || !other.there() {
			return nil
		}
		if s.whisper != nil {
			s.c.retired = append(s.c.retired, retired{s, s.whisper})
		}
		s.friend, s.whisper = other, s.c.speak(other.private.ch, false, nil)
	}
	return s.say(kindTell, workload.SoakTell, s.friend.sid, s.whisper, nil, payload{text: s.c.text(largestOut)})
}

func (s *socket) wander() error {
	if s.c.frozen || s.moving > 0 {
		return nil
	}
	return s.move()
}

// again leaves the namespace and comes back.
func (s *socket) again() error {
	if s.c.frozen || s.ns == "/" || s.moving > 0 || s.checked || s.c.link.upgrading() {
		return nil
	}
	return s.renew()
}

// announce broadcasts, now and then.
func (c *client) announce() {
	pace := int64(3000 * speakers * c.cfg.Haste)
	_ = c.later(pace/2+c.rng.Int64N(pace), func() error {
		c.announce()
		for _, s := range c.sockets {
			if s.aloud == nil || s.state != socketIn || c.going || c.dropping || c.quiet {
				continue
			}
			if err := s.say(kindAll, workload.SoakAll, "", s.aloud, nil, payload{text: c.text(4 << 10)}); err != nil {
				return err
			}
		}
		return nil
	})
}
