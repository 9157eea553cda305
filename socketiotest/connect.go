package socketiotest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/parser"
)

// Transport is how a client talks to the server.
type Transport string

const (
	WebSocket Transport = "websocket" // WebSocket from the start
	Polling   Transport = "polling"   // HTTP long-polling only
	// Upgrade is long-polling, upgraded to WebSocket before the client joins
	// its namespace, as a browser does. See [Client.Upgrade] for later.
	Upgrade Transport = "upgrade"
)

// Options are the options of a client. Nil and the zero value mean every
// default.
type Options struct {
	Path      string    // where the server is mounted; default "/socket.io/"
	Namespace string    // to join; default "/"
	Auth      any       // sent with the CONNECT packet: what encodes to a JSON object; default nothing
	Transport Transport // default WebSocket
	// EIO3 has the client speak revision 3 of Engine.IO and 4 of Socket.IO, as
	// version 2 of the official client does; see socketio.Options.AllowEIO3. Such a client is
	// always in "/", too, and sends Auth, an object of strings, in the query of the
	// namespace's name. For "/" it has Query only.
	EIO3 bool

	// Query is added to the URL of every request.
	Query url.Values
	// Header is added to every request. "Host" sets the host, which is
	// "server.test" otherwise: a page of the server's own origin would send
	// "Origin: http://server.test".
	Header http.Header
	// Cookies are sent with every request.
	Cookies []*http.Cookie
	// RemoteIP is the client's IP address as the server sees it; default
	// "192.0.2.1".
	RemoteIP string

	// Timeout bounds each wait for the server. Default 5 seconds; 5 minutes in
	// a synctest bubble, where waiting takes no time.
	Timeout time.Duration
	// IgnorePings leaves the server's pings unanswered, as a client does whose
	// network has silently gone.
	IgnorePings bool
	// Answer, if set, is called with each event that asks for an
	// acknowledgement, as it arrives; its result is sent, unless it is nil. The
	// event can still be received. It is called on the goroutine that reads
	// the connection, so it must neither wait for a client nor disconnect one.
	Answer func(Event) []any
	// Server is the server that answers, if the handler given to Connect is another
	// one, such as a mux around it. With it, Call says why an event is not acknowledged.
	Server *socketio.Server
	// Parser is the packet format. Nil means Socket.IO's own: JSON with binary
	// attachments.
	Parser parser.Parser
}

// Connect connects to h and joins a namespace. It fails the test if that is
// refused. When the test ends, the client closes the connection and waits for
// its goroutines.
//
// A server that should be stopped afterwards, because its disconnect handlers
// use the test, is best stopped by a t.Cleanup registered before Connect.
func Connect(tb testing.TB, h http.Handler, opts *Options) *Client {
	tb.Helper()
	c, err := TryConnect(tb, h, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// TryConnect is [Connect] for clients that the server may refuse: the error is
// a [*ConnectError] if the namespace does, an [*HTTPError] if the server
// refuses a request, and describes anything else that went wrong.
func TryConnect(tb testing.TB, h http.Handler, opts *Options) (*Client, error) {
	tb.Helper()
	o, err := opts.complete()
	if err != nil {
		return nil, err
	}
	if srv, ok := h.(*socketio.Server); ok && o.Server == nil {
		o.Server = srv
	}
	k, err := dial(tb, h, o)
	if err != nil {
		return nil, err
	}
	return k.begin(o.Namespace, o.Auth, nil)
}

// dial makes a connection that is in no namespace.
func dial(tb testing.TB, h http.Handler, o Options) (*conn, error) {
	tb.Helper()
	k := &conn{
		tb:      tb,
		handler: h,
		opts:    o,
		changed: make(chan struct{}),
		clients: map[string]*Client{},
	}
	k.http = eiotest.NewTransport(h, &eiotest.TransportOptions{
		RemoteIP: o.RemoteIP,
	})
	var err error
	ctx, cancel := context.WithTimeoutCause(context.Background(), o.Timeout, fmt.Errorf("the server did not answer within %v", o.Timeout))
	k.engine, err = eiotest.Dial(ctx, nil, &eiotest.Options{
		Mode:       o.mode(),
		Transport:  k.http,
		Path:       o.Path,
		Query:      o.Query,
		Header:     o.Header,
		Cookies:    o.Cookies,
		NoAutoPong: o.IgnorePings,
	})
	if late := context.Cause(ctx); err != nil && late != nil {
		err = late // whatever came of it
	}
	cancel()
	if err != nil {
		k.closeHTTP()
		return nil, dialError(err)
	}
	if o.EIO3 {
		k.clients["/"] = k.newClient("/") // the server lets it in without being asked
	}
	k.loops.Go(k.read)
	return k, nil
}

// begin joins the first namespace of a connection, as the client before, unless that is nil. The
// connection ends with the test, or at once if there is an error.
func (k *conn) begin(namespace string, auth any, before *Client) (*Client, error) {
	var err error
	if k.opts.EIO3 && namespace != "/" && namespace != "" {
		_, err = k.joinMain(nil)
		if _, refused := errors.AsType[*ConnectError](err); refused {
			err = nil // it may be in other namespaces nevertheless
		}
	}
	var c *Client
	if err == nil {
		c, err = k.join(namespace, auth, before)
	}
	if err != nil {
		k.close()
		return nil, err
	}
	k.tb.Cleanup(func() {
		k.close()
		if fault := k.serverFault(); fault != nil {
			k.tb.Errorf("socketiotest: the server violated the protocol: %v", fault)
		}
	})
	return c, nil
}

// complete returns a checked copy with the defaults filled in.
func (opts *Options) complete() (Options, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.Path = "/" + strings.Trim(o.Path, "/") + "/"
	if o.Path == "//" {
		o.Path = "/"
		if opts == nil || opts.Path == "" {
			o.Path = "/socket.io/"
		}
	}
	switch o.Transport {
	case "":
		o.Transport = WebSocket
	case WebSocket, Polling, Upgrade:
	default:
		return o, fmt.Errorf("socketiotest: Options.Transport is %q: use WebSocket, Polling or Upgrade", o.Transport)
	}
	if o.RemoteIP != "" {
		if _, err := netip.ParseAddr(o.RemoteIP); err != nil {
			return o, fmt.Errorf("socketiotest: Options.RemoteIP: %w", err)
		}
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
		if idle() {
			o.Timeout = 5 * time.Minute
		}
	}
	if o.Parser == nil {
		o.Parser = parser.New(nil)
	}
	return o, nil
}
