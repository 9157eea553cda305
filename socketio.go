// Package socketio is a Socket.IO server with the semantics of Flask-SocketIO,
// to be mounted in any net/http program. The official Socket.IO clients of
// protocol revision 5 (JavaScript 3 and 4, Python, Java, Swift, Dart, C++ ...)
// connect to it unchanged.
//
//	srv := socketio.NewServer(nil)
//	srv.On("join", func(c *socketio.Context, m Message) error { return c.Join(m.Room) })
//	srv.On("say", func(c *socketio.Context, m Message) error {
//		if !c.InRoom(m.Room) {
//			return &socketio.Error{Message: "join the room first"}
//		}
//		return c.Emit("said", m, socketio.To(m.Room)) // without To: to the sender
//	})
//	srv.On("add", func(c *socketio.Context, a, b int) (int, error) { return a + b, nil })
//	srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { log.Println(c.ID(), why) })
//	http.Handle("/socket.io/", srv)
//
// The whole program, with a page for it, is in examples/quickstart.
//
// Where Flask-SocketIO has the same under another name, the comments of this package end
// with that name. Where the wire matters, they name the section of the Socket.IO or
// Engine.IO protocol.
//
// A [Server] has namespaces ([Server.Namespace]). The main one is "/"; its methods are
// also methods of the server. A client that connects to a namespace is a [Socket] there.
// Handlers are registered once, for all clients of a namespace ([Namespace.On]), and
// get a [Context]: the event, and the socket it came from. What a handler returns is the
// acknowledgement; [Context.DeferAck] acknowledges later. [Socket.Emit] answers the
// sender, options such as [To] and [Broadcast] reach others, and [Server.Emit] reaches
// everyone, from any goroutine: an HTTP handler, a ticker, a worker.
//
// # Order and concurrency
//
// The events of one socket are handled one after another, in the order of
// arrival: connect, then its events, then disconnect. The sockets run in
// parallel, so handlers guard what they share. While a handler runs, the client's next
// event waits; its acknowledgements and all other clients do not. When more than
// [Options].Limits.ReceiveQueueLimit bytes of events wait, the server stops reading from
// the client until half of that is left. [Options].AsyncHandlers lets the events of one
// socket overlap.
//
// Every method of every type may be called from any goroutine, in handlers and
// outside of them. Emit never waits for a client: it queues up to
// [Options].Limits.SendQueueLimit bytes. A producer of much data waits with
// [Socket.Flush]. A client that takes nothing for [Options].WriteTimeout is closed. What
// one goroutine emits arrives in that order. Nothing is emitted to a client before its
// connect handler has accepted it, nor after it has left.
//
// # Recovery
//
// With [Options].Recovery a client that lost its connection comes back to its session: it
// has its session id, rooms and [Session] values, and gets every event that it missed,
// once and in order. The connect handler runs again, with [Socket.Recovered] true. With a
// broker the client may come back to another server. Off by default.
//
// # Several servers
//
// With [Options].Cluster.Broker servers on several machines are one application: emits,
// rooms, disconnects and acknowledgements reach the clients of all, through Redis
// (brokers/redis), NATS (brokers/nats) or another [Broker]. The message format is that of
// Flask-SocketIO's message_queue, so that its servers can be among them. An [Emitter]
// emits from a process that has no clients. [Server.Socket], [Server.Rooms] and
// [Server.Members] are about the clients of this server; [Cluster] asks all servers, and
// reports which did not answer. Emitting never waits for the broker: while it is not
// available, each server goes on with its own clients, and [Server.BrokerStatus] and the
// log say so.
//
// # Failures
//
// No input of a client makes the server panic. A packet that breaks the protocol closes
// the client's connection. Arguments that do not fit a handler (an [*ArgError]), errors
// that handlers return and their panics go to the error handler ([Namespace.OnError]).
// Only an [*Error] is sent to clients; everything else is logged ([Options].Logger).
//
// # Stopping
//
// To stop a server, call [Server.Shutdown] and then [http.Server.Shutdown]. New clients
// are refused, events that have arrived are handled and acknowledged, and the clients
// are closed one after the other; they reconnect by themselves, to another server or to
// this one's successor. The program examples/graceful does so on SIGTERM.
package socketio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/handlers"
	"github.com/seed-d124fa34/socketio/internal/mailbox"
	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/notice"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/internal/revision"
	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/stall"
	"github.com/seed-d124fa34/socketio/internal/standby"
	"github.com/seed-d124fa34/socketio/parser"
)

