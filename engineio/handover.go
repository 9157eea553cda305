package engineio

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/seed-d124fa34/socketio/engineio/internal/handover"
	"github.com/seed-d124fa34/socketio/engineio/internal/httpbody"
	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
	"github.com/seed-d124fa34/socketio/engineio/internal/websock"
)

var (
	refuseNoPeer = refuse(http.StatusBadGateway, CodeUnknownSID, causePeer,
		"session ID unknown here, and the server that has the session cannot be reached (Options.PeerURL): connect again")
	refuseMisdirected = refuse(http.StatusBadGateway, CodeUnknownSID, causePeer,
		"session ID unknown: another server has handed the request over to this one, which does not have the session either; "+
			"Options.PeerURL must lead to the server with that ServerID itself, not to a load balancer or another server")
)

func (s *Server) newPeers() *handover.Peers {
	return handover.New(handover.Options{
		ServerID: s.opts.ServerID, PeerURL: s.findPeer, Transport: s.opts.PeerTransport, TrustForwarded: s.opts.TrustForwarded,
		WriteTimeout: s.opts.WriteTimeout, Silence: s.opts.PingInterval + s.opts.PingTimeout,
		Bodies: &s.bodies, BeginPost: s.beginPeerPost, Logger: s.opts.Logger, Warn: s.warnPeer, LiftDeadlines: s.liftDeadlines, DeadlineSet: s.noteDeadline, Running: &s.wg,
	})
}

// beginPeerPost allows for forms, as the server does that has the session.
func (s *Server) beginPeerPost(r *http.Request, b *httpbody.Body) {
	if q := protocol.ParseQuery(r.URL.RawQuery); q.JSONP && s.opts.AllowEIO3 {
		_ = dialects[revision3Script].beginPost(r.Header, b)
	}
}

// handOver serves a request of a session that is not on this server.
func (s *Server) handOver(w http.ResponseWriter, r *http.Request, sid, transport string) *Refusal {
	err := s.peers.Serve(w, r, sid, transport == WebSocket)
	var hijack *websock.HijackError
	var chosen *Refusal
	switch {
	case err == nil:
		return nil
	case err == handover.ErrUnknown:
		return refuseUnknownSID
	case err == handover.ErrMisdirected:
		return refuseMisdirected
	case err == handover.ErrClosed:
		return refusalOf(ErrServerClosed)
	case err == handover.ErrBody:
		return badRequest("the body could not be read")
	case err == httpbody.ErrTooLarge:
		refusal, _ := s.refuseTooLarge()
		return refusal
	case errors.As(err, new(*limitError)):
		return refuseBusy
	case errors.As(err, &hijack):
		return refuseHijack(hijack)
	case errors.As(err, &chosen):
		refused := *refusalOf(err)
		refused.cause = causePeer
		return &refused
	}
	return refuseNoPeer
}

// findPeer asks Options.PeerURL for the endpoint of the server with that ServerID.
func (s *Server) findPeer(ctx context.Context, id string) (endpoint *url.URL, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.logPanic("Options.PeerURL", v)
			endpoint, err = nil, handover.ErrUnreachable
		}
	}()
	endpoint, err = s.opts.PeerURL(ctx, id)
	if err != nil && !errors.As(err, new(*Refusal)) {
		if ctx.Err() == nil {
			s.warnPeer("peer: PeerURL", "Options.PeerURL failed", "for", id, "error", err)
		}
		err = handover.ErrUnreachable
	}
	return endpoint, err
}

func (s *Server) warnPeer(kind, what string, args ...any) {
	s.notices.Warn(context.Background(), kind, "engineio: "+what+" (Options.PeerURL)", args...)
}
