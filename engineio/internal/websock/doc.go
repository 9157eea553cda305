// Package websock is the server's side of WebSocket connections (RFC 6455): the
// handshake, reading whole messages while holding as little memory as possible, and
// writing without waiting for the network where that can be done.
//
// Each stream has one reader and one writer of frames. If the handshake has negotiated
// permessage-deflate, coder/websocket reads and writes; frames that are not compressed go
// between its own, whole frames at a time. Nearly all connections have not negotiated it:
// internal/wsframe reads them, and the frames of package outgoing are written to them, so
// they need none of the library's buffers and locks. For these connections the library
// only checks unusual handshakes.
package websock
