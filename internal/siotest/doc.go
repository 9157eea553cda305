// Package siotest drives a Socket.IO server in memory, for the tests of the root package and of internal/behaviour:
// [NewServer] makes a server that the test shuts down, [Peer] is a client that writes and reads packets as text, and
// [Fleet] is several servers with one broker.
//
// It stands on [github.com/seed-d124fa34/socketio/internal/eiotest]. Users of the module have
// [github.com/seed-d124fa34/socketio/socketiotest], whose client knows events and acknowledgements.
package siotest
