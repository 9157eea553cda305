// Package eiotest drives an Engine.IO server (or any http.Handler) in memory: no port, no real I/O.
//
// [Transport] is an http.RoundTripper whose other end is a real net/http server on in-memory connections, so that what
// a handler sees (request contexts, hijacking, deadlines, aborted requests) is what it sees in production. [Client] is an
// Engine.IO client, of revision 4 or 3, on top of it that behaves as the reference client does; [Raw] sends single requests, right
// and wrong ones. Everything blocks on channels, condition variables and timers only: inside a testing/synctest bubble
// time moves when the server and its clients are idle.
//
// Everything that is opened is ended by Close or Abort, and by the clean-up of the test where a function takes a
// testing.TB.
package eiotest
