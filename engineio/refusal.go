package engineio

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
)

// RefusalCode is an error code of the Engine.IO reference server. The body of the
// answer to a refused request has it.
type RefusalCode int

// The codes.
const (
	CodeUnknownTransport   RefusalCode = iota // a transport that the server does not offer
	CodeUnknownSID                            // a session that the server does not have
	CodeBadHandshakeMethod                    // a session that begins with another method than GET
	CodeBadRequest                            // anything else that is wrong with a request
	CodeForbidden                             // not allowed to connect
	CodeUnsupportedVersion                    // another revision of the protocol
)

// codeMessages are the reference server's messages for its codes. Test suites and
// some clients compare them.
var codeMessages = [...]string{
	CodeUnknownTransport:   "Transport unknown",
	CodeUnknownSID:         "Session ID unknown",
	CodeBadHandshakeMethod: "Bad handshake method",
	CodeBadRequest:         "Bad request",
	CodeForbidden:          "Forbidden",
	CodeUnsupportedVersion: "Unsupported protocol version",
}

// String returns the message of the reference server for the code. It is "" for a
// number that is not one of its codes.
func (c RefusalCode) String() string {
	if c < 0 || int(c) >= len(codeMessages) {
		return ""
	}
	return codeMessages[c]
}

// RefusalHeader is the header in which the server says why it refuses a request: one
// English sentence of printable ASCII, at most 400 bytes long. The body of the answer
// is that of the reference server, which says less.
const RefusalHeader = "Engineio-Refusal"

// maxRefusalHeader bounds the value of RefusalHeader, in bytes.
const maxRefusalHeader = 400

// Refusal is the answer to a request that is not served: an HTTP error whose
// body is the JSON object {"code":Code,"message":Message}. OnConnect may return
// one to choose the answer to a handshake. Its message is sent to the client.
type Refusal struct {
	Status  int         // HTTP status; zero means 403 with CodeForbidden
	Code    RefusalCode // of the reference server
	Message string      // for the client
	// Detail says what was wrong and what to do about it, in RefusalHeader and in the
	// log. It may be empty.
	Detail string

	cause string // key of Stats.Refused; empty for a refusal by the application
	bare  bool   // the body is empty
}

// refuse returns a refusal by the server, with the message of the reference server.
func refuse(status int, code RefusalCode, cause, detail string) *Refusal {
	return &Refusal{Status: status, Code: code, Message: code.String(), Detail: detail, cause: cause}
}

func badRequest(detail string) *Refusal {
	return refuse(http.StatusBadRequest, CodeBadRequest, causeMalformed, detail)
}

// withoutBody makes the body empty, for refusals that the reference server answers with
// a status alone.
func (e *Refusal) withoutBody() *Refusal {
	e.bare = true
	return e
}

// Error returns why the request is refused.
func (e *Refusal) Error() string { return "engineio: " + cmp.Or(e.Detail, e.Message) }

// refusalOf turns an error of OnConnect into an answer. The client sees only the text
// of a Refusal: other errors may contain what it must not know.
func refusalOf(err error) *Refusal {
	var r *Refusal
	switch {
	case errors.As(err, &r):
		if r.Status == 0 {
			return &Refusal{Status: http.StatusForbidden, Code: CodeForbidden, Message: r.Message, Detail: r.Detail}
		}
		return r
	case errors.Is(err, ErrServerClosed):
		return refuse(http.StatusServiceUnavailable, CodeForbidden, causeShutdown, "the server is shutting down: connect again later")
	}
	return &Refusal{Status: http.StatusForbidden, Code: CodeForbidden, Message: codeMessages[CodeForbidden]}
}

// The refusals of handshakes beyond a limit.
var (
	refuseFull = refuse(http.StatusServiceUnavailable, CodeForbidden, causeFull,
		"too many connections: the server is full (Options.Limits.MaxConnections): connect again later")
	refuseFullIP = refuse(http.StatusTooManyRequests, CodeForbidden, causeFullIP,
		"too many connections from this address (Options.Limits.MaxConnectionsPerIP)")
)

// noteRefusal counts a refused request and logs it. Ordinary refusals are logged at
// debug. Of the others, the first of each cause is logged at warn, and then one each
// minute.
func (s *Server) noteRefusal(r *http.Request, refusal *Refusal) {
	cause := cmp.Or(refusal.cause, causeApplication)
	s.stats.refused.add(cause)
	ctx, kind, args := r.Context(), "refused: "+cause, []any{"status", refusal.Status, "remote", r.RemoteAddr}
	if s.isOrdinary(r, cause) {
		s.opts.Logger.DebugContext(ctx, refusal.Error(), args...)
	} else if s.notices.Enabled(ctx, kind) {
		s.notices.Warn(ctx, kind, refusal.Error(), args...)
	}
}

// isOrdinary reports whether a refusal is part of everyday operation, so that no
// operator need look into it.
func (s *Server) isOrdinary(r *http.Request, cause string) bool {
	switch cause {
	case causeApplication, causeShutdown, causePeer: // warnPeer has logged the last of these
		return true
	case causeSession:
		return !s.history.Suspicious(r)
	case causeMalformed, causeTooLarge:
		// If the request has ended a session, noteEnd has logged it.
		return protocol.ParseQuery(r.URL.RawQuery).SID != ""
	}
	return false
}

// write answers a request. As on the reference server, the answer to a WebSocket
// handshake is plain text, which no page can read. Refusals by the application have the
// same body for every transport.
func (e *Refusal) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cache-Control"], h["X-Content-Type-Options"] = noStore, noSniff
	if e.Detail != "" {
		h.Set(RefusalHeader, headerText(e.Detail))
	}
	if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	status, body := e.Status, []byte(nil)
	switch {
	case e.bare:
	case e.cause != "" && websock.IsHandshake(r):
		if status == http.StatusForbidden {
			status = http.StatusBadRequest
		}
		h.Set("Content-Type", "text/html")
		endKeepAlive(w)
		body = []byte(e.Message)
	default:
		h.Set("Content-Type", "application/json")
		body = e.json()
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// json returns the body of the answer, byte for byte as JSON.stringify writes it.
func (e *Refusal) json() []byte {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(struct {
		Code    RefusalCode `json:"code"`
		Message string      `json:"message"`
	}{e.Code, e.Message})
	return bytes.TrimSuffix(body.Bytes(), []byte("\n"))
}

// headerText makes a sentence fit for a header. It replaces control and non-ASCII
// characters, which a quotation of what the client sent may have.
func headerText(s string) string {
	if len(s) > maxRefusalHeader {
		s = s[:maxRefusalHeader-3] + "..."
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
}
