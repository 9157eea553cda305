// Package engineio is a server of the Engine.IO protocol, revision 4
// (EIO=4): connections that begin as HTTP long-polling or WebSocket, upgrade from
// the first to the second, and carry text and binary messages in both directions.
// Engine.IO is the layer under Socket.IO, and can be used without it.
//
// A Server is an http.Handler. For each new connection it calls
// Options.OnConnect, which returns the Receiver of what the client sends:
//
//	srv, err := engineio.NewServer(&engineio.Options{
//		OnConnect: func(c *engineio.Conn) (engineio.Receiver, error) {
//			return engineio.ReceiverFuncs{
//				OnMessage: func(data []byte, binary bool) (room <-chan struct{}) {
//					_ = c.SendText("got it")
//					return nil
//				},
//			}, nil
//		},
//	})
//	if err != nil {
//		log.Fatal(err)
//	}
//	mux.Handle("/engine.io/", srv)
//
// Conn.SendText and SendBinary send a message to one client, from any goroutine.
// They queue it and never block. Frames is a message encoded once for any number of
// connections; Conn.Send sends it to one of them. A client that takes nothing for
// Options.WriteTimeout is closed, and no other client notices.
//
// In the other direction there is back-pressure: a Receiver that has no room makes the
// engine stop reading from its client (see Receiver.Message).
//
// An idle WebSocket holds one timer. On Linux it has no goroutine: one for each processor
// waits for all idle connections. With TLS or compression, and on other systems, it has
// one, which reads. An idle polling client holds one timer and the goroutine of its
// request. Nothing of a connection outlives it.
package engineio
