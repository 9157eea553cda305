package main

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// attempts counts the attempts to log in or sign up from each address, so that
// nobody tries out passwords by the thousand.
type attempts struct {
	mu    sync.Mutex
	since time.Time
	count map[string]int
}

// allow counts one more and reports whether it is allowed.
func (a *attempts) allow(address string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.since) >= triesEvery {
		a.since, a.count = now, make(map[string]int) // forgets all, so that it does not grow for ever
	}
	a.count[address]++
	return a.count[address] <= tries
}

// address is where a request comes from: that of the network connection, or
// what the proxy says, which appends to what the client may have sent.
func (a *app) address(r *http.Request) string {
	if a.cfg.behindProxy {
		all := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if last := strings.TrimSpace(all[len(all)-1]); last != "" {
			return last
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
