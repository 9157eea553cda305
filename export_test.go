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
