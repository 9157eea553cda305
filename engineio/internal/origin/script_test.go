package origin

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Whoever puts a script element into a page may connect if the page may, and acts with the user's cookies only if the
// browser says which page it is.
func TestCheckScript(t *testing.T) {
	const served, anonymously, not = "served", "without cookies", "refused"
	for _, c := range []struct {
		name, origin, site, referer string
		allowed                     []string
		want                        string
	}{
		{name: "own page", site: "same-origin", referer: "http://own.example/chat", want: served},
		{name: "own page without a name", site: "same-origin", want: served},
		{name: "the user typed the address", site: "none", want: served},
		{name: "own page in an old browser", referer: "http://own.example/chat?x#y", want: served},
		{name: "no browser, or an old one", want: anonymously},
		{name: "other site", site: "cross-site", referer: "https://evil.example/", want: not},
		{name: "other site without a name", site: "cross-site", want: not},
		{name: "other subdomain", site: "same-site", referer: "http://b.own.example/", want: not},
		{name: "other subdomain without a name", site: "same-site", want: not},
		{name: "other site in an old browser", referer: "https://evil.example/", want: not},
		{name: "another port", referer: "http://own.example:81/", want: not},
		{name: "a user in the name", referer: "http://own.example@evil.example/", want: not},
		{name: "not a name", referer: "own.example", want: anonymously},
		{name: "allowed site", site: "cross-site", referer: "https://a.example/x", allowed: []string{"https://a.example"}, want: served},
		{name: "allowed subdomains", site: "cross-site", referer: "https://b.a.example/x", allowed: []string{"https://*.a.example"}, want: served},
		{name: "any site", site: "cross-site", referer: "https://evil.example/", allowed: []string{"*"}, want: anonymously},
		{name: "any site without a name", site: "cross-site", allowed: []string{"*"}, want: anonymously},
		{name: "a sandbox", site: "cross-site", allowed: []string{"null"}, want: anonymously},
		{name: "a form of its own", origin: "http://own.example", site: "same-origin", want: served},
		{name: "a form of another site", origin: "https://evil.example", referer: "http://own.example/", want: not},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "http://own.example/engine.io/", nil)
			for name, v := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site, "Referer": c.referer} {
				if v != "" {
					r.Header.Set(name, v)
				}
			}
			withoutCookies, refused := (&Policy{Allowed: c.allowed}).CheckScript(http.Header{}, r)
			got := served
			if refused != nil {
				got = not
			} else if withoutCookies {
				got = anonymously
			}
			assert.Equal(t, c.want, got)
		})
	}
}