// Server is a Socket.IO server: an [http.Handler] for any net/http program. Mount it at
// [Options].Path, by default "/socket.io/". All methods may be called from any
// goroutine, at any time. A Server has the methods of a [Namespace], about handlers,
// rooms and events: they act on the main namespace, "/".
type Server struct { // the order of its locks is in CONTRIBUTING.md
	namespace // "/"

	opts     settings
	engine   *engineio.Server
	log      *slog.Logger
	regMu    sync.Mutex // one registration at a time
	registry atomic.Pointer[registry]
	index    *rooms.Index[*Socket] // the members of namespaces and rooms
	ackIDs   atomic.Uint64         // the last acknowledgement id that was used
	// workers run handlers. They count sockets and callbacks whose handlers may still run.
	workers  *mailbox.Workers[*task]
	packets  packets.Encoder
	mixed    atomic.Bool                            // with recovery there are, or were, clients that do not take part
	recovery *recovery.Store[*Socket, packets.Kept] // nil without Options.Recovery
	cluster  cluster.Adapter                        // the other servers; nil without a broker
	offsets  *recovery.Offsets                      // of events for other servers, see eventID; nil if it needs none
	entering [16]sync.Mutex                         // see client.entering
	arrived  atomic.Uint64                          // how often sessions have come from other servers
	// nil unless the broker keeps a history and records, with Options.Recovery:
	sequence  *standby.Sequence
	snapshots *standby.Writer
	restorer  *standby.Restorer
	mover     *migration.Mover // nil without a broker or Options.Recovery
	host      string           // its name on the broker
	// remoteAcks are the mailboxes for callbacks of OnAck for clients of other servers. They cannot be in
	// the Socket, because each answer has a Socket of its own.
	remoteAcks mailbox.Boxes[remoteKey, *task]
	closing    atomic.Bool // Shutdown was called
	stats      stats
	hooks      atomic.Pointer[hooks] // nil if there are none
	began      time.Time

	unknown notice.Names // names that clients used and that are not registered
	notices notice.Log   // warnings that clients can cause, at a limited rate
}

// NewServer returns a server with the options; nil means all defaults. Options that are
// not valid are a mistake in the program: NewServer panics with a message that says what
// to set. [Options.Validate] returns the same as an error.
func NewServer(opts *Options) *Server {
	s, err := opts.complete()
	if err != nil {
		panic(fmt.Sprintf("socketio: NewServer: %v", err))
	}
	srv := &Server{opts: s, log: s.Logger, began: time.Now()}
	srv.namespace = namespace{srv: srv, name: "/"}
	srv.notices.Logger = s.Logger
	srv.stats.init()
	srv.registry.Store(new(registry))
	srv.index = rooms.NewIndex[*Socket]()
	srv.workers = mailbox.NewWorkers[*task]()
	srv.startRecovery()
	srv.packets = newEncoder(srv)
	host := cluster.NewHost()
	srv.host = host
	engine := srv.opts.engine(srv.newClient)
	if srv.opts.Cluster.PeerURL != "" {
		engine.ServerID, engine.PeerURL, engine.PeerTransport = host, srv.findPeer, srv.opts.Cluster.PeerTransport
	}
	srv.engine, err = engineio.NewServer(engine)
	if err != nil {
		panic(fmt.Sprintf("socketio: NewServer: %v", err))
	}
	srv.opts.adopt(srv.engine.Options())
	if srv.opts.Cluster.Broker != nil {
		srv.joinCluster(host)
	}
	return srv
}

// newEncoder returns what encodes the packets of a server.
func newEncoder(srv *Server) packets.Encoder {
	e := packets.Encoder{
		Parser: srv.opts.Parser, OwnParser: srv.opts.ownParser,
		Codec: srv.opts.queue, WireLimits: cluster.PacketLimits,
		Panicked: func(v any, h parser.Header) error {
			return srv.recovered("encoding", v, "namespace", h.Namespace, "packet", h.Type)
		},
		ManyAttachments: func(h parser.Header, n, limit int) {
			srv.notices.Warn(context.Background(), "attachments", fmt.Sprintf(
				"socketio: a packet with %d attachments was sent: JavaScript clients accept %d and close the connection if there are more; join the bytes, or send several events", n, limit),
				"namespace", h.Namespace)
		},
		Failed: func(h parser.Header, event string, err error) {
			srv.log.Error("socketio: the parser cannot encode an event with an offset (Options.Recovery)", "namespace", h.Namespace, "event", printable(event), "error", err)
		},
	}
	if srv.recovery != nil {
		e.NextOffset = srv.recovery.NextOffset
	}
	return e
}

