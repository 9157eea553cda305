package engineio

import (
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
)

// The error codes of the reference server, which clients may read in the
// body of a refused request.
const (
	codeUnknownTransport = iota
	codeUnknownSID
	codeBadHandshakeMethod
	codeBadRequest
	codeForbidden
	codeUnsupportedVersion
)

// Refusal is the answer to a request that is not served: an HTTP error whose
// body is the JSON object {"code":Code,"message":Message}. OnConnect may return
// one to choose the answer to a handshake. Its message is sent to the client.
type Refusal struct {
	Status  int    // HTTP status; zero means 403 with Code 4 (forbidden)
	Code    int    // error code of the reference server, 0 to 5
	Message string // what was wrong and what to do about it

	cause string // key of Stats.Refused; empty: the application's own
}

// Error returns the message.
func (e *Refusal) Error() string { return "engineio: " + e.Message }

func badRequest(message string) *Refusal {
	return &Refusal{http.StatusBadRequest, codeBadRequest, message, causeMalformed}
}

// refusalOf turns an error of OnConnect into an answer. Only a Refusal speaks
// to the client: other errors may hold what is none of its business.
func refusalOf(err error) *Refusal {
	var r *Refusal
	switch {
	case errors.As(err, &r):
		if r.Status == 0 {
			return &Refusal{Status: http.StatusForbidden, Code: codeForbidden, Message: r.Message}
		}
		return r
	case errors.Is(err, ErrServerClosed):
		return &Refusal{http.StatusServiceUnavailable, codeForbidden, "Server is shutting down: connect again later", causeShutdown}
	}
	return &Refusal{Status: http.StatusForbidden, Code: codeForbidden, Message: "Forbidden"}
}

// The refusals of handshakes beyond a limit.
var (
	refuseFull = &Refusal{http.StatusServiceUnavailable, codeForbidden,
		"Too many connections: the server is full (Options.MaxConnections): connect again later", causeFull}
	refuseFullIP = &Refusal{http.StatusTooManyRequests, codeForbidden,
		"Too many connections from this address (Options.MaxConnectionsPerIP)", causeFullIP}
)

// noteRefusal counts a refused request and logs it: at level warn the origins that
// are not allowed and, once for each kind, what no client can mend, which is
// a setting, the client's version or a proxy.
func (s *Server) noteRefusal(r *http.Request, refusal *Refusal) {
	cause := cmp.Or(refusal.cause, causeApplication)
	nth := s.stats.refused.add(cause)
	level := slog.LevelDebug
	switch {
	case cause == causeOrigin:
		level = slog.LevelWarn
	case nth == 1 && (cause == causePath || cause == causeVersion || cause == causeTransport || cause == causeNoUpgrade):
		level = slog.LevelWarn
	}
	if log := s.opts.Logger; log.Enabled(r.Context(), level) {
		log.Log(r.Context(), level, refusal.Error(), "status", refusal.Status, "remote", r.RemoteAddr)
	}
}

func (e *Refusal) write(w http.ResponseWriter) {
	body, _ := json.Marshal(struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{e.Code, e.Message})
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	w.WriteHeader(e.Status)
	_, _ = w.Write(body)
}
