package engineio

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// checkOriginPattern refuses entries of Options.AllowedOrigins that could never match.
func checkOriginPattern(s string) error {
	s = strings.TrimSpace(s)
	if s == "*" || s == "null" {
		return nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "" && (s != u.Scheme+"://" || isHTTP(u.Scheme)):
		return fmt.Errorf(`engineio: Options.AllowedOrigins has %q, which is no origin: write scheme, host and port, such as "https://app.example.com", "null", or "*" for any`, s)
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return fmt.Errorf("engineio: Options.AllowedOrigins has %q: an origin ends with its host or port: write %q", s, u.Scheme+"://"+u.Host)
	case strings.Contains(strings.TrimPrefix(u.Host, "*."), "*"):
		return fmt.Errorf(`engineio: Options.AllowedOrigins has %q: "*" stands for whole subdomains only, as in "https://*.example.com"`, s)
	}
	return nil
}

// canonicalOrigin makes origins comparable: ws means http and wss https, letter
// case, spaces around and default ports do not matter.
func canonicalOrigin(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	scheme, host, ok := strings.Cut(s, "://")
	if !ok {
		return s
	}
	scheme = httpScheme(scheme)
	return scheme + "://" + withoutDefaultPort(scheme, host)
}

// httpScheme is the scheme, in lower case, by which a page knows that of a WebSocket.
func httpScheme(s string) string {
	switch s = strings.ToLower(strings.TrimSpace(s)); s {
	case "ws":
		return "http"
	case "wss":
		return "https"
	}
	return s
}

func isHTTP(scheme string) bool {
	s := httpScheme(scheme)
	return s == "http" || s == "https"
}

// trust is what the pages of an origin may do.
type trust int

const (
	refused   trust = iota
	anonymous       // connect, without the user's cookies
	trusted         // connect
)

// allowOrigin is the one rule for polling, preflights and WebSocket handshakes.
func (s *Server) allowOrigin(r *http.Request, sent string) trust {
	origin := canonicalOrigin(sent)
	if s.ownOrigin(r, origin) {
		return trusted
	}
	anyone := false
	for _, pattern := range s.opts.AllowedOrigins {
		switch {
		case pattern == "*" || pattern == "null" && origin == "null": // which any page can have, in a sandbox
			anyone = true
		case pattern == origin:
			return trusted
		}
		if scheme, domain, ok := strings.Cut(pattern, "://*."); ok {
			if host, ok := strings.CutPrefix(origin, scheme+"://"); ok && strings.HasSuffix(host, "."+domain) && !strings.ContainsAny(host, "/\\?#@") {
				return trusted
			}
		}
	}
	switch {
	case anyone && s.opts.CredentialsForAnyOrigin:
		return trusted
	case anyone:
		return anonymous
	case s.opts.AllowOrigin != nil && s.askAllowOrigin(r, sent):
		return trusted
	}
	return refused
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

// ownOrigin reports whether a canonical origin is this server's. Without TLS the scheme is
// not compared: behind a proxy that ends TLS the server cannot know it, and the
// host is what another site cannot have.
func (s *Server) ownOrigin(r *http.Request, origin string) bool {
	scheme, host, ok := strings.Cut(origin, "://")
	if !ok || host == "" {
		return false
	}
	own, ownScheme := r.Host, s.ownScheme(r)
	if s.opts.TrustForwarded {
		if v := firstValue(r.Header.Get("X-Forwarded-Host")); v != "" {
			own = v
		}
	}
	if ownScheme != "" && scheme != ownScheme {
		return false
	}
	return strings.EqualFold(host, withoutDefaultPort(scheme, own))
}

// ownScheme returns the scheme by which the client reached this server, http or
// https, or "" if it cannot be known.
func (s *Server) ownScheme(r *http.Request) string {
	if s.opts.TrustForwarded {
		if v := firstValue(r.Header.Get("X-Forwarded-Proto")); v != "" {
			return httpScheme(v)
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

// withoutDefaultPort takes a canonical scheme.
func withoutDefaultPort(scheme, host string) string {
	switch scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

// cors checks the Origin of a request and sets the headers that let a page
// read the answer, errors included. It reports whether the page is one that
// must not act with the user's cookies.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) (without bool, refusal *Refusal) {
	h := w.Header()
	if h["Vary"] == nil {
		h["Vary"] = varyOrigin[:1:1] // full, so that Add copies it
	} else {
		h.Add("Vary", "Origin")
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		if strings.EqualFold(r.Header.Get("Sec-Fetch-Site"), "cross-site") {
			return false, refuse(http.StatusForbidden, CodeForbidden, causeOrigin,
				"a request by a page of another site without an Origin header, such as that of an image or a link: "+
					"connect with a Socket.IO client, or with fetch in the mode cors")
		}
		return false, nil
	}
	switch s.allowOrigin(r, origin) {
	case refused:
		return false, refuse(http.StatusForbidden, CodeForbidden, causeOrigin, originAdvice(r, origin))
	case anonymous:
		if canonicalOrigin(origin) != "null" || slices.Contains(s.opts.AllowedOrigins, "*") {
			origin = "*"
		}
		h.Set("Access-Control-Allow-Origin", origin)
		return true, nil
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if !s.opts.DisableCredentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	return false, nil
}

// originAdvice says how an origin could be allowed.
func originAdvice(r *http.Request, origin string) string {
	if checkOriginPattern(origin) != nil {
		return fmt.Sprintf("Origin %.100q is not allowed for host %.100q, and is none that Options.AllowedOrigins can have: "+
			"use Options.AllowOrigin if its clients are to connect", origin, r.Host)
	}
	return fmt.Sprintf("Origin %.100q is not allowed for host %.100q: add it to Options.AllowedOrigins, "+
		"or set Options.TrustForwarded if a trusted proxy changes the host", origin, r.Host)
}

// withoutCookies returns the handshake as the application may see it that comes from a page
// of any origin: browsers send cookies with every WebSocket handshake, whatever
// CORS says, and with polls whose answers they then hide.
func (s *Server) withoutCookies(r *http.Request) *http.Request {
	if r.Header["Cookie"] == nil {
		return r
	}
	s.notices.Warn(r.Context(), "cookies", fmt.Sprintf("engineio: the cookies of a page with Origin %.100q are ignored, since only \"*\" or \"null\" allows it: "+
		"name the origin in Options.AllowedOrigins or, if any page may act for its user, set Options.CredentialsForAnyOrigin", r.Header.Get("Origin")), "remote", r.RemoteAddr)
	r = r.WithContext(r.Context())
	r.Header = r.Header.Clone()
	delete(r.Header, "Cookie")
	return r
}

// preflight answers an OPTIONS request of an allowed origin as the reference
// server does. The methods are more than an endpoint takes, so that a page can
// read how it refuses the others.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE")
	h.Add("Vary", "Access-Control-Request-Headers")
	if v := r.Header.Get("Access-Control-Request-Headers"); v != "" {
		h.Set("Access-Control-Allow-Headers", v)
	}
	h.Set("Access-Control-Max-Age", "600")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusNoContent)
}
