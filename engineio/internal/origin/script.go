package origin

import (
	"net/http"
	"net/url"
	"strings"
)

// CheckScript is Check for the requests of script elements (JSONP). Any page can send such a
// request with the user's cookies, and read the answer. The request has no Origin header, so
// other headers show which page has sent it:
//
//   - Sec-Fetch-Site, which pages cannot change, says whether the page is of this server.
//   - Referer names the page. A page can leave out the header, but cannot name another page.
//
// A page that leaves out its name has the origin "null". A client that sends neither header
// is perhaps no browser, or a browser that is older than the first of them. It must not use
// the user's cookies.
func (p *Policy) CheckScript(h http.Header, r *http.Request) (withoutCookies bool, refused *Refused) {
	if r.Header.Get("Origin") != "" { // a form that is posted has one
		return p.Check(h, r)
	}
	h.Add("Vary", "Origin")
	page, site := pageOrigin(r), strings.ToLower(r.Header.Get("Sec-Fetch-Site"))
	switch {
	case site == "same-origin" || site == "none":
		return false, nil
	case page == "" && site == "":
		return true, nil
	case page == "":
		page = "null"
	}
	switch p.trust(r, page) {
	case distrusted:
		return false, &Refused{advice(r, page)}
	case anonymous:
		return true, nil
	}
	return false, nil
}

// pageOrigin returns the origin of the page that sent a request, "" without a usable
// Referer.
func pageOrigin(r *http.Request) string {
	u, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
