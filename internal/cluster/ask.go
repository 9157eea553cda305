package cluster

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/wire"
	"github.com/seed-d124fa34/socketio/parser"
)

// ask is an Ask that waits for answers. Cluster.mu guards it.
type ask struct {
	Ask
	clients  map[string]string   // those of Clients that have not answered or left
	answered map[string]struct{} // without Clients and Named: those that have answered
	answers  int                 // without Clients and Named: how many have come
	until    time.Time           // when the Timeout is over; zero without
	expiry   *time.Timer         // nil if nothing happens then
}

// known reports whether it is known who is asked.
func (a *Ask) known() bool { return a.Clients != nil || a.Named != "" }

// emitAsking publishes an event that clients are to acknowledge.
func (c *Cluster) emitAsking(e *wire.Event, a *Ask) error {
	if !c.expect(a) {
		return ErrClosed
	}
	asks := wire.Ask{ID: a.ID, Timeout: a.Timeout, Failures: a.Failures}
	hosts := make(map[string][]string) // the clients of each server
	for sid, host := range a.Clients {
		hosts[host] = append(hosts[host], sid)
	}
	if a.Named != "" {
		hosts[""] = []string{a.Named}
	}
	if !a.known() || len(hosts) == 1 && hosts[""] != nil { // their server is not known
		with := *e
		with.Ask = &asks
		err := c.publishReporting(&with, c.notAsked(a.ID, hosts[""]))
		if err != nil {
			c.forget(a.ID)
		}
		return err
	}
	for host, all := range hosts {
		for sids := range slices.Chunk(all, maxAsked) {
			c.askClients(e, asks, host, sids)
		}
	}
	return nil
}

// Expect waits for the answers of clients, see Adapter.
func (c *Cluster) Expect(a *Ask, host string) error {
	if !c.expect(a) {
		return ErrClosed
	}
	if err := c.Members.Reachable(host); err != nil {
		c.forget(a.ID)
		return err
	}
	return nil
}

// maxAsked is how many clients of one server one message asks. Their session ids take about 50 KB,
// which every broker accepts.
const maxAsked = 2000

// askClients publishes an event for clients of one server.
func (c *Cluster) askClients(e *wire.Event, ask wire.Ask, host string, sids []string) {
	with := *e
	with.Everyone, with.Rooms, with.Skip, with.Except = false, sids, nil, nil
	ask.Home = host
	with.Ask = &ask
	err := c.publishReporting(&with, c.notAsked(ask.ID, sids))
	if err == nil && host != "" {
		err = c.Members.Reachable(host)
	}
	if err != nil {
		c.fail(ask.ID, sids, err)
	}
}

// notAsked returns a function to call if the clients were not asked after all.
func (c *Cluster) notAsked(id uint64, sids []string) func(error) {
	return func(err error) {
		if !errors.Is(err, broker.ErrTooBig) {
			err = ErrUnavailable
		}
		c.fail(id, sids, err)
	}
}

// expect registers an Ask. It reports false when the cluster is closed.
func (c *Cluster) expect(a *Ask) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asks == nil {
		return false
	}
	w := &ask{Ask: *a, clients: maps.Clone(a.Clients)}
	if !w.known() {
		w.answered = make(map[string]struct{})
	}
	if a.Timeout > 0 {
		w.until = time.Now().Add(a.Timeout)
	}
	if a.Timeout > 0 && !a.CallerEnds {
		w.expiry = time.AfterFunc(a.Timeout, func() { c.expire(a.ID, w) })
	}
	c.asks[a.ID] = w
	return true
}

// forget ends an Ask. It returns nil if that has happened before.
func (c *Cluster) forget(id uint64) *ask {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remove(id)
}

// remove is forget with c.mu held.
func (c *Cluster) remove(id uint64) *ask {
	w := c.asks[id]
	if w != nil {
		if w.expiry != nil {
			w.expiry.Stop()
		}
		delete(c.asks, id)
	}
	return w
}

// Cancel ends an Ask, see Adapter.
func (c *Cluster) Cancel(id uint64) {
	w := c.forget(id)
	if w != nil && (w.until.IsZero() || time.Now().Before(w.until)) { // otherwise they know
		_ = c.put(c.wire.Cancel(w.Namespace, id)) // they wait for nothing if the broker is away
	}
}

