// Package recovery tests connection state recovery with the official clients. It starts
// servers and clients as processes, cuts the clients' connections in many ways, and compares
// what each client received with what the servers emitted to it.
//
//	go run ./cmd/recovery -servers npm,npm-streams,ours
//
// The servers are ours (program.go), one or two on a Redis or a NATS, and for comparison
// the reference server, alone or as two with its Redis Streams adapter
// (node/recovery-server.mjs). They obey the same commands and print the same journal. All
// clients are in one process (node/recovery-clients.mjs). Each has a proxy of its own, so that
// a [Scenario] can cut, refuse, stall or half-open its connections, and send it to another
// server.
//
// The journals say what a client must receive: each server prints, in order, which rooms a
// client is in, also while it is away, and what it emits to which room. See judge.go.
package recovery
