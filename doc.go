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
