// Package bench measures the server beside others: what a message costs in
// server CPU, how long it takes, and how much memory a connection holds.
//
//	go run ./cmd/bench -quick                 # ours and the bare servers, under three minutes
//	go run ./cmd/bench -o table.md            # all servers that are installed, all scenarios
//	go run ./cmd/bench -servers ours -scenarios echo -profile profiles
//	go run ./cmd/bench -servers bare,ours -scenarios echo@100,echo@18000 -plot echo
//
// Every server is a process of its own, pinned to one core; the load generator
// (package loadgen) runs in the command itself, pinned to another. It is written
// to be cheaper than the cheapest server: an epoll loop in one thread that writes
// frames made beforehand and looks at replies only as far as needed to count
// them. The command prints how busy both cores were, so that a reader can see
// which of the two was the limit.
//
// The servers are in servers/: ours; two bare ones on coder/websocket, which parse
// nothing and answer bytes made beforehand, as a floor; the reference server on
// Node (run "npm ci" in servers/node first); zishang520's Go server, which is a
// module of its own so that its dependencies stay out of this one; and
// Flask-SocketIO (Debian: python3-flask-socketio and python3-eventlet). What is not
// installed is left out, and the output says why. If asked for, ours is also
// measured with connection state recovery on (ours-recovery), and with other JSON code: built with GOEXPERIMENT=jsonv2 (ours-jsonv2), or
// with another codec in Options.JSON (ours-sonic, ours-go-json: a module of its own
// again).
//
// A server is started as a process, prints the lines "version ..." and
// "listening host:port", obeys the commands of package internal/control on
// its standard input, and ends when that is closed.
//
// The scenarios cross, cross-one, cross-emit, elsewhere and elsewhere-4k have two
// servers on a Redis (Debian: redis-server), one of which is measured and has its core for
// itself; the other one, Redis and the load generator share the other core. They have to
// be named, and are for ours, the reference server with its Redis adapter, and
// Flask-SocketIO with a message queue: that in ../e2e/flask/packages, where
// .ci/tools puts one which speaks JSON there.
//
//	go run ./cmd/bench -servers ours,npm,flask -scenarios cross,cross-one,cross-emit,elsewhere,elsewhere-4k
//
// The scenario stalled has to be named, too: clients that stop reading beside others that
// do not. It prints the latency and the server's memory with and without them.
//
//	go run ./cmd/bench -servers ours -scenarios stalled
//
// So does json-raw, which only servers of this repository serve: json with a handler that
// takes its argument as socketio.Raw.
//
// The scenario tls is for the servers that can serve with TLS: the bare one, ours and the
// reference server, with a certificate made for the run. Its clients cost the load generator as much
// as they cost the servers.
//
// For something else, whether the server does what it promises for hours, see
// package soak and its command cmd/soak.
//
// It needs Linux: epoll, CPU affinity and /proc.
package bench
