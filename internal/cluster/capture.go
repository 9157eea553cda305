package cluster

import (
	"errors"
	"math"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// Capture has the messages that a server receives, from the others and from itself, between two moments. It is
// for a client that moves from another server: the captured messages have not reached it on the other server,
// and could not reach it on this one yet.
//
// The messages are kept as they came, once for all Captures of a server, and are read when they are
// replayed.
type Capture struct {
	c     *Cluster
	state captureState // guarded by Cluster.turn, as what follows
	begin uint64       // the number of its first message
	after broker.Position
}

type captureState uint8

const (
	captureIdle captureState = iota // it has not begun
	captureOn
	captureOwn  // it goes on with this server's own messages
	captureOver // ended, or failed
)

// Listener gets the messages of a Capture. Its methods do not wait.
type Listener interface {
	// Interested, Event and Command are as in Host.
	Interested(e *wire.Event) bool
	Event(e *wire.Event, q *Question) error
	Command(c wire.Command) error
	// Order carries out the content of an order to all servers.
	Order(content []byte)
}

// ErrNotCaptured: not everything could be captured. The subscription was lost, and the broker does not keep a history that
// reaches back to that, or there was more than Options.CaptureLimit.
var ErrNotCaptured = errors.New("socketio: messages of other servers that arrived meanwhile could not be kept")

// NewCapture returns a Capture that has not begun.
func (c *Cluster) NewCapture() *Capture { return &Capture{c: c} }

// Begin makes the Capture keep everything that comes after the message that is being received. The
// goroutine that receives calls it, as it calls fleet.Question.Passed.
func (p *Capture) Begin() {
	if t := &p.c.recording; p.state == captureIdle {
		p.state, p.begin = captureOn, t.next()
		if t.captures == nil {
			t.captures = make(map[*Capture]struct{})
		}
		t.captures[p] = struct{}{}
	}
}

// SkipTo leaves out the messages that are in the history up to a position. It is called before Replay.
func (p *Capture) SkipTo(at broker.Position) { p.after = at }

// Replay carries out for l what has been captured, in order, and then calls live. Later messages of other
// servers are received after live has returned. If Replay returns an error, it has not called live. Errors
// of the Listener are ignored.
//
// Messages that this server had published before may still arrive. From now on the Capture has only these,
// for ReplayOwn.
func (p *Capture) Replay(l Listener, live func()) error {
	c := p.c
	c.turn.Lock()
	defer c.turn.Unlock()
	if p.state != captureOn {
		c.recording.end(p)
		return ErrNotCaptured
	}
	for i := p.begin - c.recording.first; i < uint64(len(c.recording.messages)); i++ {
		if m := c.recording.messages[i]; m.at == "" || m.at > p.after {
			c.replay(m, l)
		}
	}
	p.state, p.begin = captureOwn, c.recording.next()
	c.recording.forget()
	live()
	return nil
}

// ReplayOwn carries out for l the messages of this server that have arrived since Replay, or since the last
// ReplayOwn. The goroutine that receives calls it, as it calls Begin, when a mark has arrived that this
// server published after them.
func (p *Capture) ReplayOwn(l Listener) error {
	c := p.c
	if p.state != captureOwn {
		return ErrNotCaptured
	}
	for i := p.begin - c.recording.first; i < uint64(len(c.recording.messages)); i++ {
		if m := c.recording.messages[i]; c.isOwn(m) {
			c.replay(m, l)
		}
	}
	p.begin = c.recording.next()
	c.recording.forget()
	return nil
}

// isOwn reports whether this server has published a message.
func (c *Cluster) isOwn(m captured) bool {
	if m.channel == c.membersChannel {
		host, _, _ := fleet.ReadOrder(m.data)
		return host == c.opts.ID
	}
	return m.own
}

// Ended reports whether the Capture has ended, or has failed: something that has come since Begin is lost.
func (p *Capture) Ended() bool {
	p.c.turn.Lock()
	defer p.c.turn.Unlock()
	return p.state == captureOver
}

// End ends the Capture, if that has not happened.
func (p *Capture) End() {
	p.c.turn.Lock()
	defer p.c.turn.Unlock()
	p.c.recording.end(p)
}

// replay carries out one message for l, with c.turn held.
func (c *Cluster) replay(m captured, l Listener) {
	if m.channel == c.membersChannel {
		if _, content, ok := fleet.ReadOrder(m.data); ok {
			l.Order(content)
		}
		return
	}
	// A message that cannot be read was counted when it came. The wire does not recognise this
	// server's own messages, so that l gets them, too.
	_, _ = c.opts.Replay.Read(m.channel, m.data, &listening{c, l, m.at})
}

// listening is a Listener as a wire sees it.
type listening struct {
	c *Cluster
	Listener
	at broker.Position // of the message
}

func (r *listening) Event(e *wire.Event, wq *wire.Question) error {
	e.At = string(r.at)
	if wq == nil {
		return r.Listener.Event(e, nil)
	}
	return r.Listener.Event(e, r.c.newQuestion(wq))
}

func (r *listening) Answer(*wire.Answer) error { return nil }
func (r *listening) Cancel(host, id string)    { r.c.questions.cancel(questionKey{host, id}) }

// captured is a message in the form in which it came.
type captured struct {
	channel string
	data    []byte
	at      broker.Position // without a broker.History: empty
	own     bool            // this server has published it; not known on the members' channel
}

// capturedOverhead is what a message counts besides its bytes.
const capturedOverhead = 64

func (m captured) size() int { return len(m.data) + capturedOverhead }

// recording has the messages that Captures need. Cluster.turn guards it.
type recording struct {
	captures map[*Capture]struct{} // those that have begun
	messages []captured
	first    uint64 // the number of messages[0]
	size     int    // bytes
}

func (t *recording) next() uint64 { return t.first + uint64(len(t.messages)) }

// add keeps a message. If there are too many, the Captures that began first fail.
func (t *recording) add(channel string, data []byte, at broker.Position, limit int) {
	m := captured{channel: channel, data: append([]byte(nil), data...), at: at}
	t.messages = append(t.messages, m)
	for t.size += m.size(); t.size > limit && len(t.captures) > 0; {
		oldest := t.oldest()
		for p := range t.captures {
			if p.begin == oldest {
				t.end(p)
			}
		}
	}
}

// markOwn notes that this server has published the last message.
func (t *recording) markOwn() {
	if n := len(t.messages); n > 0 {
		t.messages[n-1].own = true
	}
}

// oldest returns where the Capture that began first has begun.
func (t *recording) oldest() uint64 {
	first := uint64(math.MaxUint64)
	for p := range t.captures {
		first = min(first, p.begin)
	}
	return first
}

// end ends a Capture.
func (t *recording) end(p *Capture) {
	p.state = captureOver
	if _, on := t.captures[p]; !on {
		return
	}
	delete(t.captures, p)
	t.forget()
}

// forget forgets what no Capture needs.
func (t *recording) forget() {
	if len(t.captures) == 0 {
		t.first, t.messages, t.size = t.next(), nil, 0
		return
	}
	unused := t.oldest() - t.first
	for i := range unused {
		t.size -= t.messages[i].size()
		t.messages[i] = captured{}
	}
	t.messages = t.messages[unused:]
	t.first += unused
}

// endAll makes all Captures fail.
func (t *recording) endAll() {
	for p := range t.captures {
		t.end(p)
	}
}
