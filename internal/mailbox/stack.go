package mailbox

// growStack makes room for a job while the stack of its goroutine is nearly empty. To grow
// it deep inside of a handler, again for every event, costs a tenth of an echo.
//
//go:noinline
func growStack() byte {
	var room [2 << 10]byte
	return lastOf(room[:])
}

// GrowStack makes the room that decoding a large job takes. A [Job] that is Large calls
// it when it begins to run.
//
//go:noinline
func GrowStack() byte {
	var room [6 << 10]byte
	return lastOf(room[:])
}

//go:noinline
func lastOf(b []byte) byte { return b[len(b)-1] }
