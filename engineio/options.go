package engineio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed-d124fa34/socketio/engineio/internal/admission"
	"github.com/seed-d124fa34/socketio/engineio/internal/handover"
	"github.com/seed-d124fa34/socketio/engineio/internal/origin"
)

// Names of the transports.
const (
	Polling   = "polling"
	WebSocket = "websocket"
)

const (
	// noopPace is how long a poll that comes during a probe waits before it is
	// answered with NOOP. Without it, a client whose upgrade stalls would poll
	// without pause.
	noopPace = 25 * time.Millisecond
)

// Options configures a Server. NewServer copies it. A field that is zero has the
// default that its comment names.
type Options struct {
	// OnConnect is called once for each new connection, before the client is
	// answered, on the goroutine of its HTTP request. What it sends follows the open
	// packet. If it returns an error, the client is refused: a *Refusal chooses the
	// answer, any other error is logged and answered with 403.
	//
	// For a WebSocket it is called when the request can become one, as far as that can be
	// known. If the network connection cannot be taken over afterwards, because a Hijacker
	// of middleware fails, the request is refused with 501, and the connection ends with
	// ReasonTransportError. Required.
	OnConnect func(c *Conn) (Receiver, error)

	// Path is the URL path of the endpoint. Default "/engine.io/". Slashes at
	// the ends are added when missing.
	Path string
	// Transports are the transports that clients may use: Polling, WebSocket
	// or both, the default.
	Transports []string
	// AllowEIO3 also serves clients that speak revision 3 of the protocol, those of
	// Socket.IO 1 and 2, over polling (binary, base64 and JSONP) and WebSocket. As
	// on the reference server, a client belongs to revision 3 if its handshake does
	// not say EIO=4. Conn.Revision tells them apart. The same limits hold for them;
	// PingInterval and PingTimeout together are how long they may send no PING or, over
	// polling, no poll.
	//
	// JSONP has no Origin header. Its handshakes are judged by Sec-Fetch-Site and Referer
	// instead (see AllowedOrigins); one without either connects without its cookies.
	// Default: such clients are refused.
	AllowEIO3 bool
	// AppendASCII, if set, appends a text message in a form that is ASCII and means the
	// same, for clients of revision 3 that poll and cannot read binary data: early ones
	// misread other texts. It is called concurrently. Default: texts are sent as they are.
	AppendASCII func(dst, text []byte) []byte
	// DisableUpgrades keeps clients on the transport they began with.
	DisableUpgrades bool

	// PingInterval is the time between a client's PONG and the next PING.
	// Default 25 seconds, at least one millisecond.
	PingInterval time.Duration
	// PingTimeout is how long a client may take to answer a PING. Then it is closed
	// with ReasonPingTimeout. Default 20 seconds, at least one millisecond.
	PingTimeout time.Duration
	// UpgradeTimeout is how long an upgrade to WebSocket may take. Then the server
	// gives it up, and the client stays on polling. If the session ends during an
	// upgrade, its end waits for the upgrade; so may Shutdown. Default 10 seconds.
	UpgradeTimeout time.Duration
	// WriteTimeout is how long a client may take nothing of what is written to it.
	// Then, after one to three times as long, it is closed with ReasonSlowClient. A
	// message may take any time while its bytes flow. Default 10 seconds.
	WriteTimeout time.Duration

	// DrainWindow is the time over which Shutdown spreads the ends of connections,
	// so that the clients do not all come back at once. It is never more than half
	// of the time that the context of Shutdown has left. Default: zero for up to 100
	// connections, and a millisecond for each further one, up to 10 seconds.
	// Negative: all at once.
	DrainWindow time.Duration

	// Limits bounds what clients may send, hold and cost.
	Limits Limits
	// ClientIP, if set, returns the address that a handshake comes from, for
	// Limits.MaxConnectionsPerIP and Conn.ClientIP: an IP address, any other string to
	// count by, or "" for a client that is not counted. It is called concurrently, and
	// again with each call of Conn.ClientIP. Default: the address of the network
	// connection (http.Request.RemoteAddr) or, with TrustForwarded, the last entry of
	// X-Forwarded-For.
	//
	// Set ClientIP where there are several proxies, or where the proxy uses another
	// header. Do not use what clients can set themselves (the first entries of
	// X-Forwarded-For, any header that the proxy passes on): it lets them evade the limit.
	ClientIP func(r *http.Request) string

	// DisableHTTPCompression turns off gzip and deflate for polling.
	DisableHTTPCompression bool
	// HTTPCompressionThreshold is the smallest answer to a poll that is
	// compressed, in bytes. Default 1024.
	HTTPCompressionThreshold int
	// PerMessageDeflate turns on the WebSocket compression of RFC 7692, for clients
	// that offer it. A broadcast is compressed for each of its recipients, and what comes of
	// that takes memory until the recipient has taken it: Limits.SendBudget counts it if it is
	// more than 64 KiB. As many compressors work at a time as there are processors, of about
	// 1.2 MB each. Default off.
	PerMessageDeflate bool
	// PerMessageDeflateThreshold is the smallest WebSocket message that is
	// compressed, in bytes. Default 1024.
	PerMessageDeflateThreshold int

	// ServerID and PeerURL make several servers work behind a load balancer that
	// sends the requests of one client now to one of them, now to another: a server
	// hands a request over to the server that has its session. ServerID names this
	// server among them: 1 to 64 letters, digits, "-" and "_". It becomes part of the
	// session ids, behind a dot. All servers should have the same options. Default: a
	// request of a session that this server does not have is refused.
	ServerID string
	// PeerURL returns the URL of the endpoint of the server with that ServerID,
	// path included: "http://10.0.0.5:8080/engine.io/". The URL must lead to that
	// server itself, not to the load balancer. If PeerURL returns a nil URL, for a
	// server that it does not know, the request is refused with 400. If it returns an
	// error, the request is refused with 502, or as the error says if that is a *Refusal.
	//
	// id comes from the client, and may be anything that a ServerID may be. PeerURL is
	// called concurrently for each request of another server's session. It may wait,
	// but not for long: the client waits, too.
	PeerURL func(ctx context.Context, id string) (*url.URL, error)
	// PeerTransport sends the requests that are handed over. Set it where the other
	// servers' certificates come from a private authority, or where they ask for a
	// client certificate. It must not use HTTP/2, over which no WebSocket can be
	// handed over, and must not follow redirects. Default: HTTP/1.1 with the system's
	// certificate authorities, without any proxy that the environment names.
	PeerTransport http.RoundTripper

	// Cookie, when set, is the template of a cookie sent with the answer to a
	// polling handshake, for load balancers that use it to keep a client on one
	// server. Its Value is replaced by the sid. Name defaults to "io", Path to "/" and
	// SameSite to Lax. HttpOnly is always set, and Secure where the handshake came
	// over TLS (see TrustForwarded). The server never reads the cookie.
	Cookie *http.Cookie

	// AllowedOrigins are the origins besides the server's own whose pages may
	// connect, over polling and WebSocket alike: exact ones such as
	// "https://app.example.com", patterns such as "https://*.example.com" for all
	// subdomains, "null" (pages in a sandbox, some hybrid apps), "file://", or "*" for
	// any origin. The schemes ws and wss mean http and https; letter case and default
	// ports do not matter. Default: the server's own origin only, which is the host of
	// the request.
	//
	// Pages that only "*" or "null" allows connect without the user's cookies (see
	// CredentialsForAnyOrigin). The server serves requests without an Origin header, which
	// no script of another site can send, unless Sec-Fetch-Site names another site.
	AllowedOrigins []string
	// CredentialsForAnyOrigin lets pages that only "*" or "null" in AllowedOrigins
	// allows connect with the user's cookies: the server sends them
	// Access-Control-Allow-Credentials, and OnConnect sees the Cookie header of the
	// request. Any page on the web can then act for a user whom a cookie logs in.
	// Default off.
	CredentialsForAnyOrigin bool
	// AllowOrigin, when set, is asked about origins that AllowedOrigins does
	// not allow. It is called concurrently.
	AllowOrigin func(r *http.Request, origin string) bool
	// TrustForwarded makes X-Forwarded-Host and X-Forwarded-Proto decide what
	// the server's own origin is, and the last entry of X-Forwarded-For what a
	// client's address is. Set it only behind a proxy that overwrites the
	// first two headers and overwrites or appends to the third, and only if
	// clients cannot reach the server past it.
	TrustForwarded bool
	// DisableCredentials leaves out Access-Control-Allow-Credentials, so that
	// polling pages of other origins connect without cookies. Browsers send
	// cookies with WebSocket handshakes all the same.
	DisableCredentials bool

	// Logger gets, at level warn, what clients cause and an operator can change:
	// connections that are cut and requests that are refused, with the option to set.
	// Of each kind it gets the first, and then one line a minute with the number of
	// those left out. Those left out and refusals by OnConnect are logged at debug.
	// Default slog.Default().
	Logger *slog.Logger
}

