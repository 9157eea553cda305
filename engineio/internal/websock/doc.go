// Package websock is the server's side of WebSocket connections (RFC 6455): the
// handshake, reading whole messages while holding as little memory as possible, and
// writing without waiting for the network where that can be done.
//
// A stream has one reader and one writer of frames. If permessage-deflate was
// negotiated, coder/websocket is both; it writes what is not compressed through
// this package, whole frames at a time. All other connections, nearly all, are read
// by internal/wsframe and written as the frames of package outgoing, and do without
// the library's buffers and locks. For them the library only judges odd handshakes.
package websock
