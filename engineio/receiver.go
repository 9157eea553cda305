package engineio

// Receiver gets what arrives on one connection, and learns of its upgrade and its
// end. The engine calls Message, Upgraded, Confirmed and Closed one at a time. They must
// not block: they run on the goroutine that reads from the client.
//
// A type that wraps a Receiver embeds it, and so passes on every call that it does
// not change. ReceiverFuncs is a Receiver made of functions.
type Receiver interface {
	// Message gets the messages in the order in which the client sent them. data is
	// valid only until Message returns.
	//
	// Message usually returns nil. If it returns a channel, the engine reads nothing
	// more from this client until the channel is closed or the connection ends: it
	// stops reading the WebSocket, or delays the remaining packets of the POST and its
	// answer. Meanwhile it still pings the client, but a missing answer does not count
	// against the client. Closed does not wait for the channel.
	Message(data []byte, binary bool) (room <-chan struct{})
	// Upgraded is called when an upgrade to WebSocket has been completed, before the
	// first Message over the WebSocket. It is not called if the connection has ended.
	Upgraded()
	// Confirmed is called when the client has answered a PING: it has received all
	// messages up to a number that Conn.SendNumbered returned. The number may be that of
	// an earlier call, or 0. Only connections that send messages with numbers call it.
	Confirmed(number uint64)
	// Drain is called at most once, when Server.Shutdown is about to end the
	// connection. If Drain returns false, the engine closes the connection. If it
	// returns true, the Receiver finishes its work and then calls Conn.Close with
	// ReasonServerShutdown. Drain must not block, and may be called while Message runs.
	Drain() (busy bool)
	// Closed is called exactly once, after the last Message has returned, and
	// never from inside Send or Close. err is a detail and may be nil.
	Closed(reason Reason, err error)
}

// ReceiverFuncs is a Receiver that calls functions. A function that is nil is not
// called; without OnDrain, Shutdown closes the connection at once. A Receiver that
// needs only some of the methods may embed ReceiverFuncs.
type ReceiverFuncs struct {
	OnMessage   func(data []byte, binary bool) (room <-chan struct{}) // see Receiver.Message
	OnUpgraded  func()                                                // see Receiver.Upgraded
	OnConfirmed func(number uint64)                                   // see Receiver.Confirmed
	OnDrain     func() (busy bool)                                    // see Receiver.Drain
	OnClosed    func(reason Reason, err error)                        // see Receiver.Closed
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

// Confirmed calls OnConfirmed.
func (f ReceiverFuncs) Confirmed(number uint64) {
	if f.OnConfirmed != nil {
		f.OnConfirmed(number)
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
