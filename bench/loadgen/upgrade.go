package loadgen

import (
	"errors"
	"fmt"
	"io"
)

var (
	probeFrame    = textFrame("2probe")
	upgradedFrame = append(textFrame("5"), goodbyeFrames...)
)

// upgrader is a client that connects by polling, moves to WebSocket and leaves.
type upgrader struct {
	run    *run
	poller *poller
	ws     websocket
	begun  int64
	probed bool // the server has answered the probe
	polled bool // and the poll that was waiting
	said   bool // goodbye
	left   bool
}

// upgradeOne begins a client that, once it has left, is followed by another.
func (r *run) upgradeOne() error {
	u := &upgrader{run: r, begun: r.clock()}
	u.poller = &poller{run: r, ready: u.probe}
	return u.poller.connect()
}

// probe opens the WebSocket, with a poll waiting as a browser has it.
func (u *upgrader) probe() error {
	u.poller.get.response = func([]byte) error {
		u.polled = true
		return u.finish()
	}
	if err := u.poller.get.do(u.poller.poll); err != nil {
		return err
	}
	u.ws = websocket{user: u, request: handshake(u.run.Server.Addr(), u.poller.sid)}
	var err error
	u.ws.conn, err = u.run.dial(&u.ws)
	return err
}

func (u *upgrader) upgrade() error { return u.ws.write(probeFrame) }

func (u *upgrader) receive(_ byte, p []byte) error {
	switch {
	case string(p) == "3probe":
		u.probed = true
		return u.finish()
	case !u.probed:
		return fmt.Errorf("loadgen: the probe was answered with %.100q", p)
	}
	return nil
}

func (u *upgrader) batch() error { return nil }

// finish completes the upgrade once the probe and the poll are answered, and
// closes.
func (u *upgrader) finish() error {
	if !u.probed || !u.polled || u.said {
		return nil
	}
	u.said = true
	return u.ws.write(upgradedFrame)
}

func (u *upgrader) goodbye() error {
	if !u.said {
		return errors.New("loadgen: the server closed the connection during an upgrade")
	}
	u.ws.finish()
	return u.leave()
}

func (u *upgrader) gone(why error) error {
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
