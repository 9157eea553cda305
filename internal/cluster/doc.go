// Package cluster is a server's place among others on a broker: it publishes what this
// server emits to their clients, passes on what arrives from them, and keeps track of the
// acknowledgements that either side waits for.
//
// It stands between two interfaces. The core of the server calls an [Adapter], which
// a [Cluster] is; the Cluster calls a [Host], which the core is. A wire.Wire decides how messages
// look, a [Members] knows the other servers, and an outbox has what waits to be published.
package cluster
