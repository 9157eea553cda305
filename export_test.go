package socketio

import (
	"context"

	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/mailbox"
	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/parser"
)

// Sizes returns what a server remembers: sockets by session id, rooms (the
// room of everyone included) and sockets that have not ended.
func (srv *Server) Sizes() (sids, rooms, running int) {
	sizes := srv.index.Sizes()
	return sizes.IDs, sizes.Rooms + len(sizes.Entered), srv.workers.Alive()
}

// PendingAcks returns how many acknowledgements are expected from the client.
func (s *Socket) PendingAcks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acks)
}

// Queued returns what the events of the connection count that wait or run.
func (s *Socket) Queued() int64 { return s.client().backlog.Size() }

// Depart has another server ask for the session of a socket whose client is away, or seemed to be.
// meanwhile is called when the server has asked.
func (s *Socket) Depart(meanwhile func()) (gone, joined bool) {
	_, claim, _ := s.srv().recovery.ClaimKey(s.recovery.session.Key())
	meanwhile()
	return s.leaveFor(&departure{claim: claim, give: func(*migration.Session) {}})
}

// TakenElsewhere says that another server has written down the session, see standby.Source.
func (s *Socket) TakenElsewhere() { socketSource{s}.Taken() }

// RemoteQuestions returns how many acknowledgements of clients on other servers
// are waited for.
func (srv *Server) RemoteQuestions() int {
	asks, _ := srv.cluster.(*cluster.Cluster).Pending()
	return asks
}

// FromServers takes a message as if another server had published it.
func (srv *Server) FromServers(data []byte) error {
	return srv.cluster.(*cluster.Cluster).Members.Receive(data)
}

// EmitDuring emits to rooms, and calls f when the first recipient is known and
// not reached.
func (srv *Server) EmitDuring(f func(), event string, rooms ...string) error {
	e, err := newEmitOptions(nil, "/", []EmitOption{To(rooms...)})
	if err != nil {
		return err
	}
	p, err := srv.encodeEvent(packets.NobodyComesBack, parser.Header{Type: parser.Event, Namespace: "/"}, event, nil, true)
	if err != nil {
		return err
	}
	srv.each(e, false, nil, func(s *Socket, via *place) error {
		f()
		f = func() {}
		_, err := s.ask(p, false, 0, nil, via)
		return err
	})
	return nil
}

// CallDuring calls a room, and calls f when it is known whom to ask.
func (srv *Server) CallDuring(ctx context.Context, f func(), event, room string) ([]Reply, error) {
	e, err := newEmitOptions(nil, "/", []EmitOption{To(room)})
	if err != nil {
		return nil, err
	}
	asked := srv.recipients(e, false, nil)
	f()
	return srv.call(ctx, nil, e, event, nil, asked, nil)
}

// WorkerLinger is how long the goroutine of a handler waits for another event at most.
const WorkerLinger = mailbox.Linger

// Deferred returns how many acknowledgements of a socket's connection are deferred.
func (srv *Server) Deferred(sid string) int64 { return int64(srv.Socket(sid).client().deferred.Load()) }

// AssemblyWatched reports whether a timer looks after the socket's binary packets.
func (s *Socket) AssemblyWatched() bool { return s.client().parts.Watched() }

// Seats returns how many seats the socket's connection remembers.
func (s *Socket) Seats() int {
	cl := s.client()
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return len(cl.seats)
}

// Undecided returns how many sockets the index knows that wait for their connect handlers.
func (srv *Server) Undecided() int { return srv.index.Sizes().Waiting }

// QuestionsOfOthers returns to how many questions of other servers clients of this one owe answers.
func (srv *Server) QuestionsOfOthers() int {
	_, questions := srv.cluster.(*cluster.Cluster).Pending()
	return questions
}

// HoldSending keeps everybody from sending to the socket until release is called.
func (s *Socket) HoldSending() (release func()) {
	s.sending.RLock()
	return s.sending.RUnlock
}
