package engineio

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
)

// Stats is a snapshot of a server: what there is now, and totals since
// NewServer. The maps have every key from the start, so that a series of each
// exists before the first time, and belong to the caller.
type Stats struct {
	// Polling and WebSocket are the connections that are open, by their
	// present transport. Together they are Opened less all of Closed.
	Polling, WebSocket int
	// Paused are the connections that are not read from at the moment because
	// their Receiver has no room (see Receiver.Message).
	Paused int
	// QueuedBytes are those that wait to be written, of all connections, in
	// bytes. Options.Limits.SendQueueLimit bounds those of each, and Options.Limits.SendBudget
	// their memory: there a message that waits for several of them counts once.
	QueuedBytes int64

	// Opened counts the connections that OnConnect accepted.
	Opened uint64
	// Closed counts the connections that have ended, by reason. Those of
	// ReasonSlowClient did not take what was sent to them.
	Closed map[Reason]uint64
	// Refused counts the requests answered with an error, by cause: "path",
	// "origin", "transport", "version", "method" and "malformed" are
	// requests that are wrong, "no upgrade" those that a proxy or middleware
	// keeps from becoming a WebSocket, "unknown session" those of sessions that have
	// ended or that another process has, "too large" those beyond a limit,
	// "connections" and "connections per IP" handshakes beyond
	// Options.Limits.MaxConnections and Options.Limits.MaxConnectionsPerIP, "shutdown" those
	// after Shutdown, "application" those that OnConnect refused, and "peer" those
	// that could not be handed over to the server that has the session.
	Refused map[string]uint64
	// HandedOver counts the requests of other servers' sessions that those have
	// answered (Options.PeerURL), whatever they answered. Refused has the rest.
	HandedOver uint64
	// Upgrades and UpgradesFailed count upgrades from polling to WebSocket
	// that were completed, and that were begun and given up.
	Upgrades, UpgradesFailed uint64

	// PacketsIn and PacketsOut count packets received, and taken from the send
	// queues to be written, heartbeats included.
	PacketsIn, PacketsOut uint64
	// BytesIn and BytesOut are those of these packets in bytes: without the
	// framing, after decompression, for what is received; as WebSocket
	// frames, before compression, for what is sent.
	BytesIn, BytesOut uint64
	// VolatileDropped counts what SendVolatile did not send.
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

// stats counts what happens to connections. What happens to messages is
// counted by traffic.
type stats struct {
	polling, webSocket       atomic.Int64
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

// tally counts by key what is rare enough for a lock.
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

// add counts, and returns how many there are now.
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

// carrier is the transport as which an open connection is counted.
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

// countOpenLocked counts a connection that has been accepted, and its end if that has
// come already.
func (c *Conn) countOpenLocked(on carrier) {
	s := &c.srv.stats
	s.opened.Add(1)
	s.gauge(on).Add(1)
	c.counted = on
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
	c.counted = notCounted
	s.closed.add(c.reason)
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

// Stats returns a snapshot. The counters are read one after the other while
// others go on counting, so that sums may be off by what happens meanwhile. It
// visits every connection, briefly: about a millisecond for each 10,000.
func (s *Server) Stats() Stats {
	st := Stats{
		Polling:        int(s.stats.polling.Load()),
		WebSocket:      int(s.stats.webSocket.Load()),
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
