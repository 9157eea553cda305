package socketio

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/seed-d124fa34/socketio/engineio"
)

// Stats is a snapshot of a server: the present state, and totals since [NewServer]. Its
// maps belong to the caller.
type Stats struct {
	// Stats is what the transport layer counts: connections, packets and bytes.
	// Panics, VolatileDropped and LimitHits include those of this package: panics of
	// handlers and of all other functions given to the server, and the limits
	// ReceiveQueueLimit, MaxNamespaces, MaxRooms, MaxPendingAcks, EventRate, ControlRate,
	// ConnectTimeout, Packet.Attachments, Packet.AttachmentBytes, Packet.Depth and
	// Packet.IDDigits.
	engineio.Stats

	// Sockets is the number of sockets in each namespace that has any. Sockets that
	// have left do not count, even while their disconnect handlers run. If
	// Options.Namespaces has "*", clients choose the names.
	Sockets map[string]int
	// Recovery is about clients that lose their connections and come back.
	Recovery RecoveryStats
	// Rooms is the number of rooms with at least one member, in all namespaces. The
	// rooms of session ids do not count.
	Rooms int

	// EventsIn counts events that came from clients, including dropped ones.
	EventsIn uint64
	// EventsOut counts events sent, once for each recipient.
	EventsOut uint64
	// ConnectErrors counts the clients that a namespace refused: its connect handler
	// failed, or there is no such namespace.
	ConnectErrors uint64
	// HandlerErrors counts errors returned by handlers, middleware and
	// callbacks of [OnAck], arguments that did not fit a handler, and unknown
	// events whose client waits for an acknowledgement. Refusals by connect
	// handlers are in ConnectErrors, panics in Panics.
	HandlerErrors uint64
}

// The keys that this package adds to LimitHits.
const (
	limitReceiveQueue   = "ReceiveQueueLimit"
	limitNamespaces     = "MaxNamespaces"
	limitRooms          = "MaxRooms"
	limitPendingAcks    = "MaxPendingAcks"
	limitEventRate      = "EventRate"
	limitControlRate    = "ControlRate" // the engine's, too
	limitConnectTimeout = "ConnectTimeout"
	limitInParser       = "Packet." // and the name in parser.LimitError
)

// stats counts what Server.Stats adds to the engine's.
type stats struct {
	events          [16]eventCounts
	connectErrors   atomic.Uint64
	handlerErrors   atomic.Uint64
	panics          atomic.Uint64
	volatileDropped atomic.Uint64
	recovery        recoveryStats
	limits          map[string]*atomic.Uint64 // never changes
}

// eventCounts is one share of the counters that every event changes. The padding keeps
// shares, and in and out, on cache lines of their own, so that processors do not compete
// for one.
type eventCounts struct {
	_   [64]byte
	in  atomic.Uint64
	_   [64]byte
	out atomic.Uint64
}

func (st *stats) init() {
	st.limits = make(map[string]*atomic.Uint64)
	for _, name := range []string{
		limitReceiveQueue, limitNamespaces, limitRooms, limitPendingAcks, limitEventRate, limitConnectTimeout, limitControlRate,
		limitInParser + "Attachments", limitInParser + "AttachmentBytes", limitInParser + "Depth", limitInParser + "IDDigits",
	} {
		st.limits[name] = new(atomic.Uint64)
	}
}

// hit counts that a limit was reached.
func (st *stats) hit(limit string) {
	if n := st.limits[limit]; n != nil { // a parser may have limits of its own
		n.Add(1)
	}
}

// of returns the share of a client. For nil it returns a random one.
func (st *stats) of(cl *client) *eventCounts {
	var i uint
	if cl != nil {
		i = uint(cl.conn.ID()[0]) // random
	} else {
		i = rand.Uint()
	}
	return &st.events[i%uint(len(st.events))]
}

// Stats returns a snapshot. It reads the counters one after the other, so sums may be off
// by what happens meanwhile. It visits every connection and every room briefly, which
// takes about a millisecond for each 10,000.
func (srv *Server) Stats() Stats {
	st := Stats{
		Stats:         srv.engine.Stats(),
		ConnectErrors: srv.stats.connectErrors.Load(),
		HandlerErrors: srv.stats.handlerErrors.Load(),
	}
	st.Panics += srv.stats.panics.Load()
	st.VolatileDropped += srv.stats.volatileDropped.Load()
	for name, n := range srv.stats.limits {
		st.LimitHits[name] += n.Load()
	}
	for i := range srv.stats.events {
		e := &srv.stats.events[i]
		st.EventsIn += e.in.Load()
		st.EventsOut += e.out.Load()
	}
	sizes := srv.index.Sizes()
	st.Sockets, st.Rooms = sizes.Entered, sizes.Rooms
	st.Recovery = srv.recoveryStats(sizes.Away)
	return st
}

// RecoveryStats are the part of [Stats] that is about [Options].Recovery, all zero
// without.
type RecoveryStats struct {
	// Away are the sockets in each namespace whose clients have lost their connection and may
	// come back. They are not in Stats.Sockets. Nil if there are none.
	Away map[string]int
	// KeptBytes is the memory of the events that are kept, see [Recovery].Budget.
	KeptBytes int64
	// Recovered counts clients that came back to their session.
	Recovered uint64
	// NotRecovered counts clients that asked for their session and got a new one, by cause:
	// "unknown" if there is no such session, or none any more; "offset" if the server no
	// longer keeps all that the client has missed.
	NotRecovered map[string]uint64
	// Expired counts sessions that have ended while their client was away.
	Expired map[Expiry]uint64
	// MovedIn counts sessions that this server has got from other servers, and MovedOut
	// those that it has given to other servers.
	MovedIn, MovedOut uint64
}

func (srv *Server) recoveryStats(away map[string]int) RecoveryStats {
	if srv.recovery == nil {
		return RecoveryStats{}
	}
	c := &srv.stats.recovery
	st := RecoveryStats{
		Away: away, KeptBytes: srv.recovery.Used(), Recovered: c.recovered.Load(),
		NotRecovered: map[string]uint64{"unknown": c.unknown.Load(), "offset": c.badOffset.Load()},
		Expired:      make(map[Expiry]uint64, len(expiries)),
		MovedIn:      c.movedIn.Load(), MovedOut: c.movedOut.Load(),
	}
	for i, why := range expiries {
		st.Expired[why] = c.expired[i].Load()
	}
	return st
}

// recoveryStats counts what becomes of clients that lost their connection.
type recoveryStats struct {
	recovered atomic.Uint64
	unknown   atomic.Uint64 // not recovered: no such session, or not any more
	badOffset atomic.Uint64 // not recovered: some of what it has missed is not kept
	expired   [len(expiries)]atomic.Uint64
	movedIn   atomic.Uint64
	movedOut  atomic.Uint64
}

func (st *recoveryStats) countExpired(why Expiry) {
	for i, e := range expiries {
		if e == why {
			st.expired[i].Add(1)
		}
	}
}