// expire ends an Ask whose time is over. The servers of the clients know the
// timeout.
func (c *Cluster) expire(id uint64, w *ask) {
	defer c.opts.Host.Busy()() // before it is forgotten: callbacks come of it
	c.mu.Lock()
	if c.asks[id] != w {
		c.mu.Unlock()
		return
	}
	c.remove(id)
	c.mu.Unlock()
	w.end(ErrTimeout)
}

// end reports to the Asker that no further answer will come. w is not in asks any more.
func (w *ask) end(err error) {
	if !w.Failures {
		return
	}
	for sid := range w.clients {
		w.Asker.Failed(sid, err)
	}
	if w.Named != "" {
		w.Asker.Failed(w.Named, err)
	}
	if w.PerhapsOne && !w.known() && w.answers == 0 {
		w.Asker.Failed("", err)
	}
}

// endKnown ends the Asks whose answers may be lost with messages. Asks without known clients
// go on, because answers to them may still come.
func (c *Cluster) endKnown() {
	c.endAll(ErrUnavailable, func(w *ask) bool { return w.known() })
}

// closeAsks ends everything.
func (c *Cluster) closeAsks() {
	c.endAll(ErrClosed, func(*ask) bool { return true })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asks = nil
}

func (c *Cluster) endAll(err error, which func(*ask) bool) {
	var ended []*ask
	c.mu.Lock()
	for _, id := range slices.Sorted(maps.Keys(c.asks)) {
		if which(c.asks[id]) {
			ended = append(ended, c.remove(id))
		}
	}
	c.mu.Unlock()
	for _, w := range ended {
		w.end(err)
	}
}

// lostAnswers ends the waits for clients of one server.
func (c *Cluster) lostAnswers(host string, err error) {
	lost := make(map[uint64][]string)
	c.mu.Lock()
	for id, w := range c.asks {
		for sid, home := range w.clients {
			if home == host {
				lost[id] = append(lost[id], sid)
			}
		}
	}
	c.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(lost)) {
		c.fail(id, lost[id], err)
	}
}

// fail says that some of the clients of an Ask do not answer.
func (c *Cluster) fail(id uint64, sids []string, err error) {
	for _, sid := range sids {
		if w := c.claim(id, sid); w != nil && w.Failures {
			w.Asker.Failed(sid, err)
		}
	}
}

// claim returns the Ask if it still waits for a client, and ends the wait for that client: a
// broker may deliver a message twice.
func (c *Cluster) claim(id uint64, sid string) *ask {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.asks[id]
	switch {
	case w == nil:
		return nil
	case w.Named != "":
		c.remove(id)
	case w.Clients != nil:
		if _, waits := w.clients[sid]; !waits {
			return nil // it joined the room after the clients had been chosen, or its answer comes twice
		}
		if delete(w.clients, sid); len(w.clients) == 0 {
			c.remove(id)
		}
	case sid == "": // answers that do not say whose they are cannot be told apart
		w.answers++
	default:
		if _, twice := w.answered[sid]; twice {
			return nil
		}
		w.answered[sid] = struct{}{}
		w.answers++
	}
	return w
}

// PacketLimits are the limits of packets from other servers. The broker bounds their size.
var PacketLimits = parser.Limits{Attachments: 1_000_000, Depth: 10_000}

// answer takes the answer of a client of another server.
func (c *Cluster) answer(a *wire.Answer) error {
	c.mu.Lock()
	w := c.asks[a.ID]
	c.mu.Unlock()
	if w == nil || a.Namespace != w.Namespace {
		return nil // too late
	}
	if a.Failed {
		if !w.Failures || w.Named != "" && a.From != w.Named || c.claim(a.ID, a.From) == nil {
			return nil
		}
		var err error = ErrLeft
		if a.Limit > 0 {
			err = LimitError(a.Limit)
		}
		w.Asker.Failed(a.From, err)
		return nil
	}
	h := parser.Header{Type: parser.Ack, HasID: true}
	text := parser.AppendText(nil, h, len(a.Attachments), nil, a.Args)
	decoded, err := parser.DecodeAll(c.opts.Codec, PacketLimits, text, a.Attachments)
	if err != nil {
		return err
	}
	if c.claim(a.ID, a.From) != nil {
		from := a.From
		if w.Named != "" {
			from = w.Named
		}
		w.Asker.Answered(from, decoded.Args)
	}
	return nil
}
