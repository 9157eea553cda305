package engineio

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
)

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

var (
	errClientClosed = errors.New("engineio: the client sent a CLOSE packet")
	errClientPing   = errors.New("engineio: the client sent a PING: in revision 4 of the protocol only the server sends them")
)

// maxControls is how many packets of one POST may be no messages; clients send a few. The
// server has to keep the whole body in memory, which Options.Limits.PostBudget bounds for all
// clients together, while Options.Limits.ControlRate has it wait before the next packet.
const maxControls = 2000

var errControls = &parseError{"a POST with more than 2,000 packets that are no messages"}

// controls counts the packets of one POST that are no messages.
type controls int

// add counts a packet that came as text, if it is no message. It returns an error if there are
// too many.
func (n *controls) add(packet []byte) error {
	if len(packet) > 0 && (packet[0] == protocol.Message || packet[0] == protocol.Base64) {
		return nil
	}
	if *n++; *n > maxControls {
		return errControls
	}
	return nil
}

var errNotUTF8 = &parseError{"the POST is not UTF-8"}

// parseError says why a message is not a packet.
type parseError struct{ what string }

func (e *parseError) Error() string { return "engineio: " + e.what }

// receivePayload handles the packets in the body of a POST, in order. It waits while
// the Receiver has no room. If it returns an error, it has delivered the packets in
// front of the faulty one.
func (c *Conn) receivePayload(p *pollState, body []byte) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	c.recvMu.Lock()
	defer c.recvMu.Unlock()
	for others := controls(0); ; {
		packet, rest, more := bytes.Cut(body, []byte{protocol.Separator})
		if err := others.add(packet); err != nil {
			return err
		}
		room, err := c.receivePacket(packet)
		if err != nil {
			return err
		}
		if room != nil {
			c.recvMu.Unlock()
			c.awaitRoom(room)
			c.recvMu.Lock()
		}
		if !more {
			return nil
		}
		body = rest
	}
}

// receivePacket handles one packet that came as text (protocol: "Packet
// encoding"). The caller holds recvMu. For an error, the caller ends the connection
// with endFor. If room is not nil, the caller waits with awaitRoom before it reads on.
func (c *Conn) receivePacket(p []byte) (room <-chan struct{}, err error) {
	if len(p) == 0 {
		return nil, &parseError{"empty packet"}
	}
	switch p[0] {
	case protocol.Message:
		return c.deliverMessage(p[1:], false), nil
	case protocol.Base64:
		data, err := base64.StdEncoding.AppendDecode(nil, p[1:])
		if err != nil {
			return nil, &parseError{"binary message is not base64: " + err.Error()}
		}
		return c.deliverMessage(data, true), nil
	case protocol.Pong:
		expected, confirms := c.pong()
		switch {
		case !expected:
			return c.control(), nil
		case confirms:
			c.confirm()
		}
	case protocol.Close:
		return nil, errClientClosed
	case protocol.Ping:
		return nil, errClientPing
	case protocol.Open, protocol.Upgrade, protocol.Noop:
		// From a client they mean nothing and do no harm.
		return c.control(), nil
	default:
		return nil, &parseError{fmt.Sprintf("unknown packet type %q", p[0])}
	}
	return nil, nil
}

// endFor ends the connection for an error of receivePacket or receivePayload. It
// alone decides which reason and which ending such an error has.
func (c *Conn) endFor(err error) {
	var parse *parseError
	switch {
	case errors.Is(err, errClientClosed):
		c.end(ReasonClientDisconnect, nil, deliver)
	case errors.As(err, &parse):
		c.end(ReasonParseError, err, refused)
	default:
		c.end(ReasonTransportError, err, refused)
	}
}

// deliverMessage calls the Receiver, unless the connection has ended. The caller holds
// recvMu.
func (c *Conn) deliverMessage(data []byte, binary bool) (room <-chan struct{}) {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		c.guard("Message", func() { room = c.receiver.Message(data, binary) })
	}
	return room
}

// guard calls f, which is code of the application, on a goroutine of the server. There
// a panic would end the process, and runtime.Goexit the reader of the connection; guard
// ends the connection instead. what names the code in the log.
func (c *Conn) guard(what string, f func()) {
	returned := false
	defer func() {
		if v := recover(); v != nil {
			c.srv.logPanic(what, v)
			c.end(ReasonServerDisconnect, errPanic, deliver)
		} else if !returned {
			c.end(ReasonServerDisconnect, errGoexit, deliver)
		}
	}()
	f()
	returned = true
}
