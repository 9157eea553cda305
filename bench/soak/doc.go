// Package soak holds thousands of mixed clients against the server for a long
// time and checks, throughout, that it does what it promises.
//
//	go run ./cmd/soak -clients 10000 -for 30m
//
// The server is a process of its own (servers/soak), so that its memory is the
// server's. All clients are in one goroutine of this process, on an epoll loop,
// so that what one of them was told before another one asked is known exactly.
//
// # What the clients do
//
// Of a hundred clients 45 use WebSocket, 20 polling, 15 begin with polling and
// upgrade, and 20 churn: they come for 5 to 30 seconds, by any of these ways, and
// leave in good order, by closing the connection, by cutting it, by no longer
// polling, in the middle of an upgrade, or because they asked the server to
// disconnect them. One upgrade in ten is given up, and the session goes on by
// polling. Thirty are in a second namespace too and ten in a third one, in which
// the server itself speaks. Some of those on WebSocket do not read now and then.
//
// Every socket is in two rooms, of about twenty members each. It talks to them
// in text and bytes, also volatile, talks to single sockets, has events answered
// with text and bytes, is asked by the server with Call and OnAck, moves to other
// rooms, and leaves its namespace and comes back. Eight clients broadcast. See
// plan.go for the shares.
//
// With -recovery the server has connection state recovery, and every client loses its connection now
// and then, in one of several ways, and comes back in its session by another transport: it must
// not miss anything, and nothing may come twice.
//
// # What is checked
//
// By the clients (channel.go, socket.go): acknowledgements come once, in order,
// and carry what was sent; the messages of a sender arrive once, in order and
// without a gap while the receiver is in the room, from the acknowledgement of
// its join to that of its leave, and none before or after; nobody hears what is
// meant for others; the server's questions come once and in order; the sender's
// own copy comes before the acknowledgement; payloads are intact.
//
// By the server's process: events are handled once and in order, between the
// connect handler and the disconnect handler, which is told the rooms joined;
// answers come once; nothing is logged as a warning. And by both (books.go,
// audit.go): each socket that has ended handled what it should have, for a reason
// that fits how it ended; every minute, while nobody comes or goes, the members of
// all rooms are who they should be, Server.Stats agrees, and goroutines and
// descriptors are explained by connections; memory does not climb; with
// the last client all of them go back to what they were before the first.
//
// That all this is found when it goes wrong is tested, too: servers/soak can be
// told to break its promises (-sabotage).
package soak
