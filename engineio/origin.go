package engineio

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// checkOriginPattern refuses entries of Options.AllowedOrigins that could never match.
func checkOriginPattern(s string) error {
	if s == "*" {
		return nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "":
		return fmt.Errorf(`engineio: Options.AllowedOrigins has %q, which is no origin: write scheme, host and port, such as "https://app.example.com", or "*" for any`, s)
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return fmt.Errorf("engineio: Options.AllowedOrigins has %q: an origin ends with its host or port: write %q", s, u.Scheme+"://"+u.Host)
	case strings.Contains(strings.TrimPrefix(u.Host, "*."), "*"):
		return fmt.Errorf(`engineio: Options.AllowedOrigins has %q: "*" stands for whole subdomains only, as in "https://*.example.com"`, s)
	}
	return nil
}

// allowOrigin is the one rule for polling, preflights and WebSocket handshakes.
func (s *Server) allowOrigin(r *http.Request, origin string) bool {
	if s.ownOrigin(r, origin) {
		return true
	}
	lower := strings.ToLower(origin)
	for _, pattern := range s.opts.AllowedOrigins {
		if pattern == "*" || pattern == lower {
			return true
		}
		if scheme, domain, ok := strings.Cut(pattern, "://*."); ok {
			if host, ok := strings.CutPrefix(lower, scheme+"://"); ok && strings.HasSuffix(host, "."+domain) && !strings.ContainsAny(host, "/\\?#@") {
				return true
			}
		}
	}
	return s.opts.AllowOrigin != nil && s.askAllowOrigin(r, origin)
}

// askAllowOrigin does not allow an origin at which the application panics.
func (s *Server) askAllowOrigin(r *http.Request, origin string) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			s.logPanic("Options.AllowOrigin", v)
			ok = false
		}
	}()
	return s.opts.AllowOrigin(r, origin)
}

// ownOrigin reports whether origin is this server's. Without TLS the scheme is
// not compared: behind a proxy that ends TLS the server cannot know it, and the
// host is what another site cannot have.
func (s *Server) ownOrigin(r *http.Request, origin string) bool {
	scheme, host, ok := strings.Cut(origin, "://")
	if !ok {
		return false
	}
	own, ownScheme := r.Host, s.ownScheme(r)
	if s.opts.TrustForwarded {
		if v := firstValue(r.Header.Get("X-Forwarded-Host")); v != "" {
			own = v
		}
	}
	if ownScheme != "" && !strings.EqualFold(scheme, ownScheme) {
		return false
	}
	return strings.EqualFold(withoutDefaultPort(scheme, host), withoutDefaultPort(scheme, own))
}

// ownScheme returns the scheme by which the client reached this server, "" if
// it cannot be known.
func (s *Server) ownScheme(r *http.Request) string {
	if s.opts.TrustForwarded {
		if v := firstValue(r.Header.Get("X-Forwarded-Proto")); v != "" {
			return strings.ToLower(v)
		}
	}
	if r.TLS != nil {
		return "https"
	}
	return ""
}

// firstValue returns the entry of the outermost proxy, the one the client spoke to.
func firstValue(list string) string {
	v, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(v)
}

func withoutDefaultPort(scheme, host string) string {
	switch strings.ToLower(scheme) {
	case "http", "ws":
		return strings.TrimSuffix(host, ":80")
	case "https", "wss":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

// cors checks the Origin of a request and sets the headers that let a page
// read the answer, errors included. It returns nil if the request may go on.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) *Refusal {
	h := w.Header()
	if h["Vary"] == nil {
		h["Vary"] = varyOrigin[:1:1] // full, so that Add copies it
	} else {
		h.Add("Vary", "Origin")
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	if !s.allowOrigin(r, origin) {
		return &Refusal{
			Status: http.StatusForbidden,
			Code:   codeForbidden,
			cause:  causeOrigin,
			Message: fmt.Sprintf("Origin %.200q is not allowed for host %.200q: add it to Options.AllowedOrigins, "+
				"or set Options.TrustForwarded if a trusted proxy changes the host", origin, r.Host),
		}
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if !s.opts.DisableCredentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	return nil
}

// preflight answers an OPTIONS request of an allowed origin.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	if v := r.Header.Get("Access-Control-Request-Headers"); v != "" {
		h.Set("Access-Control-Allow-Headers", v)
		h.Add("Vary", "Access-Control-Request-Headers")
	}
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}
