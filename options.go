package socketio

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/handlers"
	"github.com/seed-d124fa34/socketio/internal/stall"
	"github.com/seed-d124fa34/socketio/parser"
)

// Options configures a [Server]. The zero value, and nil, are a safe server.
// NewServer copies it: later changes have no effect. Hooks are set with [Server.AddHooks].
type Options struct {
	// Path is where the server is mounted. Zero means "/socket.io/", which is
	// also the default of the clients' option path. Flask-SocketIO: path.
	Path string

	// Transports are the ways in which clients may connect: "polling", "websocket".
	// Zero means both. Flask-SocketIO: transports.
	Transports []string
	// AllowEIO3 also serves the clients of Socket.IO 1 and 2, which speak revision 3
	// of Engine.IO and 4 of Socket.IO: over polling (also JSONP, for which see
	// [engineio.Options]) and WebSocket, in the same rooms and with the same handlers.
	//
	// Such a client is connected to "/" without asking, whatever namespaces it wants. It
	// has no auth: "connect" handlers get the query with which it asked for a namespace,
	// strings by name, and nothing for "/", where c.Request().URL has the query of the
	// connection. A refusal reaches it as [Error].Data, or Message if there is none. Its
	// session ids contain the id of its connection, as it expects: anyone who knows one can
	// receive and send in its name while it polls. Do not show them to others.
	// [Connection.Revision] tells such clients apart. Off by default: they are refused.
	AllowEIO3 bool
	// DisableUpgrades keeps clients that began with polling on polling.
	// Flask-SocketIO: allow_upgrades=False. Engine.IO protocol: Upgrade.
	DisableUpgrades bool
	// PingInterval is the time between two pings of the server. Zero means 25 s.
	// Flask-SocketIO: ping_interval. Engine.IO protocol: Heartbeat.
	PingInterval time.Duration
	// PingTimeout is how long a client may take to answer a ping. Then it is
	// closed with [ReasonPingTimeout]. Zero means 20 s. Flask-SocketIO: ping_timeout.
	// Engine.IO protocol: Heartbeat.
	PingTimeout time.Duration
	// UpgradeTimeout is how long a client may take from opening the WebSocket
	// to completing the upgrade. Then it stays on polling. The end of a connection, and
	// Shutdown, wait for an upgrade under way. Zero means 10 s. Engine.IO protocol: Upgrade.
	UpgradeTimeout time.Duration
	// WriteTimeout is how long a client may take nothing of what is written to it.
	// Then, after one to three times as long, it is closed with [ReasonSlowClient]. A
	// packet may take any time while its bytes flow. Zero means 10 s.
	WriteTimeout time.Duration
	// ConnectTimeout is how long a connection may take to join its first namespace.
	// Then it is closed. Refusals do not stop this time. Zero means 45 s; negative
	// means no limit. [http.Server].ReadHeaderTimeout bounds the HTTP request before.
	ConnectTimeout time.Duration

	// DrainWindow is the time over which [Server.Shutdown] spreads the ends of
	// connections, so that the clients do not all come back at once. It is never more
	// than half of the time that the context of Shutdown has left. Zero means all at
	// once up to 100 connections, and a millisecond for each further one, up to 10 s.
	// Negative means all at once.
	DrainWindow time.Duration
	// DrainTimeout is how long the handlers of a client may run after
	// [Server.Shutdown] has come to the client. Then its connection is closed, which
	// ends [Socket.Context]; what the handlers return is not acknowledged, and no further
	// event is handled. Events that arrive in the second half of this time are ignored,
	// so that it suffices for those that wait. Zero means 5 s.
	DrainTimeout time.Duration

	// Limits bounds what clients may send, hold and cost.
	Limits Limits
	// ClientIP, if set, returns the address that a handshake comes from, for
	// Limits.MaxConnectionsPerIP: an IP address, any other string to count by, or "" for
	// a client that is not counted. It is called concurrently. Nil means the address of
	// the network connection ([http.Request].RemoteAddr) or, with TrustForwarded, the
	// last entry of X-Forwarded-For. Set it if there are several proxies, or if the
	// proxy uses another header. Do not use what clients can write themselves, such as
	// the first entries of X-Forwarded-For: it lets them evade the limit.
	ClientIP func(r *http.Request) string

	// DisableHTTPCompression turns off gzip and deflate for polling answers.
	// Flask-SocketIO: http_compression=False.
	DisableHTTPCompression bool
	// HTTPCompressionThreshold is the size in bytes from which polling
	// answers are compressed. Zero means 1024. Flask-SocketIO: compression_threshold.
	HTTPCompressionThreshold int
	// PerMessageDeflate compresses messages for each WebSocket client that offers it. It
	// costs time, memory until the client has taken the message (Limits.SendBudget counts
	// it above 64 KiB), and about 1.2 MB for each processor. Off by default.
	PerMessageDeflate bool
	// PerMessageDeflateThreshold is the size in bytes from which WebSocket
	// messages are compressed. Zero means 1024.
	PerMessageDeflateThreshold int

	// Cookie is sent with the answer to a polling handshake, for load balancers
	// that use it to keep a client on one server. Its value is replaced by the
	// connection's id; an empty name means "io". It is always HttpOnly, and Secure if
	// the handshake came over TLS. Nil means no cookie. Flask-SocketIO: cookie.
	Cookie *http.Cookie
	// AllowedOrigins are the origins besides the server's own from which browsers
	// may connect: "https://example.com", "https://*.example.com", "null", "file://",
	// or "*" for any. Pages that only "*" or "null" allows connect without the user's
	// cookies. Empty means only the server's own. Flask-SocketIO: cors_allowed_origins.
	AllowedOrigins []string
	// CredentialsForAnyOrigin lets pages that only "*" or "null" in AllowedOrigins
	// allows connect with the user's cookies. Any page on the web can then act
	// for a user whom a cookie logs in.
	CredentialsForAnyOrigin bool
	// AllowOrigin, if set, reports whether pages of an origin may connect that
	// AllowedOrigins does not allow. It is called concurrently, by the goroutines that
	// serve requests.
	AllowOrigin func(r *http.Request, origin string) bool
	// TrustForwarded makes the headers X-Forwarded-Proto and X-Forwarded-Host decide
	// what the server's own origin is, and the last entry of X-Forwarded-For what a
	// client's address is. Set it only behind a proxy that sets or removes the first
	// two, and sets or appends to the third.
	TrustForwarded bool
	// DisableCredentials leaves out Access-Control-Allow-Credentials, so that
	// polling pages of other origins connect without cookies. Browsers send
	// cookies with WebSocket handshakes all the same. Flask-SocketIO:
	// cors_credentials=False.
	DisableCredentials bool

	// Namespaces are namespaces that clients may connect to although no handler is
	// registered for them: "/news". "*" accepts every name; without it no client can
	// connect to a namespace for which only [Server.Namespace]("*") has handlers. "/" is
	// always accepted. Flask-SocketIO: namespaces.
	Namespaces []string
	// AlwaysConnect accepts clients before the connect handler runs, as
	// Flask-SocketIO's always_connect does: they are in the namespace, and broadcasts
	// reach them, while it decides. If it fails, the client gets a DISCONNECT packet.
	AlwaysConnect bool
	// AsyncHandlers runs every event in a goroutine of its own as soon as it
	// arrives, so that the events of one client overlap and overtake each
	// other, as in Flask-SocketIO. The connect handler still comes first, and
	// the disconnect handler last, when the others have returned. At most
	// Limits.AsyncLimit events of a client run at a time. By default the events of
	// one socket are handled one after another, in order. Flask-SocketIO:
	// async_handlers, which is on there by default.
	AsyncHandlers bool

	// StrictArgs makes it an [*ArgError] that an event has fewer or more arguments
	// than its handler has parameters, as it is a TypeError in Python; the handler is
	// not called. A variadic parameter takes any number, and a [HandlerFunc] any
	// arguments. The same holds for acknowledgements and the callback of [OnAck]: one
	// with an error parameter is called with the ArgError, and one without parameters
	// for arguments takes any. By default those that the client left out are zero, as in
	// JavaScript, and superfluous ones are ignored; [Context.NumArgs] returns their number.
	StrictArgs bool

	// Session, if set, returns the first content of a connection's [Session],
	// from the HTTP request of its handshake. It is called once for each connection,
	// in the goroutine that serves the request, before the client is
	// answered. The map is copied. Flask-SocketIO: manage_session.
	Session func(r *http.Request) map[string]any

	// Recovery, if set, lets clients come back to their session that have lost their
	// connection, and have what they have missed. Nil means that such a client begins
	// a new session, and what was emitted to it meanwhile is lost.
	Recovery *Recovery

	// JSON replaces encoding/json for the arguments of events. The module parsers/sonic
	// has a faster codec. Nil means encoding/json. Flask-SocketIO: json.
	JSON parser.Codec
	// Parser replaces the packet format. Nil means Socket.IO's own: JSON with
	// binary attachments. It cannot be combined with JSON. The clients need the same
	// format. Flask-SocketIO: serializer. Socket.IO protocol: Packet encoding.
	Parser parser.Parser

	// Cluster connects this server with others, so that they are one application. The
	// zero value is a server on its own.
	Cluster ClusterOptions

	// Logger gets panics at level error; errors of handlers, refused origins and
	// failures of the broker and of other servers at warn; and at debug what clients do:
	// they come and go, are refused or break the protocol. At warn are also the first
	// event without a handler, the first request to a wrong path or of a wrong version,
	// and the first that a proxy keeps from becoming a WebSocket. Of session ids the log
	// has only the beginning, of what clients send only names and what an error quotes.
	// Zero means [slog.Default].
	Logger *slog.Logger
}

