// Package rooms is the index of members and rooms: an [Index] finds members by their id,
// and the members of every room of every namespace. It knows nothing of sockets. A
// [Roster], the members of a room at one moment, never changes: a sender that visits it
// holds no lock, and a change of a large room copies little.
package rooms
