package origin

import (
	"net/http"
	"net/url"
	"strings"
)

// CheckScript is Check for the requests of script elements (JSONP). Any page can send one,
// with the user's cookies, and read the answer; an Origin header it does not have. So the
// page is found out by other headers:
//
//   - Sec-Fetch-Site, which pages cannot change, says that it is of this server, or
//   - Referer names it. A page can leave out the header but not name another page.
//
// A page that leaves out its name has the origin "null". A client that sends neither header
// may be none in a browser, or one in a browser that is older than the first of them: it
// must not use the user's cookies.
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

// pageOrigin returns the origin of the page that sent a request, "" if Referer does not
// say it.
func pageOrigin(r *http.Request) string {
	u, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
