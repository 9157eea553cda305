// Package cluster is a server's place among others on a broker: it publishes what is
// emitted here for their clients, has carried out what arrives from them, and keeps
// track of the acknowledgements that either side waits for.
//
// It stands between two interfaces. The core of the server calls an [Adapter], which
// a [Cluster] is; the Cluster calls a [Host], which the core is. What messages look
// like is up to a wire.Wire, who the other servers are to a [Members], and what waits
// to be published to an outbox.
package cluster
