// Package outgoing is what is to be sent to clients: messages that are encoded once
// for any number of connections (Unit), the queue of each connection (Queue), and the
// bound on the memory of all queues of a server (Budget). It knows no connection.
package outgoing