// appendASCII returns what writes packets in ASCII: JSON's, not those of another parser.
func (s *settings) appendASCII() func(dst, packet []byte) []byte {
	if s.ownParser {
		return nil
	}
	return revision.AppendASCII
}

// engine returns the options of the Engine.IO server.
func (s *settings) engine(onConnect func(*engineio.Conn) (engineio.Receiver, error)) *engineio.Options {
	return &engineio.Options{
		Path:            s.Path,
		Transports:      s.Transports,
		AllowEIO3:       s.AllowEIO3,
		AppendASCII:     s.appendASCII(),
		DisableUpgrades: s.DisableUpgrades,
		PingInterval:    s.PingInterval,
		PingTimeout:     s.PingTimeout,
		UpgradeTimeout:  s.UpgradeTimeout,
		WriteTimeout:    s.WriteTimeout,
		DrainWindow:     s.DrainWindow,
		Limits: engineio.Limits{
			MaxPayload:          s.Limits.MaxPayload,
			PostBudget:          s.Limits.PostBudget,
			SendQueueLimit:      s.Limits.SendQueueLimit,
			SendBudget:          s.Limits.SendBudget,
			ControlRate:         s.Limits.ControlRate,
			MaxConnections:      s.Limits.MaxConnections,
			MaxConnectionsPerIP: s.Limits.MaxConnectionsPerIP,
		},
		ClientIP:                   s.ClientIP,
		DisableHTTPCompression:     s.DisableHTTPCompression,
		HTTPCompressionThreshold:   s.HTTPCompressionThreshold,
		PerMessageDeflate:          s.PerMessageDeflate,
		PerMessageDeflateThreshold: s.PerMessageDeflateThreshold,
		Cookie:                     s.Cookie,
		AllowedOrigins:             s.AllowedOrigins,
		AllowOrigin:                s.AllowOrigin,
		TrustForwarded:             s.TrustForwarded,
		CredentialsForAnyOrigin:    s.CredentialsForAnyOrigin,
		DisableCredentials:         s.DisableCredentials,
		Logger:                     s.Logger,
		OnConnect:                  onConnect,
	}
}

// adopt takes over the options that this package shares with the engine, whose defaults
// the engine has set.
func (s *settings) adopt(engine engineio.Options) {
	s.stall = stall.Rules{Limit: int64(s.Limits.ReceiveQueueLimit), Timeout: engine.PingInterval + engine.PingTimeout}
	s.Limits.SendQueueLimit = engine.Limits.SendQueueLimit
	s.Limits.ControlRate = engine.Limits.ControlRate
}

// maxEventRate is the highest rate that can be set, in events a second. It is higher
// than what a client can reach.
const maxEventRate = 1_000_000

// checkLimits checks the numbers among the options.
func (s *settings) checkLimits() error {
	for _, n := range []struct {
		name  string
		value int
	}{
		{"Limits.ReceiveQueueLimit", s.Limits.ReceiveQueueLimit},
		{"Limits.AsyncLimit", s.Limits.AsyncLimit},
		{"Limits.ControlRate", s.Limits.ControlRate},
		{"Limits.MaxNamespaces", s.Limits.MaxNamespaces},
		{"Limits.MaxRooms", s.Limits.MaxRooms},
		{"Limits.MaxPendingAcks", s.Limits.MaxPendingAcks},
		{"Limits.EventRate", s.Limits.EventRate},
		{"Limits.EventBurst", s.Limits.EventBurst},
		{"Cluster.QueueLimit", s.Cluster.QueueLimit},
		{"Cluster.ReplayLimit", s.Cluster.ReplayLimit},
	} {
		if n.value < 0 {
			return fmt.Errorf("field Options.%s is %d: set a positive number, or leave it 0 for the default", n.name, n.value)
		}
	}
	if s.Limits.EventBurst > 0 && s.Limits.EventRate == 0 {
		return errors.New("field Options.Limits.EventBurst is set without EventRate: set EventRate to the events a second that a client may send")
	}
	if s.Limits.EventRate > maxEventRate || s.Limits.EventBurst > maxEventRate || s.Limits.ControlRate > maxEventRate {
		return fmt.Errorf("fields Options.Limits.EventRate, EventBurst and ControlRate can be at most %d", maxEventRate)
	}
	return nil
}

