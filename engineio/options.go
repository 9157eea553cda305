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
	// noopPace is how long a poll waits that comes while an upgrade is
	// probed before it is answered with NOOP, so that a client which stalls
	// there does not spin.
	noopPace = 25 * time.Millisecond
)

// Options configures a Server. It is copied by NewServer. Zero fields have
// the default named with each.
type Options struct {
	// OnConnect is called once for each new connection, before the client is
	// answered and on the goroutine of its HTTP request; what it sends follows
	// the open packet. An error refuses the client: a *Refusal chooses the
	// answer, any other error is logged and answered with 403. Required.
	OnConnect func(c *Conn) (Receiver, error)

	// Path is the URL path of the endpoint. Default "/engine.io/". Slashes at
	// the ends are added when missing.
	Path string
	// Transports are the transports that clients may use: Polling, WebSocket
	// or both, the default.
	Transports []string
	// DisableUpgrades keeps clients on the transport they began with.
	DisableUpgrades bool

	// PingInterval is the time between a client's PONG and the next PING.
	// Default 25 seconds, at least one millisecond.
	PingInterval time.Duration
	// PingTimeout is how long a client may take to answer a PING before it is
	// closed with ReasonPingTimeout. Default 20 seconds, at least one millisecond.
	PingTimeout time.Duration
	// UpgradeTimeout is how long an upgrade to WebSocket may take before it
	// is given up; the client then stays on polling. Default 10 seconds.
	UpgradeTimeout time.Duration
	// WriteTimeout is how long a client may take nothing of what is written to
	// it before it is closed with ReasonSlowClient, after one to three times as
	// long. How long a message takes altogether does not matter while its bytes
	// flow. Default 10 seconds.
	WriteTimeout time.Duration

	// DrainWindow is over which time Shutdown spreads the ends of connections,
	// so that the clients do not all come back at once; at most half of the
	// time that its context has left. Default: all at once up to 100 of them, and
	// a millisecond for each one more, up to 10 seconds. Negative: all at once.
	DrainWindow time.Duration

	// Limits bounds what clients may send, hold and cost.
	Limits Limits
	// ClientIP, if set, says from where a handshake comes, for
	// Limits.MaxConnectionsPerIP and Conn.ClientIP: an IP address, or any other
	// string that is to be counted by, or "" for a client that is not counted. It is
	// called concurrently, and again with each call of Conn.ClientIP. By default
	// the address is that of the network connection (http.Request.RemoteAddr)
	// or, with TrustForwarded, the last entry of X-Forwarded-For. Set ClientIP
	// where there are several proxies, or where the proxy uses another header;
	// what clients can set themselves (the first entries of X-Forwarded-For, any
	// header that the proxy passes on) lets them evade the limit.
	ClientIP func(r *http.Request) string

	// DisableHTTPCompression turns off gzip and deflate for polling.
	DisableHTTPCompression bool
	// HTTPCompressionThreshold is the smallest answer to a poll that is
	// compressed, in bytes. Default 1024.
	HTTPCompressionThreshold int
	// PerMessageDeflate negotiates the WebSocket compression of RFC 7692. It
	// costs memory for each client and gives up sharing frames in a
	// broadcast. Default off.
	PerMessageDeflate bool
	// PerMessageDeflateThreshold is the smallest WebSocket message that is
	// compressed, in bytes. Default 1024.
	PerMessageDeflateThreshold int

	// ServerID and PeerURL let several servers be one for clients whose requests
	// a load balancer sends now to one of them, now to another: a request of a
	// session that this server does not have is handed over to the one that has
	// it. ServerID, 1 to 64 letters, digits, "-" and "_", names this server among
	// them, and becomes part of its session ids, behind a dot. All servers
	// should have the same options. Default: such requests are refused.
	ServerID string
	// PeerURL returns the URL of the endpoint of the server with that ServerID,
	// path included: "http://10.0.0.5:8080/engine.io/". It must lead to that
	// server itself, past the load balancer. Nil refuses the request with 400,
	// for a server that is not known; an error, with 502, or as it says if it is
	// a *Refusal. id comes from the client, and may be anything that a ServerID
	// may be. PeerURL is called concurrently for each request of a foreign
	// session, and may wait, but not long.
	PeerURL func(ctx context.Context, id string) (*url.URL, error)
	// PeerTransport sends the requests that are handed over: set it where the
	// other servers' certificates are of a private authority, or where they want
	// to see one. It must not use HTTP/2, over which no WebSocket can be handed
	// over, and not follow redirects. Default: HTTP/1.1 with the certificate
	// authorities of the system, past any proxy of the environment.
	PeerTransport http.RoundTripper

	// Cookie, when set, is a template of a cookie sent with the answer to a
	// polling handshake, for load balancers that keep a client on one server
	// by it. Its Value is replaced by the sid; Name defaults to "io", Path to
	// "/" and SameSite to Lax. HttpOnly is always set, and Secure where the
	// handshake came over TLS (see TrustForwarded). The server never reads it.
	Cookie *http.Cookie

	// AllowedOrigins are the origins besides the server's own whose pages may
	// connect, for polling, preflights and WebSocket alike: exact ones such as
	// "https://app.example.com", patterns such as "https://*.example.com" for
	// all subdomains, "null" (pages in a sandbox, some hybrid apps), "file://",
	// or "*" for any origin. The schemes ws and wss mean http and https; letter
	// case and default ports do not matter. Pages that only "*" or "null" allows
	// connect without the user's cookies (see CredentialsForAnyOrigin).
	// Requests without an Origin header do not come from another site's script
	// and are served, unless Sec-Fetch-Site says that they come from another site.
	// Default: the server's own origin only, that is, the host of the request.
	AllowedOrigins []string
	// CredentialsForAnyOrigin lets pages that only "*" or "null" in AllowedOrigins
	// allows connect with the user's cookies: Access-Control-Allow-Credentials
	// is sent to them, and the request that OnConnect sees has its Cookie header.
	// Any page on the web can then act for a user whom a cookie logs in. Default off.
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

	// Logger gets, at level warn, what clients bring about and an operator can
	// mend: connections that are cut and requests that are refused, with the option that
	// changes it; the first of each kind, then one line a minute with the number of those
	// left out, which are at debug. At debug are refusals by OnConnect, too. Default slog.Default().
	Logger *slog.Logger
}