// Limits bounds what clients may send, hold and cost. The zero value has bounds that
// suit a server on the internet. [Stats].LimitHits counts how often each limit is
// reached.
type Limits struct {
	// MaxPayload bounds one message from a client, in bytes, over polling and
	// WebSocket alike. A client that sends a larger one is closed: after the status 413
	// of the POST with [ReasonTransportError], or after the close status 1009 with
	// [ReasonTransportClose]. Zero means 1,000,000. Flask-SocketIO: max_http_buffer_size.
	// Engine.IO protocol: Handshake, maxPayload.
	MaxPayload int
	// PostBudget bounds the memory that the bodies of all POSTs take together, in
	// bytes. A body counts until its packets have been queued for handlers. Bodies of
	// up to 4 KiB do not count. When the budget is used up, the POST that began first is
	// refused with 503, and its connection is closed with [ReasonTransportError]. But
	// while more than half of the budget waits because of handlers, further bodies wait
	// as well. Zero means 64 MiB, or 8 times MaxPayload if that is more; it must be at
	// least twice MaxPayload.
	PostBudget int
	// SendQueueLimit bounds what waits to be sent to one connection, in bytes; each
	// packet counts with about 100 bytes more than its size. A packet of any size is
	// accepted when nothing else waits. Beyond the limit, an emit to this socket alone
	// returns [ErrSendQueueFull], and [Socket.Flush] waits until there is room. If there
	// is no room for a broadcast or an acknowledgement, the connection is closed with
	// [ReasonSlowClient]. Zero means 64 MiB.
	SendQueueLimit int
	// SendBudget bounds the memory of what waits to be sent to all connections of
	// this server together, in bytes. A packet that waits for several connections counts
	// once; a large answer to a poll counts by itself, and so does what is compressed
	// for one connection. What the network takes at once does not count. When the budget
	// is used up, the connections for which most waits are closed with [ReasonSlowClient]
	// until an eighth of it is free. Zero means 256 MiB; negative means no bound but
	// SendQueueLimit.
	SendBudget int
	// ReceiveQueueLimit bounds the events of one connection that have arrived and
	// whose handlers have not returned, in bytes; each counts with its size and 256 bytes
	// more. One event is accepted whatever its size. Above the limit the server stops
	// reading from the client until half of it is left. So a client that sends faster
	// than its handlers run is slowed down, and all it sends is handled. Its
	// acknowledgements wait, too.
	//
	// If no handler of the connection returns for PingInterval and PingTimeout together
	// meanwhile, the connection is closed with [ReasonTransportError], and the events that
	// wait are dropped. After that time those of a client that has gone are dropped, too.
	// Zero means 4 MiB.
	ReceiveQueueLimit int
	// ControlRate bounds the control packets a second that one client may send: pings,
	// pongs and NOOPs of the transports. The same number bounds useless packets:
	// acknowledgements that are not expected, and packets for namespaces that the client
	// is not in. Ten times as many may come at once. Beyond that the server reads more
	// slowly from the client. A POST with more than 2,000 control packets is refused, and
	// ends its connection. Zero means 1000.
	ControlRate int
	// EventRate bounds the events a second that one connection may send, in all its
	// namespaces together; a connect to a namespace counts as one. Events above it are
	// dropped: the error handler gets a [*LimitError] and decides about the
	// acknowledgement. Without an error handler, an event that asks for an
	// acknowledgement gets {"error":{"message":"Too many events"}}, and a connect is
	// refused in the same way. If a client goes on until as many again have been dropped,
	// it is closed with [ReasonTransportError]. Zero means no limit but
	// ReceiveQueueLimit, because only the app knows what is normal.
	EventRate int
	// EventBurst is how many events may come at once after a pause. Zero means
	// EventRate, the events of one second.
	EventBurst int
	// AsyncLimit bounds, with AsyncHandlers, the events of one connection that
	// run at the same time. Further ones wait in order, see ReceiveQueueLimit. Zero
	// means 100.
	AsyncLimit int
	// MaxNamespaces bounds the namespaces that one connection may be in. A connect
	// beyond it is refused with "Too many namespaces". Zero means 100.
	MaxNamespaces int
	// MaxRooms bounds the rooms that one socket may be in, not counting its own.
	// [Socket.Join] returns a [*LimitError] beyond it. Zero means 10,000.
	MaxRooms int
	// MaxPendingAcks bounds the acknowledgements that one socket may owe to [OnAck]
	// and Call together. Beyond it the event is not sent to this socket. The callback of
	// OnAck gets a [*LimitError] if it takes an error and the event is for a room or for
	// everyone; otherwise Emit returns one, as Call does. Zero means 10,000.
	MaxPendingAcks int
	// MaxConnections bounds the connections at one time. It includes those over
	// polling, which need no network connection between two requests. A handshake beyond
	// it is refused with 503. Zero means twice the number of files that the process may
	// open (RLIMIT_NOFILE), at most 100,000; on systems without such a limit, 100,000.
	// Negative means no limit.
	MaxConnections int
	// MaxConnectionsPerIP bounds the connections at one time from one client
	// address. For IPv6, a whole /64 network counts as one address. A handshake beyond it
	// is refused with 429. Zero means no limit, because everyone behind a proxy or a
	// company's router has the same address.
	MaxConnectionsPerIP int
	// Packet bounds what is accepted inside one packet, such as attachments and
	// nesting; [parser.Limits] has the units and defaults. A packet beyond it closes
	// the connection with [ReasonParseError].
	Packet parser.Limits
}

