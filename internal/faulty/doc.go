// Package faulty puts a bad network between clients and a server, for tests.
//
// [Proxy] works on the bytes of TCP connections: delay, jitter, loss,
// bandwidth, resets, connections that are open on one side only, silence.
// [Web] works on HTTP, as companies' proxies do: it buffers bodies, cuts
// WebSocket connections after a while, or knows no WebSocket.
//
// Both listen on 127.0.0.1 on a port of their own. Close ends every goroutine of
// theirs before it returns.
package faulty
