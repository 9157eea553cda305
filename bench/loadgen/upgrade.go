package loadgen

import (
	"errors"
	"fmt"
	"io"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
)

var (
	probeFrame    = wire.TextFrame("2probe")
	upgradedFrame = append(wire.TextFrame("5"), goodbyeFrames...)
)

// upgrader is a client that connects by polling, moves to WebSocket and leaves.
type upgrader struct {
	run    *run
	poller *poller
	ws     wire.WebSocket
	begun  int64
	probed bool // the server has answered the probe
	polled bool // the server has answered the poll that was waiting
	said   bool // the client has said goodbye
	left   bool
}

// upgradeOne begins a client. When it has left, the next one begins.
func (r *run) upgradeOne() error {
	u := &upgrader{run: r, begun: r.Clock()}
	u.poller = &poller{run: r, ready: u.probe}
	return u.poller.connect()
}

// probe opens the WebSocket while a poll waits, as a browser does.
func (u *upgrader) probe() error {
	u.poller.get.Response = func([]byte) error {
		u.polled = true
		return u.finish()
	}
	if err := u.poller.get.Do(u.poller.poll); err != nil {
		return err
	}
	u.ws = wire.WebSocket{User: u, Request: wire.Handshake(u.run.Server.Addr(), u.poller.sid)}
	var err error
	u.ws.Conn, err = u.run.Dial(&u.ws)
	return err
}

func (u *upgrader) Upgraded() error { return u.ws.Write(probeFrame) }

func (u *upgrader) Receive(_ byte, p []byte) error {
	switch {
	case string(p) == "3probe":
		u.probed = true
		return u.finish()
	case !u.probed:
		return fmt.Errorf("loadgen: the probe was answered with %.100q", p)
	}
	return nil
}

func (u *upgrader) Batch() error { return nil }

// finish completes the upgrade when the probe and the poll have been answered, and closes.
func (u *upgrader) finish() error {
	if !u.probed || !u.polled || u.said {
		return nil
	}
	u.said = true
	return u.ws.Write(upgradedFrame)
}

func (u *upgrader) Goodbye() error {
	if !u.said {
		return errors.New("loadgen: the server closed the connection during an upgrade")
	}
	u.ws.Finish()
	return u.leave()
}

func (u *upgrader) Gone(why error) error {
	switch {
	case u.left:
		return nil
	case !u.said || why != io.EOF:
		return fmt.Errorf("loadgen: disconnected during an upgrade: %w", why)
	}
	return u.leave()
}

func (u *upgrader) leave() error {
	if u.left {
		return nil
	}
	u.left = true
	u.run.count(u.begun)
	u.poller.close()
	return u.run.upgradeOne()
}
