// Package socketiotest tests Socket.IO servers in memory: its [Client] speaks
// Engine.IO revision 4 and Socket.IO revision 5 to any [http.Handler], through
// a real net/http server whose connections are buffers. ([Options].EIO3 has it speak as
// version 2 of the official client does.) No port is opened, and nothing but the server
// under test is needed:
//
//	func TestEcho(t *testing.T) {
//		srv := socketio.NewServer(nil)
//		srv.On("say", func(c *socketio.Context, text string) error {
//			return c.Emit("said", text, socketio.Broadcast())
//		})
//
//		ann := socketiotest.Connect(t, srv, nil)
//		bob := socketiotest.Connect(t, srv, nil)
//		ann.Emit("say", "hello")
//		bob.Expect("said", "hello")
//	}
//
// A client fails its test when something does not happen that should, and says
// what happened instead. It ends with the test; so do its goroutines and the
// connections.
//
// # Time and silence
//
// Whether nothing more is coming is a question that only a testing/synctest
// bubble can answer. Everything here works in one: there, [Client.Received]
// and [Client.ExpectNothing] first wait until server and clients are idle, so
// that they are exact, and a ping timeout takes no time.
//
//	func TestQuiet(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			srv := socketio.NewServer(nil)
//			ann := socketiotest.Connect(t, srv, nil)
//			bob := socketiotest.Connect(t, srv, &socketiotest.Options{IgnorePings: true})
//			bob.WaitDisconnect() // 45 s by the server's clock, at once by yours
//			ann.ExpectNothing()
//		})
//	}
//
// Start the server inside the bubble too; if its handlers may still sleep when
// the test ends, end them with t.Cleanup(func() { srv.Shutdown(ctx) }), for a
// bubble must not end before its goroutines. Outside of a bubble, wait for what
// you expect, with [Client.Next], [Client.Expect] or [Client.Call]; Received
// and ExpectNothing then can only wait for a short silence, which a busy
// machine may lengthen.
//
// # Lost connections
//
// [Client.Drop] cuts the connection, [Client.Abandon] loses it without the server
// noticing, and [Client.Reconnect] comes back as the official client does. With
// [socketio.Options].Recovery the client is in its session again and receives what it
// has missed:
//
//	func TestComeBack(t *testing.T) {
//		srv := socketio.NewServer(&socketio.Options{Recovery: &socketio.Recovery{}})
//		ann := socketiotest.Connect(t, srv, nil)
//		ann.Drop()
//		srv.Emit("news", "while you were away")
//		back := ann.Reconnect()
//		back.Expect("news", "while you were away") // back.Recovered() is true
//	}
//
// # Goroutines
//
// The methods of a Client may be called from any goroutine, but the ones that
// can fail the test are subject to the rule of [testing.T.FailNow]: outside of
// the test's own goroutine they end the calling goroutine and mark the test as
// failed, no more. In a bubble, Received and ExpectNothing, which call
// [testing/synctest.Wait], may be called from one goroutine at a time.
package socketiotest
