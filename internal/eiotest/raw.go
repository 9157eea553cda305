package eiotest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"
)

// Handshake is the content of the open packet.
type Handshake struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int      `json:"pingInterval"` // milliseconds
	PingTimeout  int      `json:"pingTimeout"`  // milliseconds
	MaxPayload   int      `json:"maxPayload"`   // bytes; revision 4
}

// Response is a finished HTTP exchange.
type Response struct {
	Status int
	Header http.Header
	Body   string
	Close  bool // the network connection ends with it
}

// Raw sends single requests of the protocol, right and wrong ones, and does nothing by itself. Its fields may be changed
// between calls; zero values are sensible.
type Raw struct {
	Transport http.RoundTripper // usually a *Transport
	URL       string            // scheme and host; "http://server.test" if empty
	Path      string            // "/engine.io/" if empty
	Query     url.Values        // added to every request; EIO, transport and sid can be overridden here
	Header    http.Header       // added to every request
	SID       string            // of the session; Handshake sets it
}

// Address returns the URL of a request: transport may be empty, then the parameter is left out.
func (r *Raw) Address(transport string) string {
	q := url.Values{"EIO": {"4"}}
	if transport != "" {
		q.Set("transport", transport)
	}
	if r.SID != "" {
		q.Set("sid", r.SID)
	}
	maps.Copy(q, r.Query)
	base, path := r.URL, r.Path
	if base == "" {
		base = "http://server.test"
	}
	if path == "" {
		path = "/engine.io/"
	}
	return base + path + "?" + q.Encode()
}

// Do sends one request and reads the answer. body may be nil.
func (r *Raw) Do(ctx context.Context, method, address string, body io.Reader, header http.Header) (*Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	for _, h := range []http.Header{r.Header, header} {
		for k, v := range h {
			req.Header[k] = v
		}
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
		req.Header.Del("Host")
	}
	resp, err := r.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return &Response{resp.StatusCode, resp.Header, string(b), resp.Close}, err
}

// Get sends a poll.
func (r *Raw) Get(ctx context.Context) (*Response, error) {
	return r.Do(ctx, http.MethodGet, r.Address("polling"), nil, nil)
}

// Post sends a payload.
func (r *Raw) Post(ctx context.Context, body string) (*Response, error) {
	return r.Do(ctx, http.MethodPost, r.Address("polling"), strings.NewReader(body),
		http.Header{"Content-Type": {"text/plain;charset=UTF-8"}})
}

// Handshake opens a polling session and sets SID. rest is what the server sent behind the open packet, as a payload.
func (r *Raw) Handshake(ctx context.Context) (hs *Handshake, rest string, err error) {
	resp, err := r.Get(ctx)
	if err != nil {
		return nil, "", err
	}
	if resp.Status != http.StatusOK {
		return nil, "", &RefusedError{resp}
	}
	open, rest, _ := strings.Cut(resp.Body, Separator)
	if hs, err = parseHandshake(open, 4); err != nil {
		return nil, "", err
	}
	r.SID = hs.SID
	return hs, rest, nil
}

// DialWS opens a WebSocket, on the session if SID is set. Without a status 101 the error is a *RefusedError. The caller
// closes the connection; without a limit on what it reads, but for maxRead.
func (r *Raw) DialWS(ctx context.Context, opts *websocket.DialOptions) (*websocket.Conn, *Response, error) {
	var o websocket.DialOptions
	if opts != nil {
		o = *opts
	}
	o.HTTPClient = &http.Client{Transport: r.Transport, CheckRedirect: noRedirect}
	header := maps.Clone(r.Header)
	if header == nil {
		header = http.Header{}
	}
	maps.Copy(header, o.HTTPHeader)
	if host := header.Get("Host"); host != "" {
		o.Host = host
		header.Del("Host")
	}
	o.HTTPHeader = header
	ws, resp, err := websocket.Dial(ctx, r.Address("websocket"), &o)
	if err != nil {
		if resp == nil {
			return nil, nil, err
		}
		b, _ := io.ReadAll(resp.Body)
		answer := &Response{resp.StatusCode, resp.Header, string(b), resp.Close}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return nil, answer, err
		}
		return nil, answer, &RefusedError{answer}
	}
	ws.SetReadLimit(maxRead)
	return ws, &Response{resp.StatusCode, resp.Header, "", resp.Close}, nil
}

// maxRead is the largest message a client reads: the limits of the server are the ones under test.
const maxRead = 256 << 20

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// RefusedError says that the server answered a request with a status that is no success.
type RefusedError struct{ Response *Response }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("eiotest: refused with status %d: %.200s (%s)", e.Response.Status, e.Response.Body, e.Response.Header.Get("Engineio-Refusal"))
}

// parseHandshake parses the text form of an open packet, strictly.
func parseHandshake(s string, revision int) (*Handshake, error) {
	p, err := parsePacket(s)
	if err != nil {
		return nil, fmt.Errorf("eiotest: handshake: %w", err)
	}
	if p.kind != packetOpen {
		return nil, fmt.Errorf("eiotest: handshake: got %v instead of an open packet", p)
	}
	var hs Handshake
	d := json.NewDecoder(bytes.NewReader(p.data))
	d.DisallowUnknownFields()
	if err := d.Decode(&hs); err != nil {
		return nil, fmt.Errorf("eiotest: handshake: %w", err)
	}
	if hs.SID == "" || hs.Upgrades == nil || hs.PingInterval <= 0 || hs.PingTimeout <= 0 || (revision == 3) != (hs.MaxPayload == 0) {
		return nil, errors.New("eiotest: handshake: incomplete: " + s)
	}
	return &hs, nil
}
