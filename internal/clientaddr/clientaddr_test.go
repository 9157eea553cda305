package clientaddr_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio/internal/clientaddr"
)

func TestAddressOfARequest(t *testing.T) {
	for name, tt := range map[string]struct {
		remote    string
		forwarded []string
		trust     bool
		want      string // "" for none
	}{
		"network connection":           {remote: "192.0.2.1:5000", want: "192.0.2.1"},
		"header that is not trusted":   {remote: "192.0.2.1:5000", forwarded: []string{"198.51.100.7"}, want: "192.0.2.1"},
		"the proxy's entry is last":    {remote: "192.0.2.1:5000", forwarded: []string{"203.0.113.9, 198.51.100.7"}, trust: true, want: "198.51.100.7"},
		"of several headers, the last": {remote: "192.0.2.1:5000", forwarded: []string{"203.0.113.9", "198.51.100.7:81"}, trust: true, want: "198.51.100.7"},
		"nonsense in the header":       {remote: "192.0.2.1:5000", forwarded: []string{"unknown"}, trust: true, want: "192.0.2.1"},
		"no header":                    {remote: "[2001:db8::1]:5000", trust: true, want: "2001:db8::1"},
		"IPv4 in IPv6":                 {remote: "[::ffff:192.0.2.1]:5000", want: "192.0.2.1"},
		"no address":                   {remote: "@"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tt.remote, Header: http.Header{}}
			for _, v := range tt.forwarded {
				r.Header.Add("X-Forwarded-For", v)
			}
			addr, ok := clientaddr.Of(r, tt.trust)
			assert.Equal(t, tt.want != "", ok)
			if ok {
				assert.Equal(t, tt.want, addr.String())
			}
		})
	}
}

func TestNetwork(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.1":                 "192.0.2.1",
		"192.0.2.1:80":              "192.0.2.1",
		"::ffff:192.0.2.1":          "192.0.2.1",
		"[::ffff:192.0.2.1]:80":     "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":      "2001:db8:1:2::/64",
		"[2001:db8:1:2::9]:80":      "2001:db8:1:2::/64",
		" [2001:db8:1:2::9] ":       "2001:db8:1:2::/64",
		"fe80::1%eth0":              "fe80::/64",
		"":                          "",
		"user 7":                    "user 7",
		"192.0.2.1, 198.51.100.100": "192.0.2.1, 198.51.100.100",
	} {
		assert.Equal(t, want, clientaddr.Network(from), from)
	}
}