// Limits bounds what clients may send, hold and cost. The zero value is a set of
// bounds for a server that faces the internet.
type Limits struct {
	// MaxPayload is the size limit of what a client sends, in bytes: of a
	// WebSocket message after decompression, and of the body of a polling
	// request, whose packets may be any number. Default 1,000,000.
	MaxPayload int
	// PostBudget bounds the bytes that the bodies of all POSTs take until their
	// Receivers have taken the messages, those for other servers (PeerURL) until they
	// have been handed over. When more arrive, the POST that began first is refused
	// with 503 and its connection closed with ReasonTransportError; but when more than
	// half wait for Receivers that have no room, what arrives waits as well. Bodies of
	// up to 4 KiB do not count. Default 64 MiB, or 8 times MaxPayload if that is more; it must be
	// at least twice MaxPayload.
	PostBudget int
	// SendQueueLimit bounds the bytes that wait to be written to one client,
	// with about 100 for each message: Conn.Send returns ErrSendQueueFull beyond
	// it. A message of any size is accepted while nothing waits. Default
	// 67,108,864 (64 MiB).
	SendQueueLimit int
	// SendBudget bounds the memory of what waits to be written to all clients of
	// the server together, in bytes; a message that waits for several of them
	// counts once. When it is used up, the clients for which most waits are
	// closed with ReasonSlowClient until an eighth of it is free. What the network
	// takes at once does not count, nor do the first 64 KiB of a burst for one
	// client. Default 268,435,456 (256 MiB). Negative: no bound but SendQueueLimit.
	SendBudget int
	// ControlRate is the most control packets a second of one client: PINGs and
	// PONGs of WebSocket, NOOPs and PONGs that answer no PING. Above it, after ten
	// times as many at once, the server reads more slowly. Default 1000.
	ControlRate int
	// MaxConnections is the most connections at one time, those included that
	// are ending and those over polling, which need no network connection
	// between two requests. A handshake beyond it is refused with 503. Default:
	// twice the number of files that the process may open (RLIMIT_NOFILE of
	// Unix systems), at most 100,000, and 100,000 where there is no such limit.
	// Negative: no limit.
	MaxConnections int
	// MaxConnectionsPerIP is the most connections at one time from one client
	// address (see ClientIP): a whole /64 network is one address of IPv6. A
	// handshake beyond it is refused with 429. Default 0, no limit, since all
	// clients behind one proxy or one company's router have one address.
	MaxConnectionsPerIP int
}

// Validate says what is wrong with the options, nil if nothing: what [NewServer]
// would return.
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

// count checks a number; zero says what it means to leave it out.
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
