// Package recovery keeps what clients need that come back after their connection was
// cut: which sessions can be recovered, by a private id that their clients know
// ([Store], [PID]), the events that a client may not have received yet ([Log]), and the
// limits on how long and how much is kept. It knows neither sockets nor connections.
package recovery
