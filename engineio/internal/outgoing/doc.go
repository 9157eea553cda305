// Package outgoing has the messages for clients, encoded once for any number of connections
// (Unit), and the queue of each connection (Queue). It knows no connection.
package outgoing