// Limits bounds what clients may send, hold and cost. The zero value has bounds that
// suit a server on the internet.
type Limits struct {
	// MaxPayload is the size limit of what a client sends, in bytes: of a WebSocket
	// message after decompression, and of the whole body of a polling request; of a form
	// (JSONP), of the payload in it. Default 1,000,000.
	MaxPayload int
	// PostBudget bounds the memory that the bodies of all POSTs take together, in
	// bytes. A body counts until the Receiver has taken its messages or, for another
	// server's session (PeerURL), until it has been handed over. Bodies of up to 4 KiB
	// do not count. When the budget is used up, the POST that began first is refused
	// with 503, and its connection is closed with ReasonTransportError. But while more
	// than half of the budget waits for Receivers that have no room, further bodies wait
	// as well. Default 64 MiB, or 8 times MaxPayload if that is more; it must be at
	// least twice MaxPayload.
	PostBudget int
	// SendQueueLimit bounds what waits to be written to one client, in bytes; each
	// message counts with about 100 bytes more than its size. Beyond the limit,
	// Conn.Send returns ErrSendQueueFull. A message of any size is accepted while
	// nothing waits. Default 67,108,864 (64 MiB).
	SendQueueLimit int
	// SendBudget bounds the memory of what waits to be written to all clients
	// together, in bytes. A message that waits for several clients counts once, with the
	// forms of a binary one that are made for their transports and revisions. An answer
	// to a poll that is put together of several messages counts by itself, and so does
	// what is compressed for one client (PerMessageDeflate). What the
	// network takes at once does not count, nor do the first 64 KiB of a burst for one
	// client. When the budget is used up, the server closes the clients for which
	// most waits, with ReasonSlowClient, until an eighth of it is free. Default
	// 268,435,456 (256 MiB). Negative: no bound but SendQueueLimit.
	SendBudget int
	// ControlRate is the most control packets a second that one client may send:
	// PINGs and PONGs of WebSocket, NOOPs, and PONGs that answer no PING. Ten times as
	// many may come at once. Beyond that the server reads more slowly from the client.
	// A POST with more than 2,000 of them is refused, and ends its session. Default 1000.
	ControlRate int
	// MaxConnections is the most connections at one time. It includes those that are
	// ending, and those over polling, which need no network connection between two
	// requests. A handshake beyond it is refused with 503. Default: twice the number
	// of files that the process may open (RLIMIT_NOFILE on Unix systems), at most
	// 100,000; where there is no such limit, 100,000. Negative: no limit.
	MaxConnections int
	// MaxConnectionsPerIP is the most connections at one time from one client
	// address (see ClientIP). For IPv6, a whole /64 network counts as one address. A
	// handshake beyond it is refused with 429. Default 0, no limit: all clients behind
	// a proxy or a company's router have the same address.
	MaxConnectionsPerIP int
}

