package loadgen

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

const (
	burst  = 256 // messages, the last of which has a recipient
	bursts = 2   // in flight
)

// elsewhere publishes messages for rooms without members, which the server receives and must
// ignore. The other server emits each of them once. Then it is stopped, and its messages are
// published again and again.
func elsewhere(rooms, texts int) func(*run) error {
	return func(r *run) error {
		members, err := r.joinOn(r.Server, 1, func(*client) []string { return []string{probeRoom} })
		if err != nil {
			return err
		}
		senders, err := r.connectTo(r.Fleet.Other, 1, handshakes)
		if err != nil {
			return err
		}
		if err := r.reach(senders[0], members[0]); err != nil {
			return err
		}
		batch, err := r.record(senders[0], members[0], rooms, strings.Repeat(workload.Text, texts))
		if err != nil {
			return err
		}
		senders[0].Close()
		r.Fleet.Other.Stop()
		r.Fleet.Other = nil

		p := &publisher{}
		if p.Conn, err = r.DialTo(r.Fleet.Redis, p); err != nil {
			return err
		}
		if err := r.RunUntil(func() bool { return p.open }); err != nil {
			return err
		}
		r.onMessage = func(*client, byte, []byte) error {
			r.done += burst
			return p.Write(batch)
		}
		for range bursts {
			if err := p.Write(batch); err != nil {
				return err
			}
		}
		return r.window()
	}
}

// record makes a client emit to rooms without members, and to probeRoom. It returns commands that
// publish the same messages again, as one burst.
func (r *run) record(from, to *client, rooms int, text string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	redis := goredis.NewClient(&goredis.Options{Addr: r.Fleet.Redis})
	defer redis.Close()
	all := redis.PSubscribe(ctx, "*")
	defer all.Close()
	if _, err := all.Receive(ctx); err != nil {
		return nil, err
	}
	delivered := false
	r.onMessage = func(c *client, _ byte, p []byte) error {
		delivered = true
		if c != to {
			return fmt.Errorf("loadgen: %.100q came to the wrong client", p)
		}
		return check(p, fmt.Sprintf("[%q,%q]", workload.Message, text))
	}
	published := func(room string) ([]byte, error) {
		if err := from.Write(wire.TextFrame(fmt.Sprintf("42[%q,%q,%q]", workload.Room, room, text))); err != nil {
			return nil, err
		}
		for {
			m, err := all.ReceiveMessage(ctx)
			if err != nil {
				return nil, fmt.Errorf("loadgen: a message to %s on Redis: %w", room, err)
			}
			if strings.Contains(m.Payload, text) { // the servers exchange other messages, too
				return publish(m.Channel, m.Payload), nil
			}
		}
	}
	var commands [][]byte
	for i := range rooms {
		command, err := published(fmt.Sprintf("elsewhere-%d", i))
		if err != nil {
			return nil, err
		}
		commands = append(commands, command)
	}
	last, err := published(probeRoom)
	if err != nil {
		return nil, err
	}
	var batch bytes.Buffer
	for i := range burst - 1 {
		batch.Write(commands[i%rooms])
	}
	batch.Write(last)
	return batch.Bytes(), r.RunUntil(func() bool { return delivered })
}

// publish returns a command for Redis.
func publish(channel, message string) []byte {
	return fmt.Appendf(nil, "*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(channel), channel, len(message), message)
}

// publisher is a connection with Redis.
type publisher struct {
	*wire.Conn
	open bool
}

func (p *publisher) Opened() { p.open = true }

func (p *publisher) Received(b []byte) (int, error) {
	if i := bytes.IndexByte(b, '-'); i >= 0 { // the rest are numbers
		return 0, fmt.Errorf("loadgen: Redis says %.200q", b[i:])
	}
	return len(b), nil
}

func (p *publisher) Closed(err error) error {
	return fmt.Errorf("loadgen: Redis closed the connection: %w", err)
}
