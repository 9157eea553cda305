package engineio

// Receiver gets what arrives on one connection and hears of its life. The engine
// calls Message, Upgraded and Closed one at a time. They must not block: they run
// on the goroutine that reads from the client.
//
// A type that wraps a Receiver embeds it, and so passes on every call that it does
// not change. ReceiverFuncs makes a Receiver of functions.
type Receiver interface {
	// Message gets the next message, in the order in which the client sent
	// them. data is valid only until Message returns.
	//
	// The channel it returns is usually nil. With any other the engine reads
	// nothing more from this client until the channel is closed or the connection
	// ends: a WebSocket is not read, and a POST is answered, after the rest of its
	// packets, when there is room. Meanwhile the client is still pinged, but a
	// missing answer does not count against it. Closed does not wait for the channel.
	Message(data []byte, binary bool) (room <-chan struct{})
	// Upgraded is called when the connection goes on as WebSocket, before the
	// first Message that comes over it. It is not called when the connection has ended.
	Upgraded()
	// Drain is called, at most once, when it is the connection's turn to end
	// because of Server.Shutdown. If it returns false, the engine closes the
	// connection. With true it leaves that to the Receiver, which finishes its work
	// and then calls Conn.Close with ReasonServerShutdown. Drain must not block,
	// and may be called while Message runs.
	Drain() (busy bool)
	// Closed is called exactly once, after the last Message has returned, and
	// never from inside Send or Close. err is a detail and may be nil.
	Closed(reason Reason, err error)
}

// ReceiverFuncs is a Receiver that calls functions. Each may be nil: then the
// event has no effect, and Shutdown closes the connection at once. A Receiver that
// needs only some of the methods may embed it.
type ReceiverFuncs struct {
	OnMessage  func(data []byte, binary bool) (room <-chan struct{}) // see Receiver.Message
	OnUpgraded func()                                                // see Receiver.Upgraded
	OnDrain    func() (busy bool)                                    // see Receiver.Drain
	OnClosed   func(reason Reason, err error)                        // see Receiver.Closed
}

var _ Receiver = ReceiverFuncs{}

// Message calls OnMessage.
func (f ReceiverFuncs) Message(data []byte, binary bool) (room <-chan struct{}) {
	if f.OnMessage == nil {
		return nil
	}
	return f.OnMessage(data, binary)
}

// Upgraded calls OnUpgraded.
func (f ReceiverFuncs) Upgraded() {
	if f.OnUpgraded != nil {
		f.OnUpgraded()
	}
}

// Drain calls OnDrain.
func (f ReceiverFuncs) Drain() (busy bool) { return f.OnDrain != nil && f.OnDrain() }

// Closed calls OnClosed.
func (f ReceiverFuncs) Closed(reason Reason, err error) {
	if f.OnClosed != nil {
		f.OnClosed(reason, err)
	}
}
