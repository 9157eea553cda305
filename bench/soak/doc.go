// Package soak runs thousands of mixed clients against the server for a long time, and
// checks all the time that the server does what it promises.
//
//	go run ./cmd/soak -clients 10000 -for 30m
//
// The server is a process of its own (servers/soak), so that the memory of the process is
// that of the server. All clients are in one goroutine of this process, on an epoll loop, so
// the order of what they send and receive is known exactly.
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
// not miss anything, and must not get anything twice.
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
// By the server's process: events are handled once and in order, between the connect
// handler and the disconnect handler, in which the socket is in the rooms that it has
// joined; answers come once; nothing is logged as a warning. And by both (books.go,
// audit.go): for each socket that has ended, the server has handled what it should have,
// and its reason fits how the socket ended. Every minute, while no client comes or goes,
// the members of all rooms are right, Server.Stats agrees, and there are no more
// goroutines and descriptors than the connections explain. Memory does not grow. When the
// last client has left, all of these are what they were before the first one came.
//
// Tests check that the soak finds all this: with -sabotage, servers/soak breaks its promises.
package soak
