// Package standby has what another server needs to go on with the sessions of a server that
// was killed, if the broker keeps a history and records:
//
//   - [Sequence] is the order in which a server emits and receives. The ids of its events have
//     their places in it, so that the order can be found again in the history, where events
//     of several servers are in another one.
//   - [Snapshot] is what is written down of a session: its state at a place.
//   - [Writer] writes snapshots, behind what happens.
//   - [Rebuild] makes a session of its snapshot and of the history since.
package standby
