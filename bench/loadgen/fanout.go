package loadgen

import (
	"bytes"
	"fmt"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

// group is clients that all get a message when one of them sends it.
type group struct {
	sender  *client // it need not be a member
	trigger []byte  // the frame that it sends
	members int
	sent    []int64 // when the messages in flight were sent, a ring
	arrived []int   // how many members each message has reached
	next    int     // how many messages have been sent
}

// fanOut sends messages to groups and counts the deliveries.
type fanOut struct {
	*run
	groups []*group
	due    []*group // the groups that send when everything that was received is handled
	cursor int      // the group that sends next
	prefix []byte
	want   string
}

func newFanOut(r *run) *fanOut {
	f := &fanOut{
		run:    r,
		prefix: fmt.Appendf(nil, "42[%q,", workload.Message),
		want:   fmt.Sprintf("[%q,%q]", workload.Message, workload.Text),
	}
	r.onMessage, r.onBatch = f.message, f.batch
	return f
}

// broadcast keeps messages to everyone in flight. It sends the next one when all clients have the oldest.
func broadcast(clients, inFlight int) func(*run) error {
	return func(r *run) error {
		f := newFanOut(r)
		if err := r.connectAll(clients, handshakes); err != nil {
			return err
		}
		f.add(r.clients, inFlight, fmt.Sprintf("42[%q,%q]", workload.Broadcast, workload.Text))
		return f.start(1, inFlight)
	}
}

// sharedRooms has rooms of equally many clients. active of the rooms have a message in flight.
func sharedRooms(clients, rooms, active int) func(*run) error {
	return func(r *run) error {
		f := newFanOut(r)
		name := func(c *client) string { return fmt.Sprintf("room-%d", c.index%rooms) }
		if err := r.joinAll(clients, func(c *client) []string { return []string{name(c)} }); err != nil {
			return err
		}
		r.onMessage, r.onBatch = f.message, f.batch
		members := make([][]*client, rooms)
		for _, c := range r.clients {
			members[c.index%rooms] = append(members[c.index%rooms], c)
		}
		for _, m := range members {
			f.add(m, 1, fmt.Sprintf("42[%q,%q,%q]", workload.Room, name(m[0]), workload.Text))
		}
		return f.start(active, 1)
	}
}

// ownRooms has clients with several rooms of their own. Each client sends to its rooms in turn, with
// one message in flight.
func ownRooms(clients, rooms int) func(*run) error {
	return func(r *run) error {
		name := func(c *client, i int) string { return fmt.Sprintf("room-%d-%d", c.index, i) }
		err := r.joinAll(clients, func(c *client) []string {
			var names []string
			for i := range rooms {
				names = append(names, name(c, i))
			}
			return names
		})
		if err != nil {
			return err
		}
		f := newFanOut(r)
		triggers := make([][][]byte, clients) // by client and room
		for _, c := range r.clients {
			for i := range rooms {
				text := fmt.Sprintf("42[%q,%q,%q]", workload.Room, name(c, i), workload.Text)
				triggers[c.index] = append(triggers[c.index], wire.TextFrame(text))
			}
			f.add([]*client{c}, 1, "")
			c.group.trigger = triggers[c.index][0]
		}
		f.cursor = clients // each group sends its next message itself
		next := f.batch
		r.onBatch = func(c *client) error {
			c.group.trigger = triggers[c.index][c.group.next%rooms]
			return next(c)
		}
		return f.start(clients, 1)
	}
}

// joinAll connects clients, and makes them join rooms.
func (r *run) joinAll(clients int, rooms func(c *client) []string) error {
	_, err := r.joinOn(r.Server, clients, rooms)
	return err
}

// joinOn is joinAll on one of the servers. It returns the clients.
func (r *run) joinOn(s Server, clients int, rooms func(c *client) []string) ([]*client, error) {
	joined, wanted := 0, 0
	r.onMessage = func(c *client, _ byte, p []byte) error {
		if !bytes.HasPrefix(p, []byte("43")) {
			return fmt.Errorf("loadgen: the server sent %.100q, want the acknowledgement of a join", p)
		}
		joined++
		return nil
	}
	all, err := r.connectTo(s, clients, handshakes)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		for _, name := range rooms(c) {
			wanted++
			if err := c.Write(wire.TextFrame(fmt.Sprintf("42%d[%q,%q]", firstID, workload.Join, name))); err != nil {
				return nil, err
			}
			if err := r.RunUntil(func() bool { return wanted-joined < 1000 }); err != nil {
				return nil, err
			}
		}
	}
	return all, r.RunUntil(func() bool { return joined == wanted })
}

// add adds a group of clients. The first of them sends.
func (f *fanOut) add(clients []*client, inFlight int, trigger string) {
	f.addFrom(clients[0], clients, inFlight, trigger)
}

func (f *fanOut) addFrom(sender *client, clients []*client, inFlight int, trigger string) {
	g := &group{
		sender: sender, members: len(clients), trigger: wire.TextFrame(trigger),
		sent: make([]int64, inFlight), arrived: make([]int, inFlight),
	}
	for _, c := range clients {
		c.group = g
	}
	f.groups = append(f.groups, g)
}

// start makes some groups send, and measures.
func (f *fanOut) start(groups, inFlight int) error {
	groups = min(groups, len(f.groups))
	for _, g := range f.groups[:groups] {
		for range inFlight {
			f.due = append(f.due, g)
		}
	}
	if f.cursor == 0 {
		f.cursor = groups % len(f.groups)
	}
	if err := f.sendDue(); err != nil {
		return err
	}
	return f.window()
}

func (f *fanOut) message(c *client, _ byte, p []byte) error {
	if !bytes.HasPrefix(p, f.prefix) || c.group == nil {
		return fmt.Errorf("loadgen: the server sent %.100q, want %s", p, f.want)
	}
	if !c.checked {
		if err := check(p, f.want); err != nil {
			return err
		}
		c.checked = true
	}
	g := c.group
	slot := c.got % len(g.sent)
	c.got++
	f.count(g.sent[slot])
	if g.arrived[slot]++; g.arrived[slot] < g.members {
		return nil
	}
	g.arrived[slot] = 0
	if f.cursor < len(f.groups) { // another group's turn
		g = f.groups[f.cursor]
		if f.cursor++; f.cursor == len(f.groups) {
			f.cursor = 0
		}
	}
	f.due = append(f.due, g)
	return nil
}

func (f *fanOut) batch(*client) error { return f.sendDue() }

// sendDue sends the messages that are due, those of a client in one piece.
func (f *fanOut) sendDue() error {
	for i := 0; i < len(f.due); {
		g := f.due[i]
		out := g.trigger
		n := 1
		for i+n < len(f.due) && f.due[i+n] == g {
			if n == 1 {
				out = bytes.Clone(out)
			}
			out = append(out, g.trigger...)
			n++
		}
		now := f.Clock()
		for range n {
			g.sent[g.next%len(g.sent)] = now
			g.next++
		}
		if err := g.sender.Write(out); err != nil {
			return err
		}
		i += n
	}
	f.due = f.due[:0]
	return nil
}
