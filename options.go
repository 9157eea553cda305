package socketio

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/parser"
)

// Options configures a [Server]. The zero value, and nil, are a safe server.
// NewServer copies it: later changes have no effect.
type Options struct {
	// Path is where the server is mounted. Zero means "/socket.io/", which is
	// what clients use unless told otherwise.
	Path string

	// Transports are the ways clients may connect: "polling", "websocket".
	// Zero means both.
	Transports []string
	// DisableUpgrades keeps clients that began with polling on polling.
	DisableUpgrades bool
	// PingInterval is the time between the server's pings. Zero means 25 s.
	PingInterval time.Duration
	// PingTimeout is how long a client may take to answer a ping before it is
	// considered gone. Zero means 20 s.
	PingTimeout time.Duration
	// UpgradeTimeout is how long a client may take from opening the WebSocket
	// to completing the upgrade. Zero means 10 s.
	UpgradeTimeout time.Duration
	// WriteTimeout is how long a client may take nothing of what is written to
	// it before it is closed with [ReasonSlowClient], after one to three times as
	// long. How long a packet takes altogether does not matter while its bytes
	// flow. Zero means 10 s.
	WriteTimeout time.Duration
	// ConnectTimeout closes a connection that has joined no namespace by
	// then. Refusals do not stop it, the first success does for good. Zero
	// means 45 s; negative means never. The time for the HTTP request before
	// that is [http.Server].ReadHeaderTimeout.
	ConnectTimeout time.Duration

	// DrainWindow is over which time [Server.Shutdown] spreads the ends of
	// connections, so that the clients do not all come back at once; at most half
	// of the time that its context has left. Zero means all at once up to 100 of
	// them, and a millisecond for each one more, up to 10 s; negative means all at once.
	DrainWindow time.Duration
	// DrainTimeout is how long the handlers of a client may go on after its
	// turn to go has come in [Server.Shutdown]. Then its connection is closed all
	// the same, which ends their [Socket.Context] and leaves them without
	// acknowledgement. Zero means 5 s.
	DrainTimeout time.Duration

	// Limits bounds what clients may send, hold and cost.
	Limits Limits
	// ClientIP, if set, says for Limits.MaxConnectionsPerIP where a handshake comes
	// from: an IP address, any other text to count by, or "" for a client that
	// is not counted. Nil means the address of the network connection
	// ([http.Request].RemoteAddr), or with TrustForwarded the last entry of
	// X-Forwarded-For. With several proxies, or one that uses another header,
	// set it; what clients can write themselves, such as the first entries of
	// X-Forwarded-For, lets them evade the limit. It is called concurrently.
	ClientIP func(r *http.Request) string

	// DisableHTTPCompression turns off gzip and deflate for polling answers.
	DisableHTTPCompression bool
	// HTTPCompressionThreshold is the size in bytes from which polling
	// answers are compressed. Zero means 1024.
	HTTPCompressionThreshold int
	// PerMessageDeflate offers compression to WebSocket clients. It costs
	// memory and time per connection; off by default.
	PerMessageDeflate bool
	// PerMessageDeflateThreshold is the size in bytes from which WebSocket
	// messages are compressed. Zero means 1024.
	PerMessageDeflateThreshold int

	// Cookie is sent with the answer to a polling handshake, for load
	// balancers that keep a client on one server by it. Its value is replaced
	// by the connection's id; an empty name means "io". It is always HttpOnly,
	// and Secure where the handshake came over TLS. Nil means no cookie.
	Cookie *http.Cookie
	// AllowedOrigins lists the origins from which browsers may connect,
	// besides the server's own: "https://example.com",
	// "https://*.example.com", "null", "file://", or "*" for any. Pages that only
	// "*" or "null" allows connect without the user's cookies. Empty means the
	// server's own only.
	AllowedOrigins []string
	// CredentialsForAnyOrigin lets pages that only "*" or "null" in AllowedOrigins
	// allows connect with the user's cookies. Any page on the web can then act
	// for a user whom a cookie logs in.
	CredentialsForAnyOrigin bool
	// AllowOrigin, if set, is asked about origins that AllowedOrigins does
	// not allow.
	AllowOrigin func(r *http.Request, origin string) bool
	// TrustForwarded takes the server's own origin also from the headers
	// X-Forwarded-Proto and X-Forwarded-Host, and a client's address from the
	// last entry of X-Forwarded-For. Set it only behind a proxy that sets or
	// removes the first two, and sets or appends to the third.
	TrustForwarded bool
	// DisableCredentials leaves out Access-Control-Allow-Credentials, so that
	// polling pages of other origins connect without cookies. Browsers send
	// cookies with WebSocket handshakes all the same.
	DisableCredentials bool

	// Namespaces lists namespaces that clients may connect to although no
	// handler is registered for them: "/news". "*" accepts every name, which
	// is what [Server.Namespace]("*") needs to see any client of a namespace
	// without handlers of its own. "/" is always accepted.
	Namespaces []string
	// AlwaysConnect tells clients that they are connected before the connect
	// handler runs, as Flask-SocketIO's always_connect does: they are then in
	// the namespace, and reached by broadcasts, while it decides. A refusal is
	// then a disconnect packet.
	AlwaysConnect bool
	// AsyncHandlers runs every event in a goroutine of its own as soon as it
	// arrives, so that the events of one client overlap and overtake each
	// other, as in Flask-SocketIO. The connect handler still comes first, and
	// the disconnect handler last, when the others have returned. By default
	// the events of one socket are handled one after another, in order.
	AsyncHandlers bool

	// StrictArgs makes it an error, an [*ArgError], that an event has fewer or
	// more arguments than its handler has parameters, as it is a TypeError in
	// Python; the handler is not called. A variadic parameter takes any number, and
	// a [HandlerFunc] any arguments. By default those the client left out are
	// zero, as in JavaScript, and extra ones are ignored; [Context.NumArgs] tells.
	StrictArgs bool

	// Session, if set, gives the first content of a connection's [Session],
	// from the HTTP request of its handshake. It is called once a connection,
	// in the goroutine that serves the request, before the client is
	// answered. The map is copied.
	Session func(r *http.Request) map[string]any

	// JSON replaces encoding/json for the arguments of events.
	JSON parser.Codec
	// Parser replaces the packet format. Nil means Socket.IO's own: JSON with
	// binary attachments. It cannot be combined with JSON.
	Parser parser.Parser

	// Cluster connects this server with others, which are one application then.
	Cluster ClusterOptions

	// Logger gets panics at level error, errors of handlers, refused origins
	// and trouble with the broker and the other servers at warn, and at debug what clients do: that
	// they come and go, are refused or break the protocol. What newcomers need
	// to see is at warn the first time: an event without handler whose client
	// waits for the acknowledgement, and requests to a wrong path, of a wrong
	// version, or that a proxy keeps from becoming a WebSocket. Of session ids it
	// gets the beginning only, of what clients send nothing but names and
	// what an error quotes. Zero means [slog.Default].
	Logger *slog.Logger
}

