// Package rawconn reads and writes network connections through their file
// descriptors, where the system has them: a reader that waits holds no buffer, and a
// writer hands over what the network takes at once, without waiting. For any other
// connection, such as one with TLS, an Inbox reads as usual, and nothing can be written at
// once.
package rawconn