// Validate returns the error that [NewServer] would panic with, nil if the options are
// valid. It is for options that come from a configuration. Nil options are valid.
func (o *Options) Validate() error {
	s, err := o.complete()
	if err == nil {
		err = s.engine(func(*engineio.Conn) (engineio.Receiver, error) { return nil, nil }).Validate()
	}
	if err != nil {
		return fmt.Errorf("socketio: %w", err)
	}
	return nil
}

const (
	defaultPath              = "/socket.io/"
	defaultConnectTimeout    = 45 * time.Second
	defaultDrainTimeout      = 5 * time.Second
	defaultReceiveQueueLimit = 4 << 20
	defaultAsyncLimit        = 100
	defaultMaxNamespaces     = 100
	defaultRemoteAckTimeout  = time.Minute
	defaultMaxRooms          = 10_000
	defaultMaxPendingAcks    = 10_000
)

// settings are Options that have been checked and completed.
type settings struct {
	Options
	accept    map[string]bool // namespaces that need no handlers
	acceptAll bool            // Options.Namespaces has "*"
	queue     parser.Parser   // JSON, for the broker
	stall     stall.Rules     // for the backlogs of clients: nothing may be done for as long as a client may be silent
	ownParser bool            // Options.Parser is set, so packets differ from what queue encodes
}

