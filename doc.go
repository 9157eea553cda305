// Package socketio is a Socket.IO server with the semantics of Flask-SocketIO,
// to be mounted in any net/http program. The official Socket.IO clients of
// protocol revision 5 (JavaScript 3 and 4, Python, Java, Swift, Dart, C++ ...)
// connect to it unchanged.
//
//	package main
//
//	import (
//		"log"
//		"net/http"
//
//		"github.com/seed-d124fa34/socketio"
//	)
//
//	type Message struct {
//		Room string `json:"room"`
//		Text string `json:"text"`
//	}
//
//	func main() {
//		srv := socketio.NewServer(nil)
//		srv.On("join", func(c *socketio.Context, m Message) error { return c.Join(m.Room) })
//		srv.On("say", func(c *socketio.Context, m Message) error {
//			if !c.InRoom(m.Room) {
//				return &socketio.Error{Message: "join the room first"}
//			}
//			return c.Emit("said", m, socketio.To(m.Room)) // without To: to the sender
//		})
//		srv.On("add", func(c *socketio.Context, a, b int) (int, error) { return a + b, nil })
//		srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { log.Println(c.ID(), why) })
//		http.Handle("/socket.io/", srv)
//		log.Fatal(http.ListenAndServe("127.0.0.1:5000", nil))
//	}
//
// A [Server] has namespaces ([Server.Namespace]), of which "/" is the main one,
// whose methods the server has too. A client that connects to a namespace is a
// [Socket] there. Handlers are registered once, for all clients of a namespace
// ([Namespace.On]), and get a [Context]: the event, and the socket it came from.
// What a handler returns is the acknowledgement ([Context.DeferAck] gives it later). [Socket.Emit] answers the
// sender, options such as [To] and [Broadcast] reach others, and [Server.Emit]
// reaches everyone, from any goroutine: an HTTP handler, a ticker, a worker.
//
// # Order and concurrency
//
// The events of one socket are handled one after another, in the order of
// arrival: connect, then its events, then disconnect. The sockets run in
// parallel, so handlers guard what they share. A handler may take its time: the
// client's next event waits, but its acknowledgements do not, and neither does any
// other client. When more than [Options].Limits.ReceiveQueueLimit wait, nothing more is
// read from the client until there is room.
// [Options].AsyncHandlers lets the events of one socket overlap.
//
// Every method of every type may be called from any goroutine, in handlers and
// outside of them. Emit never waits for a client: it queues, up to
// [Options].Limits.SendQueueLimit, and [Socket.Flush] waits where there is much to send. A
// client that takes nothing for [Options].WriteTimeout is closed. What one
// goroutine emits arrives in that order. Nothing is emitted to a client whose
// connect handler has not accepted it, nor to one that has left.
//
// # Several servers
//
// With [Options].Cluster.Broker servers on several machines are one application: emits,
// rooms, disconnects and acknowledgements reach the clients of all, through Redis
// (brokers/redis), NATS (brokers/nats) or another [Broker]. They speak what
// Flask-SocketIO's message_queue speaks, so that its servers can be among them. An
// [Emitter] emits from a process that has no clients. What is asked about clients
// is answered for this server: [Server.Socket], [Server.Rooms], [Server.Members];
// [Cluster] asks all, and tells who did not answer. Emitting never waits for the
// broker: while it is away, each server goes on with its own clients, and
// [Server.BrokerStatus] and the log say so.
//
// # Failures
//
// Whatever a client sends, the server does not panic: packets that break the
// protocol close its connection, arguments that do not fit a handler are an
// [*ArgError] for the error handler ([Namespace.OnError]), and so are the errors
// that handlers return and their panics. Only an [*Error] is told to clients,
// everything else is logged ([Options].Logger).
//
// # Stopping
//
// [Server.Shutdown], and then [http.Server.Shutdown], end a server that another
// one replaces: new clients are refused, events that have arrived are handled and
// acknowledged, and the clients closed one after the other; they reconnect by
// themselves. The program examples/graceful does so on SIGTERM.
package socketio
