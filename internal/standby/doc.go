// Package standby lets another server go on with the sessions of a server that was killed, if
// the broker keeps a history and records:
//
//   - [Sequence] is the order in which a server emits and receives. The ids of its events have
//     their places in it, so that the order can be found again in the history, where events
//     of several servers are in another one.
//   - [Snapshot] is the state of a session at a place, and [Recorder] keeps what it needs
//     besides the session itself.
//   - [Writer] writes snapshots, behind what happens.
//   - [Rebuild] makes a session of its snapshot and of the history since, and [Restorer] does
//     that for the sessions that other servers have written.
package standby
