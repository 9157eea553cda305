package loadgen

import (
	"bytes"
	"fmt"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

// firstID is the first ack id: two digits make all packets equally long.
const firstID = 10

// echo keeps messages in flight on each client and counts the answers.
func echo(clients, inFlight int, event string) func(*run) error {
	return func(r *run) error {
		e := newEcho(inFlight, event)
		r.onMessage = e.message
		r.onBatch = func(c *client) error {
			n := c.answers
			c.answers = 0
			return e.send(c, n)
		}
		if err := r.connectAll(clients, handshakes); err != nil {
			return err
		}
		for _, c := range r.clients {
			c.sent = make([]int64, inFlight)
			if err := e.send(c, inFlight); err != nil {
				return err
			}
		}
		return r.window()
	}
}

// echoer is a scenario in which the server answers every message to its sender.
type echoer struct {
	frames []byte // the frames of all messages in flight, twice, so that any run of them is in one piece
	size   int    // of one
	slots  int
	answer []byte // the beginning of the packet that answers
	header []byte // the beginning of a packet to ignore, because its attachment is the answer
	want   string // the arguments of the answer
}

func newEcho(inFlight int, event string) *echoer {
	e := &echoer{slots: inFlight, answer: []byte("43")}
	for i := range 2 * inFlight {
		id := firstID + i%inFlight
		var frame []byte
		switch event {
		case workload.EchoBinary:
			frame = wire.TextFrame(fmt.Sprintf(`451-%d[%q,{"_placeholder":true,"num":0}]`, id, event))
			frame = wire.AppendFrame(frame, wire.OpBinary, workload.Binary)
			e.answer, e.header = workload.Binary, []byte("461-")
		case workload.EchoJSON, workload.EchoRaw:
			e.want = "[" + string(workload.OrderJSON) + "]"
			frame = wire.TextFrame(fmt.Sprintf("42%d[%q,%s]", id, event, workload.OrderJSON))
		default:
			e.want = fmt.Sprintf("[%q]", workload.Text)
			frame = wire.TextFrame(fmt.Sprintf("42%d[%q,%q]", id, event, workload.Text))
		}
		e.frames = append(e.frames, frame...)
		e.size = len(frame)
	}
	return e
}

// send sends the next n messages, in one piece.
func (e *echoer) send(c *client, n int) error {
	if n == 0 {
		return nil
	}
	from := c.next
	for range n {
		c.sent[c.next] = c.Now
		if c.next++; c.next == e.slots {
			c.next = 0
		}
	}
	return c.Write(e.frames[from*e.size : (from+n)*e.size])
}

func (e *echoer) message(c *client, op byte, p []byte) error {
	if e.header != nil && op == wire.OpText && bytes.HasPrefix(p, e.header) {
		return nil
	}
	if !bytes.HasPrefix(p, e.answer) {
		return fmt.Errorf("loadgen: the server sent %.100q, want an acknowledgement %.50q", p, e.answer)
	}
	if !c.checked && e.want != "" {
		if err := check(p, e.want); err != nil {
			return err
		}
		c.checked = true
	}
	c.run.count(c.sent[c.oldest])
	if c.oldest++; c.oldest == e.slots {
		c.oldest = 0
	}
	c.answers++
	return nil
}

// pollingEcho is echo over polling, with one message in flight: a POST, and the GET that brings the
// answer.
func pollingEcho(clients int) func(*run) error {
	return func(r *run) error {
		ready := 0
		var all []*pollingClient
		for range clients {
			c := &pollingClient{}
			c.poller = poller{run: r, event: c.answered, sent: c.posted}
			c.ready = func() error { ready++; return nil }
			all = append(all, c)
			if err := c.connect(); err != nil {
				return err
			}
		}
		if err := r.RunUntil(func() bool { return ready == clients }); err != nil {
			return err
		}
		for _, c := range all {
			c.request = wire.Post(c.addr, c.sid, fmt.Sprintf("42%d[%q,%q]", firstID, workload.Echo, workload.Text))
			if err := c.next(); err != nil {
				return err
			}
		}
		return r.window()
	}
}

type pollingClient struct {
	poller
	request []byte
	begun   int64
	half    bool // the POST has been answered, or the answer has come
	checked bool
}

func (c *pollingClient) next() error {
	c.begun = c.run.Now
	return c.post.Do(c.request)
}

func (c *pollingClient) answered(p []byte) error {
	if !bytes.HasPrefix(p, []byte("43")) {
		return fmt.Errorf("loadgen: the server sent %.100q, want an acknowledgement", p)
	}
	if !c.checked {
		if err := check(p, fmt.Sprintf("[%q]", workload.Text)); err != nil {
			return err
		}
		c.checked = true
	}
	c.run.count(c.begun)
	return c.posted()
}

// posted is called for both halves of an exchange: the answer to the POST, and that to the GET.
func (c *pollingClient) posted() error {
	if c.half = !c.half; c.half {
		return nil
	}
	return c.next()
}
