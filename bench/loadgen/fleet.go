package loadgen

import (
	"fmt"
	"time"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

// usage returns the CPU time that the other server and Redis have used, zero without a Fleet.
func (f *Fleet) usage() (other, redis time.Duration, err error) {
	if f == nil {
		return 0, 0, nil
	}
	if f.Other != nil {
		if other, err = f.Other.CPU(); err != nil {
			return 0, 0, err
		}
	}
	redis, err = f.CPU()
	return other, redis, err
}

// probeRoom is the room of one client of the server that receives.
const probeRoom = "probe"

// cross has rooms of equally many clients on one server. Clients of the other server send to them.
// Either server can be measured.
func cross(clients, rooms, inFlight int, measureSender bool) func(*run) error {
	return func(r *run) error {
		var from Server = r.Fleet.Other
		to := r.Server
		if measureSender {
			from, to = to, from
		}
		f := newFanOut(r)
		name := func(c *client) string { return fmt.Sprintf("room-%d", c.index%rooms) }
		members, err := r.joinOn(to, clients, func(c *client) []string {
			if c.index == 0 {
				return []string{name(c), probeRoom}
			}
			return []string{name(c)}
		})
		if err != nil {
			return err
		}
		senders, err := r.connectTo(from, rooms, handshakes)
		if err != nil {
			return err
		}
		if err := r.reach(senders[0], members[0]); err != nil {
			return err
		}
		r.onMessage, r.onBatch = f.message, f.batch
		for i, sender := range senders {
			var in []*client
			for _, c := range members {
				if c.index%rooms == i {
					in = append(in, c)
				}
			}
			f.addFrom(sender, in, inFlight, fmt.Sprintf("42[%q,%q,%q]", workload.Room, name(in[0]), workload.Text))
		}
		f.cursor = rooms // each group sends its next message itself
		return f.start(rooms, inFlight)
	}
}

// probes is the time between two probes, see reach.
const probes = 50 * time.Millisecond

// reach waits until what one client sends reaches the other one. Some servers subscribe only when
// they have a client.
func (r *run) reach(from, to *client) error {
	sent, got := 0, 0
	r.onMessage = func(c *client, _ byte, p []byte) error {
		if _, err := fmt.Sscanf(string(p), fmt.Sprintf(`42[%q,"%%d"]`, workload.Message), &got); err != nil || c != to {
			return fmt.Errorf("loadgen: the server sent %.100q, want a probe", p)
		}
		return nil
	}
	var probe func()
	probe = func() {
		if got > 0 {
			return
		}
		sent++
		if err := from.Write(wire.TextFrame(fmt.Sprintf(`42[%q,%q,"%d"]`, workload.Room, probeRoom, sent))); err != nil {
			r.Fail(err)
		}
		r.After(probes, probe)
	}
	probe()
	return r.RunUntil(func() bool { return got > 0 && got == sent })
}
