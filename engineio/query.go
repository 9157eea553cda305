package engineio

import (
	"net/url"
	"strings"
)

// query is what matters in the query of a request.
type query struct {
	transport, sid, version string
	jsonp                   bool
}

// parseQuery reads a query without a map: every poll has one.
// What is no escape in it is text, as browsers and the reference server have it.
func parseQuery(raw string) (q query) {
	escaped := strings.ContainsAny(raw, "%+")
	var transport, sid, version bool // the first of each counts
	set := func(field *string, seen *bool, value string) {
		if !*seen {
			*field, *seen = value, true
		}
	}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		if escaped {
			key, value = unescape(key), unescape(value)
		}
		switch key {
		case "transport":
			set(&q.transport, &transport, value)
		case "sid":
			set(&q.sid, &sid, value)
		case "EIO":
			set(&q.version, &version, value)
		case "j":
			q.jsonp = true
		}
	}
	return q
}

func unescape(s string) string {
	if t, err := url.QueryUnescape(s); err == nil {
		return t
	}
	return s
}