// Limits bounds what clients may send, hold and cost. The zero value is a set of
// bounds for a server that faces the internet. What reaches a limit is counted in
// [Stats].LimitHits.
type Limits struct {
	// MaxPayload bounds, in bytes, one message from a client, over polling
	// and WebSocket alike. Zero means 1,000,000.
	MaxPayload int
	// PostBudget bounds, in bytes, what the bodies of all POSTs take until what is
	// in them has been queued for handlers. Above it the POST that began first is
	// refused with 503 and its connection closed with [ReasonTransportError]; but
	// when more than half wait because of handlers, what arrives waits as well.
	// Bodies of up to 4 KiB do not count. Zero means 64 MiB, or 8 times MaxPayload if that is more; it
	// must be at least twice MaxPayload.
	PostBudget int
	// SendQueueLimit bounds, in bytes, what may wait to be sent to one
	// connection, with about 100 for each packet; a packet of any size is
	// accepted when nothing else waits. Beyond it, who emits to this socket
	// alone gets [ErrSendQueueFull], and [Socket.Flush] waits for room; a client
	// for which a broadcast or an acknowledgement finds no room is closed with
	// [ReasonSlowClient]. Zero means 64 MiB.
	SendQueueLimit int
	// SendBudget bounds, in bytes, the memory of what waits to be sent to all
	// connections of this server together; a packet that waits for several of
	// them counts once. When it is used up, the connections for which most waits
	// are closed with [ReasonSlowClient] until an eighth of it is free. What the
	// network takes at once does not count. Zero means 256 MiB; a negative
	// value, no bound but SendQueueLimit.
	SendBudget int
	// ReceiveQueueLimit bounds, in bytes, the events of one connection that
	// have arrived and whose handlers have not returned; each counts what it
	// holds and 256 bytes. One event is accepted whatever its size. Above the
	// limit the server reads nothing more from the client until half of it is
	// left: a client that sends faster than its handlers run sends slower, and
	// all it sent is handled. Acknowledgements wait, too, behind what is not
	// read. If no handler of the connection returns for PingInterval and
	// PingTimeout together meanwhile, the connection is closed with
	// [ReasonTransportError], and what waits is dropped; likewise what waits when
	// the client has gone. Zero means 4 MiB.
	ReceiveQueueLimit int
	// ControlRate bounds what means nothing and costs a client nothing: pings,
	// pongs and NOOPs of the transports, and in the same number acknowledgements that nobody expects and packets
	// for namespaces that the client is not in, a second each. Above it, after ten times as many at
	// once, the server reads more slowly from the client. Zero means 1000.
	ControlRate int
	// EventRate bounds the events a second that one connection may send, in all
	// its namespaces together; connecting to a namespace counts as one. What
	// comes above is dropped: the error handler gets a [*LimitError] and
	// decides about the acknowledgement; without one an event that asks for an
	// acknowledgement gets {"error":{"message":"Too many events"}}, and a
	// connect is refused likewise. A client that goes on, so that as many
	// again have to be dropped, is closed with [ReasonTransportError]. Zero
	// means no limit but ReceiveQueueLimit: what is normal only the app knows.
	EventRate int
	// EventBurst is how many events may come at once after a pause. Zero
	// means those of one second, EventRate.
	EventBurst int
	// AsyncLimit bounds, with AsyncHandlers, the events of one connection that
	// run at one time. Those above it wait in order, see ReceiveQueueLimit. Zero
	// means 100.
	AsyncLimit int
	// MaxNamespaces bounds the namespaces one connection may be in. In one
	// more it is refused with "Too many namespaces". Zero means 100.
	MaxNamespaces int
	// MaxRooms bounds the rooms one socket may be in, not counting its own.
	// [Socket.Join] returns a [*LimitError] beyond it. Zero means 10,000.
	MaxRooms int
	// MaxPendingAcks bounds the acknowledgements one socket may owe, to
	// [OnAck] and Call together. Beyond it the event is not sent to this
	// socket, and the callback of OnAck gets a [*LimitError], if it takes an error
	// and the event is for a room or everyone; otherwise Emit and Call return one. Zero
	// means 10,000.
	MaxPendingAcks int
	// MaxConnections bounds the connections at one time, those over polling
	// included, which need no network connection between two requests. A
	// handshake beyond it is refused with 503. Zero means twice the number of
	// files that the process may open (RLIMIT_NOFILE), at most 100,000, and
	// 100,000 on systems without such a limit; negative means no limit.
	MaxConnections int
	// MaxConnectionsPerIP bounds the connections at one time from one client
	// address; a /64 network counts as one address of IPv6. A handshake beyond
	// it is refused with 429. Zero means no limit, since everyone behind one
	// proxy or one company's router has the same address.
	MaxConnectionsPerIP int
	// Limits bounds what is accepted inside one packet: attachments, nesting.
	// A packet beyond it closes the connection with [ReasonParseError].
	Packet parser.Limits
}

