// Package clientaddr says from which address a request comes and which addresses
// count as one client. It trusts forwarded headers only if its caller says so.
package clientaddr

import (
	"net/http"
	"net/netip"
	"strings"
)

// Of returns the address from which a request comes: that of the network connection
// or, if trustForwarded is set, the last entry of X-Forwarded-For, which is what the
// proxy in front of this server saw. The entries before it are whatever the client
// sent. It returns false if there is no address.
func Of(r *http.Request, trustForwarded bool) (netip.Addr, bool) {
	if trustForwarded {
		if all := r.Header.Values("X-Forwarded-For"); len(all) > 0 {
			last := all[len(all)-1]
			if addr, ok := Parse(last[strings.LastIndexByte(last, ',')+1:]); ok {
				return addr, true
			}
		}
	}
	return Parse(r.RemoteAddr)
}

// Parse reads an address with or without a port. IPv4 addresses in IPv6 form become
// those of IPv4.
func Parse(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return addr.Unmap(), err == nil
}

// Network returns the network of one subscriber, for counting: of an address, with or
// without a port, the address itself for IPv4 and its first 64 bits for IPv6. Any
// other string is returned as it is.
func Network(s string) string {
	addr, ok := Parse(s)
	if !ok {
		return s
	}
	if addr.Is4() {
		return addr.String()
	}
	prefix, _ := addr.WithZone("").Prefix(64)
	return prefix.String()
}