// Validate returns the error that [NewServer] would return for these options, nil if
// they are valid.
func (o *Options) Validate() error {
	_, err := o.withDefaults()
	return err
}

// withDefaults returns a checked copy of o.
func (o *Options) withDefaults() (Options, error) {
	if o == nil || o.OnConnect == nil {
		return Options{}, errors.New("engineio: Options.OnConnect is required: set it to a function that returns the Receiver of a new connection")
	}
	c := *o
	c.Path = cleanPath(c.Path)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	var check optionCheck
	check.duration("PingInterval", &c.PingInterval, 25*time.Second)
	check.duration("PingTimeout", &c.PingTimeout, 20*time.Second)
	check.duration("UpgradeTimeout", &c.UpgradeTimeout, 10*time.Second)
	check.duration("WriteTimeout", &c.WriteTimeout, 10*time.Second)
	check.size("HTTPCompressionThreshold", &c.HTTPCompressionThreshold, 1024)
	check.size("PerMessageDeflateThreshold", &c.PerMessageDeflateThreshold, 1024)
	check.limits(&c.Limits)
	check.transports(&c)
	check.origins(&c)
	check.peers(&c)
	if c.Cookie != nil {
		c.Cookie = cookieTemplate(c.Cookie)
		if err := c.Cookie.Valid(); err != nil {
			check.failf("engineio: Options.Cookie: %w", err)
		}
	}
	return c, errors.Join(check.errs...)
}

// optionCheck fills in defaults and collects what is wrong with options.
type optionCheck struct{ errs []error }

