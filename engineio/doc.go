// Package engineio is a server of the Engine.IO protocol, revision 4
// (EIO=4): connections that begin as HTTP long-polling or WebSocket, upgrade from
// the first to the second, and carry text and binary messages in both directions.
// It is the layer under Socket.IO and can be used without it.
//
// A Server is an http.Handler. For each new connection it calls
// Options.OnConnect, which returns the Receiver of what the client sends:
//
//	srv, err := engineio.NewServer(&engineio.Options{
//		OnConnect: func(c *engineio.Conn) (engineio.Receiver, error) {
//			return echo{c}, nil
//		},
//	})
//	if err != nil {
//		log.Fatal(err)
//	}
//	mux.Handle("/engine.io/", srv)
//
// Messages are sent with Conn.Send, from any goroutine: it queues and never
// blocks. A client that does not take what it is sent is closed when its queue
// is full, and costs no other client anything. Frames encode a message once for
// any number of connections.
//
// In the other direction, a Receiver that has no room makes the engine stop reading
// from its client (see Receiver.Message).
//
// An idle WebSocket holds one goroutine, which reads, and one timer; an idle
// polling client holds the goroutine of its request. Nothing outlives a connection.
package engineio
