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

// parseQuery reads a query as url.ParseQuery does, without a map: every poll has one.
func parseQuery(raw string) (q query, err error) {
	if strings.ContainsAny(raw, "%+;") {
		values, err := url.ParseQuery(raw)
		return query{values.Get("transport"), values.Get("sid"), values.Get("EIO"), values.Has("j")}, err
	}
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
	return q, nil
}