// complete copies o, checks it, and sets all defaults but those of the engine.
func (o *Options) complete() (settings, error) {
	var s settings
	if o != nil {
		s.Options = *o
	}
	for _, check := range []func() error{s.checkLimits, s.checkCluster, s.checkRest, s.checkRecovery} {
		if err := check(); err != nil {
			return s, err
		}
	}
	if err := s.acceptNamespaces(); err != nil {
		return s, err
	}
	s.setDefaults()
	return s, nil
}

func (s *settings) checkRest() error {
	if s.DrainTimeout < 0 {
		return fmt.Errorf("field Options.DrainTimeout is %v: set a positive duration, or leave it 0 for the default of %v", s.DrainTimeout, defaultDrainTimeout)
	}
	if s.JSON != nil && s.Parser != nil {
		return errors.New("both Options.JSON and Options.Parser are set: give the codec to the parser, and set Parser only")
	}
	return nil
}

// acceptNamespaces sets accept and acceptAll from Options.Namespaces.
func (s *settings) acceptNamespaces() error {
	s.accept = map[string]bool{"/": true}
	for _, name := range s.Options.Namespaces {
		if name == anyName {
			s.acceptAll = true
			continue
		}
		clean, err := handlers.Namespace(name)
		if err != nil {
			return fmt.Errorf("in Options.Namespaces: %w", err)
		}
		s.accept[clean] = true
	}
	return nil
}