// ServeHTTP implements [http.Handler]: it serves the requests of Socket.IO clients, over
// long-polling and WebSocket (Engine.IO protocol: Transports). It returns before a
// WebSocket connection ends, so middleware of net/http must not expect the opposite.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { srv.engine.ServeHTTP(w, r) }

// Handler returns a handler that serves Socket.IO clients under [Options].Path, and
// passes every other request to next. Clients may leave out the slash at the end of the
// path. Flask-SocketIO: the middleware around an app.
func (srv *Server) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, srv.opts.Path) || r.URL.Path+"/" == srv.opts.Path {
			srv.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Namespace returns the namespace with a name; "" is "/", and a missing slash
// is added. Clients may connect to it if it has a handler or is in
// [Options].Namespaces. They may always connect to "/". For a name that cannot be one,
// the methods of the Namespace return an error or panic. Flask-SocketIO: namespace.
// Socket.IO protocol: Connection to a namespace.
//
// Namespace("*") is only for handlers. They are used for namespaces that have no handler
// of their own for an event. The first of these that exists handles an event: the
// namespace's handler of the event, its "*", the "*" namespace's handler of the
// event, its "*", the namespace's class ([Server.Register]), the class of "*".
// Handlers of Namespace("*") do not let clients connect to other namespaces;
// Options.Namespaces does.
func (srv *Server) Namespace(name string) *Namespace {
	if name == anyName {
		return &Namespace{namespace{srv: srv, name: anyName}}
	}
	clean, err := handlers.Namespace(name)
	if err != nil {
		return &Namespace{namespace{srv: srv, name: name, err: fmt.Errorf("socketio: %w", err)}}
	}
	return &Namespace{namespace{srv: srv, name: clean}}
}

// OnError registers the error handler of all namespaces that have none of their own,
// see [Namespace.OnError]. It replaces an earlier one. Flask-SocketIO: on_error_default.
func (srv *Server) OnError(handler func(c *Context, err error) any) {
	srv.regMu.Lock()
	defer srv.regMu.Unlock()
	old := srv.registry.Load()
	srv.registry.Store(&registry{old.Table, handler})
}

// Shutdown stops the server: it refuses new connections, closes all others, and returns when all handlers,
// including the disconnect handlers, have returned. If the context ends first, Shutdown cuts the connections
// that are left and returns the context's error; handlers may still run then. While the broker is away, Shutdown
// may wait for it until the context ends; the error then counts what was lost: "2 messages not published".
// It may be called again, to wait further or, with a context that has ended, to cut the connections.
//
// The connections are closed one after the other, spread over [Options].DrainWindow,
// with [ReasonServerShutdown]. The clients get no DISCONNECT packet, so they reconnect by
// themselves: to another server, or to this one's successor. Until Shutdown comes to a
// client, it is served as before; it comes at once to a client that wants to join a
// namespace.
//
// Before a connection is closed, the events that have arrived are handled and
// acknowledged, including deferred acknowledgements ([Context.DeferAck]), if that takes
// no longer than [Options].DrainTimeout. Events that arrive later are neither handled nor
// acknowledged. So if a client sends again what was not acknowledged, nothing is lost,
// and nothing is handled twice.
//
// Call Shutdown before [http.Server.Shutdown], which waits for polls and knows nothing
// of WebSocket connections. A handler must not wait for Shutdown, which waits for the
// handler: use go srv.Shutdown(ctx) there.
func (srv *Server) Shutdown(ctx context.Context) error {
	err := srv.shutdown(ctx)
	if srv.cluster != nil {
		if failed := srv.cluster.Close(ctx); err == nil {
			err = failed
		}
	}
	return err
}

// Close stops the server at once: it cuts all connections with [ReasonServerShutdown],
// and what waits for the broker is lost. It does not wait for handlers; disconnect
// handlers run, perhaps after Close has returned. It returns nil. Use it for tests and
// emergencies, and Shutdown otherwise.
func (srv *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = srv.Shutdown(ctx) // returns the error of ctx
	return nil
}

func (srv *Server) shutdown(ctx context.Context) error {
	srv.closing.Store(true)
	err := srv.engine.Shutdown(ctx)
	srv.handOverSessions(ctx)
	srv.endRecovery()
	defer srv.endSurvival(ctx) // sessions end with their handlers
	if err != nil {
		return fmt.Errorf("socketio: shutdown: clients were cut off: %w", err)
	}
	if err = srv.workers.Wait(ctx); err != nil {
		return fmt.Errorf("socketio: shutdown: handlers still run (%d sockets and callbacks): %w", srv.workers.Alive(), err)
	}
	return nil
}
