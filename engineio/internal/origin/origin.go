// Package origin decides which web pages may connect: one rule for polling, preflights
// and WebSocket handshakes, and the headers of CORS that belong to it.
package origin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Policy says which origins are allowed besides the server's own. It is not changed
// once it is in use.
type Policy struct {
	Allowed           []string // canonical patterns: see CheckPattern and Canonical
	CredentialsForAny bool     // pages that only "*" or "null" allows may use cookies
	NoCredentials     bool     // do not send Access-Control-Allow-Credentials
	TrustForwarded    bool     // X-Forwarded-Host and X-Forwarded-Proto decide what the own origin is
	// Ask, unless nil, is asked about origins that Allowed does not allow.
	Ask func(r *http.Request, origin string) bool
}

// Refused says that a page must not connect, and how to allow it.
type Refused struct{ Advice string }

func (e *Refused) Error() string { return e.Advice }

// CheckPattern returns an error for a pattern that can never match.
func CheckPattern(s string) error {
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

// Canonical returns an origin in a form that can be compared: ws becomes http and wss https,
// letters become lower case, surrounding spaces and default ports go.
func Canonical(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	scheme, host, ok := strings.Cut(s, "://")
	if !ok {
		return s
	}
	scheme = httpScheme(scheme)
	return scheme + "://" + withoutDefaultPort(scheme, host)
}

// httpScheme returns the scheme of pages, in lower case, for that of a WebSocket.
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

// trust says what the pages of an origin may do.
type trust int

const (
	distrusted trust = iota
	anonymous        // connect, without the user's cookies
	trusted          // connect
)

// trust returns what the pages of an origin may do. The origin is in the form in which the
// client sent it.
func (p *Policy) trust(r *http.Request, sent string) trust {
	origin := Canonical(sent)
	if p.own(r, origin) {
		return trusted
	}
	anyone := false
	for _, pattern := range p.Allowed {
		switch {
		case pattern == "*" || pattern == "null" && origin == "null": // any page can have it, in a sandbox
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
	case anyone && p.CredentialsForAny:
		return trusted
	case anyone:
		return anonymous
	case p.Ask != nil && p.Ask(r, sent):
		return trusted
	}
	return distrusted
}

// own reports whether a canonical origin is this server's. Without TLS the scheme is
// not compared: behind a proxy that ends TLS the server cannot know it, and another site
// cannot have the same host.
func (p *Policy) own(r *http.Request, origin string) bool {
	scheme, host, ok := strings.Cut(origin, "://")
	if !ok || host == "" {
		return false
	}
	own, ownScheme := r.Host, p.Scheme(r)
	if p.TrustForwarded {
		if v := firstValue(r.Header.Get("X-Forwarded-Host")); v != "" {
			own = v
		}
	}
	if ownScheme != "" && scheme != ownScheme {
		return false
	}
	return strings.EqualFold(host, withoutDefaultPort(scheme, own))
}

// Scheme returns the scheme by which the client reached this server, http or
// https, or "" if it cannot be known.
func (p *Policy) Scheme(r *http.Request) string {
	if p.TrustForwarded {
		if v := firstValue(r.Header.Get("X-Forwarded-Proto")); v != "" {
			return httpScheme(v)
		}
	}
	if r.TLS != nil {
		return "https"
	}
	return ""
}

// firstValue returns the entry of the outermost proxy, to which the client is connected.
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

// Check checks the Origin of a request and sets the headers that let a page
// read the answer, errors included. It returns a *Refused for a page that must not
// connect, and reports whether the page is one that must not use the user's cookies.
func (p *Policy) Check(h http.Header, r *http.Request) (withoutCookies bool, refused *Refused) {
	if h["Vary"] == nil {
		h["Vary"] = varyOrigin[:1:1] // full, so that Add copies it
	} else {
		h.Add("Vary", "Origin")
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		if strings.EqualFold(r.Header.Get("Sec-Fetch-Site"), "cross-site") {
			return false, &Refused{"a request by a page of another site without an Origin header, such as that of an image or a link: " +
				"connect with a Socket.IO client, or with fetch in the mode cors"}
		}
		return false, nil
	}
	switch p.trust(r, origin) {
	case distrusted:
		return false, &Refused{advice(r, origin)}
	case anonymous:
		if Canonical(origin) != "null" || slices.Contains(p.Allowed, "*") {
			origin = "*"
		}
		h.Set("Access-Control-Allow-Origin", origin)
		return true, nil
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if !p.NoCredentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	return false, nil
}

var varyOrigin = []string{"Origin"} // shared, to save an allocation for each answer

// advice says how an origin could be allowed.
func advice(r *http.Request, origin string) string {
	if CheckPattern(origin) != nil {
		return fmt.Sprintf("Origin %.100q is not allowed for host %.100q, and is none that Options.AllowedOrigins can have: "+
			"use Options.AllowOrigin if its clients are to connect", origin, r.Host)
	}
	return fmt.Sprintf("Origin %.100q is not allowed for host %.100q: add it to Options.AllowedOrigins, "+
		"or set Options.TrustForwarded if a trusted proxy changes the host", origin, r.Host)
}

// Preflight answers an OPTIONS request of an allowed origin as the reference
// server does. It lists more methods than an endpoint takes, so that a page can read how
// the endpoint refuses the others.
func Preflight(w http.ResponseWriter, r *http.Request) {
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