func (k *optionCheck) failf(format string, args ...any) {
	k.errs = append(k.errs, fmt.Errorf(format, args...))
}

func (k *optionCheck) duration(name string, d *time.Duration, def time.Duration) {
	switch {
	case *d == 0:
		*d = def
	case *d < time.Millisecond:
		k.failf("engineio: Options.%s is %v: set it to a millisecond or more, or to 0 for the default of %v", name, *d, def)
	}
}

func (k *optionCheck) size(name string, n *int, def int) {
	switch {
	case *n == 0:
		*n = def
	case *n < 0:
		k.failf("engineio: Options.%s is %d: set it to a number of bytes, or to 0 for the default of %d", name, *n, def)
	}
}

// count checks a number. zero says in the error what 0 means.
func (k *optionCheck) count(name string, n *int, def int, zero string) {
	switch {
	case *n == 0:
		*n = def
	case *n < 0:
		k.failf("engineio: Options.%s is %d: set it to a positive number, or to 0 for %s", name, *n, zero)
	}
}

func (k *optionCheck) limits(l *Limits) {
	k.size("Limits.MaxPayload", &l.MaxPayload, 1_000_000)
	k.size("Limits.PostBudget", &l.PostBudget, max(64<<20, 8*l.MaxPayload))
	if l.PostBudget >= 0 && l.PostBudget < 2*l.MaxPayload {
		k.failf("engineio: Options.Limits.PostBudget is %d: set it to twice Options.Limits.MaxPayload (%d) or more, or to 0 for the default",
			l.PostBudget, l.MaxPayload)
	}
	k.size("Limits.SendQueueLimit", &l.SendQueueLimit, 64<<20)
	if l.SendBudget == 0 {
		l.SendBudget = 256 << 20
	}
	k.count("Limits.ControlRate", &l.ControlRate, defaultControlRate, "the default of 1000")
	if l.ControlRate > maxControlRate {
		k.failf("engineio: Options.Limits.ControlRate is %d: set it to %d at most, which is no limit", l.ControlRate, maxControlRate)
	}
	if l.MaxConnections == 0 {
		l.MaxConnections = admission.DefaultConnections()
	}
	k.count("Limits.MaxConnectionsPerIP", &l.MaxConnectionsPerIP, 0, "no limit")
}

func (k *optionCheck) transports(o *Options) {
	if o.Transports == nil {
		o.Transports = []string{Polling, WebSocket}
	}
	o.Transports = slices.Clone(o.Transports)
	if len(o.Transports) == 0 {
		k.failf(`engineio: Options.Transports is empty: name "polling", "websocket" or both, or leave it nil for both`)
	}
	for _, t := range o.Transports {
		if t != Polling && t != WebSocket {
			k.failf(`engineio: Options.Transports names %q: the transports are "polling" and "websocket"`, t)
		}
	}
}

func (k *optionCheck) origins(o *Options) {
	o.AllowedOrigins = slices.Clone(o.AllowedOrigins)
	for i, s := range o.AllowedOrigins {
		if err := origin.CheckPattern(s); err != nil {
			k.errs = append(k.errs, err)
		}
		o.AllowedOrigins[i] = origin.Canonical(s)
	}
	if o.CredentialsForAnyOrigin && o.DisableCredentials {
		k.failf("engineio: Options.CredentialsForAnyOrigin and Options.DisableCredentials contradict each other: set one of them")
	}
}

func (k *optionCheck) peers(o *Options) {
	switch {
	case (o.ServerID == "") != (o.PeerURL == nil):
		k.failf("engineio: Options.ServerID and Options.PeerURL belong together: set both, or neither")
	case o.ServerID != "" && !handover.IsServerID(o.ServerID):
		k.failf(`engineio: Options.ServerID is %.100q: set it to 1 to 64 letters, digits, "-" and "_"`, o.ServerID)
	case o.PeerTransport != nil && o.PeerURL == nil:
		k.failf("engineio: Options.PeerTransport is set without Options.PeerURL: set both, or neither")
	}
}

func cleanPath(p string) string {
	if p == "" {
		p = "engine.io"
	}
	p = strings.Trim(p, "/")
	if p == "" {
		return "/"
	}
	return "/" + p + "/"
}

func cookieTemplate(from *http.Cookie) *http.Cookie {
	c := *from
	if c.Name == "" {
		c.Name = "io"
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	c.HttpOnly = true // no script has a use for it
	c.Value = "sid"   // for Valid; each handshake sets its own
	return &c
}
