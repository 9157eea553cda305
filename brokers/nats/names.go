package nats

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// checkURL finds mistakes before the library does, because the errors of the library may
// contain the password.
func checkURL(list string) error {
	for one := range strings.SplitSeq(list, ",") {
		scheme, rest, ok := strings.Cut(strings.TrimSpace(one), "://")
		if !ok {
			return errors.New("the URL has no scheme: write it as nats://host:4222")
		}
		switch scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return fmt.Errorf("the URL's scheme is %.20q: use one of nats, tls, ws, wss", scheme)
		}
		u, err := url.Parse(scheme + "://" + rest)
		if err != nil {
			return errors.New("the URL cannot be parsed: check its port, and percent-encode user and password")
		}
		if u.Hostname() == "" {
			return errors.New("the URL has no host: write it as nats://host:4222")
		}
	}
	return nil
}

// subject returns the subject of a channel: its name, with %XX instead of characters that
// subjects cannot have, or that have a meaning in them. Different channels have different
// subjects.
func subject(channel string) string {
	if channel == "" {
		return "%"
	}
	var b strings.Builder
	for i := range len(channel) {
		c := channel[i]
		switch {
		case c == '.' && (i == 0 || i == len(channel)-1 || channel[i-1] == '.'), // an empty token
			c == '$' && i == 0, // the subjects of NATS itself
			c <= ' ', c >= 0x7f, c == '*', c == '>', c == '%':
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
