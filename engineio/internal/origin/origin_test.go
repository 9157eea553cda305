package origin

import (
	"crypto/tls"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCheckPattern(t *testing.T) {
	for _, good := range []string{"*", "https://a.example", "http://localhost:3000", "https://*.example.com", "https://*.example.com:8443", "null", "file://", "app://.", " wss://a.example "} {
		assert.NoError(t, CheckPattern(good), good)
	}
	for _, bad := range []string{"", "example.com", "//example.com", "https://a.example/", "https://a.example/path",
		"https://a.*.example", "https://*", "https://a*.example", "https://u@a.example", "https://a.example?x", "https://", "ws://", "file:", "file:///x", "nul"} {
		assert.Error(t, CheckPattern(bad), bad)
	}
}

func TestOwnOrigin(t *testing.T) {
	cases := []struct {
		name           string
		origin, host   string
		tls, trust     bool
		fwdHost, fwdPr string
		want           bool
	}{
		{name: "same host", origin: "http://a.example", host: "a.example", want: true},
		{name: "case of the host", origin: "http://A.example", host: "a.Example", want: true},
		{name: "other host", origin: "http://b.example", host: "a.example"},
		{name: "other port", origin: "http://a.example:81", host: "a.example"},
		{name: "default port", origin: "http://a.example", host: "a.example:80", want: true},
		{name: "default port of https behind a proxy", origin: "https://a.example", host: "a.example:443", want: true},
		{name: "TLS ended by a proxy", origin: "https://a.example", host: "a.example", want: true},
		{name: "page without TLS on a server with it", origin: "http://a.example", host: "a.example", tls: true},
		{name: "host as a suffix", origin: "http://evil-a.example", host: "a.example"},
		{name: "opaque", origin: "null", host: "null"},
		{name: "forwarded host not trusted", origin: "http://b.example", host: "a.example", fwdHost: "b.example"},
		{name: "forwarded host", origin: "http://b.example", host: "a.example", fwdHost: "b.example, c.example", trust: true, want: true},
		{name: "forwarded host replaces the host", origin: "http://a.example", host: "a.example", fwdHost: "b.example", trust: true},
		{name: "forwarded scheme", origin: "https://a.example", host: "a.example", fwdPr: "https", trust: true, want: true},
		{name: "other forwarded scheme", origin: "http://a.example", host: "a.example", fwdPr: "https", trust: true},
		{name: "WebSocket scheme over TLS", origin: "wss://a.example", host: "a.example", tls: true, want: true},
		{name: "WebSocket scheme without TLS on a server with it", origin: "ws://a.example", host: "a.example", tls: true},
		{name: "forwarded WebSocket scheme", origin: "https://a.example", host: "a.example", fwdPr: "WSS ", trust: true, want: true},
		{name: "file", origin: "file://", host: ""},
		{name: "untrusted forwarded scheme is not looked at", origin: "http://a.example", host: "a.example", fwdPr: "https", want: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "http://placeholder/engine.io/", nil)
			r.Host = c.host
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			r.Header.Set("X-Forwarded-Host", c.fwdHost)
			r.Header.Set("X-Forwarded-Proto", c.fwdPr)
			p := &Policy{TrustForwarded: c.trust}
			assert.Equal(t, c.want, p.own(r, Canonical(c.origin)))
		})
	}
}

func TestAllowOriginPatterns(t *testing.T) {
	r := httptest.NewRequest("GET", "http://own.example/engine.io/", nil)
	p := &Policy{Allowed: []string{"https://app.example", "https://*.wild.example"}}
	for origin, want := range map[string]bool{
		"http://own.example":       true,
		"https://app.example":      true,
		"https://APP.example":      true,
		"http://app.example":       false,
		"https://app.example:444":  false,
		"https://a.wild.example":   true,
		"https://a.b.wild.example": true,
		"https://wild.example":     false,
		"https://xwild.example":    false,
		"http://a.wild.example":    false,
	} {
		assert.Equal(t, want, p.trust(r, origin) == trusted, origin)
	}
}
