// Package rawconn reads and writes network connections through their file descriptors, on
// systems that have them. A reader that waits holds no buffer, and a writer writes what the
// network takes at once, without waiting. Any other connection, such as one with TLS, is
// read as usual, and cannot be written without waiting.
package rawconn
