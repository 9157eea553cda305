package engineio

import (
	"net/http"

	"github.com/seed-d124fa34/socketio/internal/clientaddr"
)

// clientIP returns the address of the client that sent a handshake: see Conn.ClientIP.
func (s *Server) clientIP(r *http.Request) (ip string, refusal *Refusal) {
	if s.opts.ClientIP != nil {
		return s.askClientIP(r)
	}
	if addr, ok := clientaddr.Of(r, s.opts.TrustForwarded); ok {
		return addr.String(), nil
	}
	return "", nil
}

// clientKey returns whose connections a handshake counts among for
// Options.Limits.MaxConnectionsPerIP, "" if for nobody's.
func (s *Server) clientKey(r *http.Request) (key string, refusal *Refusal) {
	if s.opts.Limits.MaxConnectionsPerIP <= 0 {
		return "", nil
	}
	ip, refusal := s.clientIP(r)
	return clientaddr.Network(ip), refusal
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
