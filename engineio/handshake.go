package engineio

import (
	"errors"
	"net/http"
	"slices"

	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
	"github.com/seed-d124fa34/socketio/internal/clientaddr"
)

// open begins a session, if OnConnect accepts it.
func (s *Server) open(r *http.Request, transport string, d dialectID) (*Conn, *Refusal) {
	id := dialects[d].newID()
	if s.peers != nil {
		id += "." + s.opts.ServerID
	}
	c := newConn(s, r, id, transport, d)
	header, err := s.headers.Take(r)
	if err != nil {
		return nil, refuse(http.StatusRequestHeaderFieldsTooLarge, CodeBadRequest, causeTooLarge, err.Error())
	}
	c.header = int32(header)
	if refusal := s.register(c); refusal != nil {
		s.headers.Give(header)
		return nil, refusal
	}
	on := onPolling
	if transport == WebSocket {
		on = onWebSocket
	}
	if err = s.connect(c, transport, on); err != nil {
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			s.opts.Logger.Error("engineio: OnConnect failed", "error", err)
		}
		return nil, refusalOf(err)
	}
	return c, nil
}

// register adds a connection to the server's, if the limits allow one more.
func (s *Server) register(c *Conn) *Refusal {
	key, refusal := s.clientKey(c.req)
	if refusal != nil {
		return refusal
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.isClosed():
		return refusalOf(ErrServerClosed)
	case s.opts.Limits.MaxConnections > 0 && s.conns.Len() >= s.opts.Limits.MaxConnections:
		s.stats.limits.add(limitConnections)
		return refuseFull
	case key != "" && s.perIP[key] >= s.opts.Limits.MaxConnectionsPerIP:
		s.stats.limits.add(limitConnectionsPerIP)
		return refuseFullIP
	}
	s.conns.Put(c.id, c)
	s.wg.Add(1)
	if key != "" {
		s.perIP[key]++
		s.keys[c] = key
	}
	return nil
}

// connect queues the open packet (protocol: "Handshake"), calls OnConnect, and begins
// the session or ends it. It also ends the session if OnConnect calls runtime.Goexit;
// the request then gets no answer.
func (s *Server) connect(c *Conn, transport string, on carrier) (err error) {
	err = errGoexit
	c.recvMu.Lock()
	defer func() {
		if v := recover(); v != nil {
			s.logPanic("OnConnect", v)
			err = &Refusal{Message: "Forbidden"}
		}
		c.recvMu.Unlock()
		if err != nil {
			c.end(ReasonServerDisconnect, err, abort)
			return
		}
		c.mu.Lock()
		c.countOpenLocked(on)
		if !c.closed {
			c.dialect().beginLocked(c)
		}
		c.mu.Unlock()
	}()
	_ = c.send(s.openPacket(c, transport), true)
	receiver, failed := s.opts.OnConnect(c)
	if failed == nil && receiver == nil {
		failed = errors.New("engineio: OnConnect returned neither a Receiver nor an error")
	}
	if failed == nil {
		c.mu.Lock()
		c.receiver = receiver
		c.mu.Unlock()
	}
	return failed
}

func (s *Server) openPacket(c *Conn, transport string) *outgoing.Unit {
	h := protocol.Handshake{SID: c.id, Upgrades: []string{}, PingTimeout: s.opts.PingTimeout, PingInterval: s.opts.PingInterval, MaxPayload: s.opts.Limits.MaxPayload}
	if transport == Polling && !s.opts.DisableUpgrades && slices.Contains(s.opts.Transports, WebSocket) {
		h.Upgrades = append(h.Upgrades, WebSocket)
	}
	c.dialect().handshake(&h)
	return outgoing.NewPacket(h.Packet())
}

// openPolling serves a handshake over polling. The answer contains what OnConnect sent.
func (s *Server) openPolling(w http.ResponseWriter, r *http.Request, d dialectID) *Refusal {
	s.liftOwnDeadlines(w, r) // OnConnect may take its time
	c, refusal := s.open(r, Polling, d)
	if refusal != nil {
		return refusal
	}
	if s.opts.Cookie != nil {
		cookie := *s.opts.Cookie
		cookie.Value = c.id
		cookie.Secure = cookie.Secure || s.origins.Scheme(r) == "https"
		http.SetCookie(w, &cookie)
	}
	c.mu.Lock()
	a, p := c.takeAnswerLocked(), c.poll
	a.opens = true
	p.answering = true
	c.mu.Unlock()
	c.answerPoll(p, w, r, a)
	return nil
}

// forget removes a connection that has ended completely.
func (s *Server) forget(c *Conn) {
	s.headers.Give(int(c.header))
	s.mu.Lock()
	s.conns.Delete(c.id)
	s.history.Ended(c.id)
	if s.isClosed() && c.cause.Reason == ReasonServerShutdown {
		s.shutDown[c.id] = true
	}
	if key, ok := s.keys[c]; ok {
		delete(s.keys, c)
		if s.perIP[key]--; s.perIP[key] == 0 {
			delete(s.perIP, key)
		}
	}
	s.mu.Unlock()
	s.wg.Done()
}

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

// clientKey returns the address that Options.Limits.MaxConnectionsPerIP counts a
// handshake by. It is "" if the handshake does not count.
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
