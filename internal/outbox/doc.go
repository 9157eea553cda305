// Package outbox hands messages to a broker: in order, on a goroutine of its own,
// so that whoever puts one never waits for the network.
//
// What waits is bounded. While the broker is away, messages are dropped, or the
// newest of them are kept, up to a bound, and published when it is back. The
// package knows the state of the connection ([Link]), and nothing of sockets or of
// what is in a message.
package outbox
