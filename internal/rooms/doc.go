// Package rooms knows who is where: an [Index] finds members by their id, and the
// members of every room of every namespace. It knows nothing of sockets. What is
// handed out, a [Roster], never changes, however the room does: whoever sends to a
// room holds no lock meanwhile, and a change of a large room copies little.
package rooms
