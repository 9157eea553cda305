package engineio

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientKey returns whose connections a handshake counts among for
// Options.Limits.MaxConnectionsPerIP, "" if for nobody's.
func (s *Server) clientKey(r *http.Request) (key string, refusal *Refusal) {
	switch {
	case s.opts.Limits.MaxConnectionsPerIP <= 0:
		return "", nil
	case s.opts.ClientIP != nil:
		if key, refusal = s.askClientIP(r); refusal != nil {
			return "", refusal
		}
		if addr, ok := parseAddr(key); ok {
			return network(addr), nil
		}
		return key, nil
	}
	if s.opts.TrustForwarded {
		// The last entry is what the proxy in front of this server saw. Those
		// before it are whatever the client sent.
		if all := r.Header.Values("X-Forwarded-For"); len(all) > 0 {
			last := all[len(all)-1]
			if addr, ok := parseAddr(last[strings.LastIndexByte(last, ',')+1:]); ok {
				return network(addr), nil
			}
		}
	}
	if addr, ok := parseAddr(r.RemoteAddr); ok {
		return network(addr), nil
	}
	return "", nil
}

func (s *Server) askClientIP(r *http.Request) (ip string, refusal *Refusal) {
	defer func() {
		if v := recover(); v != nil {
			s.logPanic("Options.ClientIP", v)
			ip, refusal = "", refusalOf(errPanic)
		}
	}()
	return s.opts.ClientIP(r), nil
}

// parseAddr reads an address with or without a port.
func parseAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr(), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return addr, err == nil
}

// network is what one subscriber has: an address of IPv4, 64 bits of IPv6.
func network(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	prefix, _ := addr.Prefix(64)
	return prefix.String()
}