// setDefaults sets all defaults but those of the engine, see adopt.
func (s *settings) setDefaults() {
	s.Path = cmp.Or(s.Path, defaultPath)
	if !strings.HasPrefix(s.Path, "/") {
		s.Path = "/" + s.Path
	}
	if !strings.HasSuffix(s.Path, "/") {
		s.Path += "/"
	}
	s.ConnectTimeout = cmp.Or(s.ConnectTimeout, defaultConnectTimeout)
	s.DrainTimeout = cmp.Or(s.DrainTimeout, defaultDrainTimeout)

	l := &s.Limits
	l.ReceiveQueueLimit = cmp.Or(l.ReceiveQueueLimit, defaultReceiveQueueLimit)
	l.AsyncLimit = cmp.Or(l.AsyncLimit, defaultAsyncLimit)
	l.MaxNamespaces = cmp.Or(l.MaxNamespaces, defaultMaxNamespaces)
	l.MaxRooms = cmp.Or(l.MaxRooms, defaultMaxRooms)
	l.MaxPendingAcks = cmp.Or(l.MaxPendingAcks, defaultMaxPendingAcks)
	l.EventBurst = cmp.Or(l.EventBurst, l.EventRate)

	c := &s.Cluster
	c.Channel = cmp.Or(c.Channel, broker.DefaultChannel)
	c.QueueLimit = cmp.Or(c.QueueLimit, broker.DefaultQueueLimit)
	c.AckTimeout = cmp.Or(c.AckTimeout, defaultRemoteAckTimeout)

	s.ownParser = s.Parser != nil
	s.queue = parser.New(s.JSON)
	if s.Parser == nil {
		s.Parser = s.queue
	}
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
}