// ClusterOptions makes a [Server] one of several that share their clients. The zero value
// is a server that is alone.
type ClusterOptions struct {
	// Broker connects this server with others: events, rooms and disconnects reach the clients of all. Servers
	// of Flask-SocketIO with the same message_queue are among them. Clients
	// of this server are served first, and whatever happens to the broker;
	// nothing waits for it. [Server.Shutdown] ends its use, and does not close
	// it. Nil means that this server is alone. Flask-SocketIO: message_queue.
	Broker Broker
	// Channel is the broker's channel that the servers of one application
	// share. Zero means "flask-socketio", as there.
	Channel string
	// QueueLimit bounds, in bytes, what waits to be published. What is
	// too much is dropped and counted, see [Server.BrokerStatus]. One message
	// is accepted whatever its size. Zero means 8 MiB.
	QueueLimit int
	// ReplayLimit bounds, in bytes, what is kept while the broker is
	// away, to be published when it is back: the newest messages. One that
	// was being published when the connection broke may then arrive twice.
	// Zero means that nothing is kept, as in Flask-SocketIO.
	ReplayLimit int
	// AckTimeout is how long acknowledgements of clients on other
	// servers are waited for by [OnAck] without [AckTimeout]. A client here owes
	// an answer to a Flask-SocketIO server, which does not say how long it waits,
	// for that time, too. Zero means 1 minute.
	AckTimeout time.Duration
	// PeerURL lets clients poll through a balancer that sends each of their
	// requests to any of the servers: one of a session that another server has is
	// handed over to that server, and so is the WebSocket of an upgrade, for as
	// long as it lasts. It is the URL at which the other servers reach this one,
	// past the balancer: "http://10.0.0.5:8080", with a path only if one is
	// stripped from requests before this server gets them. All servers set their
	// own; the servers with one hand over to each other. They learn of it through
	// the Broker, which is required. What is handed over goes there as it came,
	// cookies and session ids included: over a private network or https. Sticky
	// sessions do without: prefer them. Zero means that such requests are refused.
	PeerURL string
	// PeerTransport sends what is handed over: set it where the servers'
	// certificates are of a private authority. It must speak HTTP/1.1 and not
	// follow redirects. Nil means the system's authorities, and no proxy.
	PeerTransport http.RoundTripper
}

// Validate says what [NewServer] would panic with, nil if nothing: for options
// that come from a configuration. Nil options are valid.
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
