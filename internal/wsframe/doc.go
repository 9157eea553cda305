// Package wsframe is the framing of WebSocket (RFC 6455) for a server: a Reader
// takes the frames that a client sends out of a buffer, and functions write the
// headers and close frames that a server sends. It reads and writes no network
// connection, knows no extension, and leaves the handshake to others.
package wsframe
