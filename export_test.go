package socketio

// Sizes returns what a server remembers: sockets by session id, rooms (the
// room of everyone included) and sockets that have not ended.
func (srv *Server) Sizes() (sids, rooms, running int) {
	for i := range srv.index.shards {
		sh := &srv.index.shards[i]
		sh.mu.Lock()
		sids += len(sh.sids)
		rooms += len(sh.rooms)
		sh.mu.Unlock()
	}
	srv.running.mu.Lock()
	defer srv.running.mu.Unlock()
	return sids, rooms, srv.running.n
}

// PendingAcks returns how many acknowledgements are expected from the client.
func (s *Socket) PendingAcks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acks)
}

// Queued returns what the events of the connection count that wait or run.
func (s *Socket) Queued() int64 { return s.client.queued.Load() }

// SnakeCase is snakeCase.
var SnakeCase = snakeCase

// AnySID returns the session id of some socket.
func (srv *Server) AnySID() string {
	for i := range srv.index.shards {
		sh := &srv.index.shards[i]
		sh.mu.Lock()
		defer sh.mu.Unlock()
		for sid := range sh.sids {
			return sid
		}
	}
	return ""
}

// RemoteQuestions returns how many acknowledgements of clients on other servers
// are waited for.
func (srv *Server) RemoteQuestions() int {
	srv.cluster.mu.Lock()
	defer srv.cluster.mu.Unlock()
	return len(srv.cluster.asked)
}
