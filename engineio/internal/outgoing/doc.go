// Package outgoing is what is to be sent to clients: messages that are encoded once
// for any number of connections (Unit), and the queue of each connection (Queue). It
// knows no connection.
package outgoing
