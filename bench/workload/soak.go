package workload

import (
	"hash/crc32"
	"strconv"
)

// What the clients and the server of the soak agree on. Every event a client
// sends has a Head as its first argument, all but SoakKick and SoakHangUp are
// acknowledged, and the acknowledgement begins with the Head.
const (
	SoakEcho     = "echo"     // (head, text): acknowledged with the text
	SoakBinary   = "binary"   // (head, bytes): acknowledged with the bytes
	SoakSync     = "sync"     // (head)
	SoakJoin     = "join"     // (head, room)
	SoakLeave    = "leave"    // (head, room)
	SoakSay      = "say"      // (head, room, text): SoakSaid to the room
	SoakSayBytes = "sayBytes" // (head, room, bytes): likewise
	SoakHint     = "hint"     // (head, room, text): likewise, volatile
	SoakTell     = "tell"     // (head, sid, text): SoakSaid to one socket
	SoakAll      = "all"      // (head, text): SoakSaid to everyone else in the namespace
	SoakCall     = "call"     // (head, text): the server asks with Call, and acknowledges the answer
	SoakLater    = "later"    // (head, bytes): the server asks with OnAck
	SoakKick     = "kick"     // (head): the server disconnects the socket
	SoakHangUp   = "hangUp"   // (head): the server closes the connection
)

// The events of the server. Both have a Head and a text or bytes; SoakAsk is
// acknowledged with the same.
const (
	SoakSaid = "said"
	SoakAsk  = "ask"
)

// OffsetEvent follows an event that asks for an acknowledgement, which has no
// offset of its own, where the server has connection state recovery.
const OffsetEvent = "$offset"

// SoakNamespaces are the namespaces. In SoakFeed the server itself speaks, with SoakFeedVoice.
var SoakNamespaces = []string{"/", "/chat", SoakFeed}

const (
	SoakFeed      = "/feed"
	SoakFeedVoice = 1
)

// SoakRoom names a room.
func SoakRoom(i int) string { return "room-" + strconv.Itoa(i) }

// Head says what a message is. Its fields are encoded in this order.
type Head struct {
	Seq    int64 `json:"seq"`    // of the events of one socket, from 1; of the server's questions to one socket, from 1
	Voice  int64 `json:"voice"`  // who speaks to whom
	Number int64 `json:"number"` // of what that voice said, from 1
	At     int64 `json:"at"`     // when it was sent, ns
	Sum    int64 `json:"sum"`    // CRC-32 of the text or the bytes
}

// SoakSum returns the checksum of a payload.
func SoakSum[T string | []byte](payload T) int64 { return int64(crc32.ChecksumIEEE([]byte(payload))) }

// SoakAuth is what a client of the soak connects with.
type SoakAuth struct {
	Client int `json:"client"`
	Life   int `json:"life"` // which of its connections this is
}

// SoakEnded is what the server knows of a socket that has left.
type SoakEnded struct {
	SID      string `json:"sid"`
	NS       string `json:"ns"`
	SoakAuth        // as the client connected
	Handled  int64  `json:"handled"`  // the last Seq
	Answered int64  `json:"answered"` // of the server's questions
	Reason   string `json:"reason"`
}

// SoakStatus is the state of the server.
type SoakStatus struct {
	HeapLive    int64          `json:"heapLive"`  // bytes of objects
	HeapInUse   int64          `json:"heapInUse"` // the same with the gaps between them
	Goroutines  int            `json:"goroutines"`
	Descriptors int            `json:"descriptors"`
	Sockets     int            `json:"sockets"` // connect handlers that accepted without a disconnect handler yet
	Connects    int64          `json:"connects"`
	Disconnects int64          `json:"disconnects"`
	Events      int64          `json:"events"`
	Asked       int64          `json:"asked"`
	Answered    int64          `json:"answered"`
	Reasons     map[string]int `json:"reasons"`
	Stall       int64          `json:"stall"`  // the longest time in which the process did not run, ns
	Faults      int            `json:"faults"` // violations the server found
	First       []string       `json:"first"`  // the first of them
	Stats       SoakStats      `json:"stats"`
}

// SoakStats is what Server.Stats says.
type SoakStats struct {
	Sockets     int    `json:"sockets"` // in all namespaces
	Rooms       int    `json:"rooms"`
	Connections int    `json:"connections"`
	QueuedBytes int64  `json:"queuedBytes"`
	Opened      uint64 `json:"opened"`
	Closed      uint64 `json:"closed"` // for whatever reason
	// What must not happen here.
	Panics        uint64 `json:"panics"`
	LimitHits     uint64 `json:"limitHits"`
	ConnectErrors uint64 `json:"connectErrors"`
}

// SoakIndex is who is in the server's rooms: session ids by room and namespace.
// The room "" is everyone.
type SoakIndex map[string]map[string][]string
