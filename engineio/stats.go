package engineio

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
)

// Stats is a snapshot of a server: the present state, and totals since NewServer. The
// maps belong to the caller. They have every key from the start, so that a time series
// of each exists before its first event.
type Stats struct {
	// Polling and WebSocket are the numbers of open connections, by their present
	// transport. Their sum is Opened less all of Closed.
	Polling, WebSocket int
	// Revision3 is how many of these speak revision 3 of the protocol (Options.AllowEIO3).
	Revision3 int
	// Paused is the number of connections that the server does not read from at the
	// moment because their Receiver has no room (see Receiver.Message).
	Paused int
	// QueuedBytes is what waits to be written to all connections, in bytes.
	// Options.Limits.SendQueueLimit bounds what waits for each connection, and
	// Options.Limits.SendBudget the memory of all of it: there a message that waits for
	// several connections counts once.
	QueuedBytes int64

	// Opened counts the connections that OnConnect accepted.
	Opened uint64
	// Closed counts the connections that have ended, by reason. Clients with
	// ReasonSlowClient did not take what was sent to them.
	Closed map[Reason]uint64
	// Refused counts the requests answered with an error, by cause:
	//   - "path", "origin", "transport", "version", "method", "malformed": the
	//     request is wrong;
	//   - "no upgrade": a proxy or middleware keeps it from becoming a WebSocket;
	//   - "unknown session": its session has ended, or another process has it;
	//   - "too large": it is beyond a limit;
	//   - "connections", "connections per IP": a handshake beyond
	//     Options.Limits.MaxConnections or Options.Limits.MaxConnectionsPerIP;
	//   - "shutdown": it came after Shutdown;
	//   - "application": OnConnect refused it;
	//   - "peer": it could not be handed over to the server that has its session.
	Refused map[string]uint64
	// HandedOver counts the requests that were handed over to other servers
	// (Options.PeerURL) and answered there, whatever the answer. Refused counts those
	// that could not be handed over.
	HandedOver uint64
	// Upgrades counts the upgrades from polling to WebSocket that were completed,
	// UpgradesFailed those that began and were given up.
	Upgrades, UpgradesFailed uint64

	// PacketsIn counts packets received, PacketsOut packets taken from the send
	// queues to be written. Both include heartbeats.
	PacketsIn, PacketsOut uint64
	// BytesIn is the size of the packets received, in bytes, without framing and after
	// decompression. BytesOut is the size of the packets taken from the send queues, as
	// WebSocket frames, before compression.
	BytesIn, BytesOut uint64
	// VolatileDropped counts the messages that SendVolatile dropped.
	VolatileDropped uint64
	// Panics counts panics of the application's code that were recovered.
	Panics uint64
	// LimitHits counts how often a limit was reached, by the name of its field
	// in Options: MaxConnections, MaxConnectionsPerIP, MaxPayload, PostBudget,
	// ControlRate, SendQueueLimit, SendBudget and WriteTimeout.
	LimitHits map[string]uint64
}

// The causes of Stats.Refused.
const (
	causePath        = "path"
	causeOrigin      = "origin"
	causeTransport   = "transport"
	causeVersion     = "version"
	causeMethod      = "method"
	causeMalformed   = "malformed"
	causeNoUpgrade   = "no upgrade"
	causeSession     = "unknown session"
	causeTooLarge    = "too large"
	causeFull        = "connections"
	causeFullIP      = "connections per IP"
	causeShutdown    = "shutdown"
	causeApplication = "application"
	causePeer        = "peer"
)

// The keys of Stats.LimitHits.
const (
	limitConnections      = "MaxConnections"
	limitConnectionsPerIP = "MaxConnectionsPerIP"
	limitPayload          = "MaxPayload"
	limitPostBudget       = "PostBudget"
	limitControlRate      = "ControlRate"
	limitSendQueue        = "SendQueueLimit"
	limitSendBudget       = "SendBudget"
	limitWriteTimeout     = "WriteTimeout"
)

// stats counts what happens to connections; traffic counts what happens to messages.
type stats struct {
	polling, webSocket       atomic.Int64
	revision3                atomic.Int64
	paused                   atomic.Int64
	opened                   atomic.Uint64
	upgrades, upgradesFailed atomic.Uint64
	panics                   atomic.Uint64
	closed                   tally[Reason]
	refused, limits          tally[string]
}

func (s *stats) init() {
	s.closed.init(ReasonClientDisconnect, ReasonServerDisconnect, ReasonPingTimeout, ReasonTransportClose,
		ReasonTransportError, ReasonParseError, ReasonSlowClient, ReasonServerShutdown)
	s.refused.init(causePath, causeOrigin, causeTransport, causeVersion, causeMethod, causeMalformed, causeNoUpgrade,
		causeSession, causeTooLarge, causeFull, causeFullIP, causeShutdown, causeApplication, causePeer)
	s.limits.init(limitConnections, limitConnectionsPerIP, limitPayload, limitPostBudget, limitControlRate, limitSendQueue, limitSendBudget, limitWriteTimeout)
}

