package websock

import "sync/atomic"

// The flags of a Conn.
const (
	// closeSent means that no message may follow: a close frame has been written or
	// is in control, or the connection has ended. It is set with Conn.mu held, except
	// by Close.
	closeSent    uint32 = 1 << iota
	closeWritten        // the network has taken the close frame
	ending              // AwaitClose was called
	parked              // nobody reads, see Park
)

// flags are bits that any goroutine may read and change.
type flags struct{ bits atomic.Uint32 }

func (f *flags) has(flag uint32) bool { return f.bits.Load()&flag != 0 }

// set reports whether the flag was set before.
func (f *flags) set(flag uint32) (before bool) { return f.bits.Or(flag)&flag != 0 }

// clear reports whether the flag was set before.
func (f *flags) clear(flag uint32) (before bool) { return f.bits.And(^flag)&flag != 0 }
