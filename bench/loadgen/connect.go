package loadgen

import (
	"errors"
	"fmt"
	"io"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
)

// connecting has clients that connect by WebSocket, enter the namespace, leave it, close, and begin
// again. parallel of them do so at a time.
func connecting(parallel int) func(*run) error {
	return func(r *run) error {
		r.request = wire.Handshake(r.Server.Addr(), "")
		for range parallel {
			if err := r.visit(); err != nil {
				return err
			}
		}
		return r.window()
	}
}

// visitor is a client of connecting.
type visitor struct {
	wire.WebSocket
	run     *run
	begun   int64
	entered bool
	left    bool
}

// visit begins a visitor. When it has left, the next one begins.
func (r *run) visit() error {
	v := &visitor{run: r, begun: r.Clock()}
	v.WebSocket = wire.WebSocket{User: v, Request: r.request}
	var err error
	v.Conn, err = r.Dial(v)
	return err
}

func (v *visitor) Upgraded() error { return nil }

func (v *visitor) Receive(_ byte, p []byte) error {
	switch {
	case len(p) > 1 && p[0] == '0':
		return v.Write(connectFrame)
	case len(p) > 1 && string(p[:2]) == "40":
		v.entered = true
		return v.Write(goodbyeFrames)
	}
	return fmt.Errorf("loadgen: no namespace but %.100q", p)
}

func (v *visitor) Batch() error { return nil }

func (v *visitor) Goodbye() error {
	if !v.entered {
		return errors.New("loadgen: the server closed the connection of a client that connects")
	}
	v.Finish()
	return v.leave()
}

func (v *visitor) Gone(why error) error {
	switch {
	case v.left:
		return nil
	case !v.entered || why != io.EOF:
		return fmt.Errorf("loadgen: disconnected while connecting: %w", why)
	}
	return v.leave()
}

func (v *visitor) leave() error {
	if v.left {
		return nil
	}
	v.left = true
	v.run.count(v.begun)
	return v.run.visit()
}

// upgrading is connecting with clients that begin with polling, and upgrade to WebSocket before they leave.
func upgrading(parallel int) func(*run) error {
	return func(r *run) error {
		for range parallel {
			if err := r.upgradeOne(); err != nil {
				return err
			}
		}
		return r.window()
	}
}

// idle connects clients that do nothing, and measures the memory that they cost. It does nothing for
// Config.Measure before each measurement.
func idle(clients int) func(*run) error {
	return func(r *run) error {
		memory := func() (float64, error) {
			if err := r.RunFor(r.Measure); err != nil {
				return 0, err
			}
			rss, err := r.Server.RSS()
			return float64(rss) / float64(clients), err
		}
		before, err := memory()
		if err != nil {
			return err
		}
		if err := r.connectAll(clients, handshakes); err != nil {
			return err
		}
		after, err := memory()
		if err != nil {
			return err
		}
		if err := r.Server.Collect(); err != nil {
			return err
		}
		collected, err := memory()
		if err != nil {
			return err
		}
		r.result.Messages = int64(clients)
		r.result.Memory = after - before
		r.result.Collected = collected - before
		return nil
	}
}

// storm connects clients, cuts all of them off at once, and measures until all are back.
func storm(clients, parallel int) func(*run) error {
	return func(r *run) error {
		r.retry = true
		if err := r.connectAll(clients, handshakes); err != nil {
			return err
		}
		if err := r.RunFor(r.Warmup); err != nil {
			return err
		}
		if err := r.Server.Begin(); err != nil {
			return err
		}
		r.result.Retries = 0
		end, err := r.meter()
		if err != nil {
			return err
		}
		for _, c := range r.clients {
			c.Reset()
		}
		r.ready = 0
		r.onReady = func(c *client) error {
			r.count(c.dialed)
			return nil
		}
		for _, c := range r.clients {
			for r.dialing >= parallel {
				if err := r.Step(); err != nil {
					return err
				}
			}
			if err := r.connect(c); err != nil {
				return err
			}
		}
		if err := r.RunUntil(func() bool { return r.ready == clients }); err != nil {
			return err
		}
		if err := end(); err != nil {
			return err
		}
		return r.Server.End()
	}
}