// tally counts events by key. It takes a lock, so it is for rare events.
type tally[K ~string] struct {
	mu sync.Mutex
	n  map[K]uint64
}

func (t *tally[K]) init(keys ...K) {
	t.n = make(map[K]uint64, len(keys))
	for _, k := range keys {
		t.n[k] = 0
	}
}

// add counts an event, and returns how many of its key there have been.
func (t *tally[K]) add(k K) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n[k]++
	return t.n[k]
}

func (t *tally[K]) snapshot() map[K]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.n)
}

// traffic counts messages. There is one for each flusher, shared by its
// connections, so that many processors do not queue at one counter; the padding
// keeps what readers and writers count on cache lines of their own.
type traffic struct {
	_                    [64]byte
	packetsIn, bytesIn   atomic.Uint64
	_                    [64]byte
	packetsOut, bytesOut atomic.Uint64
	volatileDropped      atomic.Uint64
	_                    [64]byte
}

func (t *traffic) received(packets, size int) {
	t.packetsIn.Add(uint64(packets))
	t.bytesIn.Add(uint64(size))
}

func (t *traffic) sent(batch []*outgoing.Unit, size int) {
	if len(batch) == 0 {
		return
	}
	packets := 0
	for _, f := range batch {
		packets += f.Count()
	}
	t.packetsOut.Add(uint64(packets))
	t.bytesOut.Add(uint64(size))
}

// carrier is the transport by which Stats counts an open connection.
type carrier uint8

const (
	notCounted carrier = iota // not accepted yet, or closed
	onPolling
	onWebSocket
)

func (s *stats) gauge(on carrier) *atomic.Int64 {
	if on == onWebSocket {
		return &s.webSocket
	}
	return &s.polling
}

// countOpenLocked counts a connection that has been accepted. If the connection has
// already ended, it counts the end, too.
func (c *Conn) countOpenLocked(on carrier) {
	s := &c.srv.stats
	s.opened.Add(1)
	s.gauge(on).Add(1)
	c.counted = on
	if c.dialect().revision() == 3 {
		s.revision3.Add(1)
	}
	if c.closed {
		c.countClosedLocked()
	}
}

func (c *Conn) countClosedLocked() {
	if c.counted == notCounted {
		return
	}
	s := &c.srv.stats
	s.gauge(c.counted).Add(-1)
	if c.dialect().revision() == 3 {
		s.revision3.Add(-1)
	}
	c.counted = notCounted
	s.closed.add(c.cause.Reason)
}

// isOpen reports whether the connection was accepted and has not ended.
func (c *Conn) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counted != notCounted
}

func (c *Conn) countUpgradeLocked() {
	if c.counted != onPolling {
		return
	}
	s := &c.srv.stats
	s.polling.Add(-1)
	s.webSocket.Add(1)
	s.upgrades.Add(1)
	c.counted = onWebSocket
}

// Stats returns a snapshot. It reads the counters one after the other, so sums may be
// off by what happens meanwhile. It visits every connection briefly, which takes about
// a millisecond for each 10,000.
func (s *Server) Stats() Stats {
	st := Stats{
		Polling:        int(s.stats.polling.Load()),
		WebSocket:      int(s.stats.webSocket.Load()),
		Revision3:      int(s.stats.revision3.Load()),
		Paused:         int(s.stats.paused.Load()),
		Opened:         s.stats.opened.Load(),
		Closed:         s.stats.closed.snapshot(),
		Refused:        s.stats.refused.snapshot(),
		Upgrades:       s.stats.upgrades.Load(),
		UpgradesFailed: s.stats.upgradesFailed.Load(),
		Panics:         s.stats.panics.Load(),
		LimitHits:      s.stats.limits.snapshot(),
	}
	if s.peers != nil {
		st.HandedOver = s.peers.Count()
	}
	for i := range s.flushers {
		t := &s.flushers[i].traffic
		st.PacketsIn += t.packetsIn.Load()
		st.BytesIn += t.bytesIn.Load()
		st.PacketsOut += t.packetsOut.Load()
		st.BytesOut += t.bytesOut.Load()
		st.VolatileDropped += t.volatileDropped.Load()
	}
	for _, c := range s.all() {
		c.mu.Lock()
		if !c.transportDone {
			st.QueuedBytes += int64(c.queue.Size())
		}
		c.mu.Unlock()
	}
	return st
}
