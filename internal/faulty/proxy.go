package faulty

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Direction is a set of directions.
type Direction uint8

const (
	Up   Direction = 1 << iota // from the client to the server
	Down                       // from the server to the client
	Both = Up | Down
)

// Link is what happens to the bytes in one direction. TCP hides the losses of a network:
// the application sees that everything behind a lost chunk waits until the chunk has been
// sent again. Loss does the same.
type Link struct {
	Delay      time.Duration // of each chunk
	Jitter     time.Duration // the largest further delay, which is random
	Loss       float64       // share of the chunks that are lost, 0 to 1
	Retransmit time.Duration // how much later a lost chunk arrives, with all behind it
	Bandwidth  int           // bytes per second and connection; 0 means no limit
}

// Conditions are the links of all connections.
type Conditions struct{ Up, Down Link }

// Proxy forwards TCP connections to a target, with the faults that its methods set. They
// may be called from any goroutine.
//
// Goroutines: accept, and four a connection (a reader and a writer for each
// direction, and before them connect). Close ends all of them.
type Proxy struct {
	wire     Wire
	listener net.Listener
	seed     uint64
	wg       sync.WaitGroup
	closing  chan struct{}

	mu         sync.Mutex // protects the following and Direction fields of pairs
	target     string
	refusing   bool
	conditions Conditions
	silent     Direction     // all connections, those to come included
	changed    chan struct{} // closed and replaced when silent or a pair's stuck changes
	pairs      map[*pair]struct{}
	accepted   uint64
}

// NewProxy starts a proxy to target, a host and port. seed determines its random choices.
func NewProxy(target string, seed uint64) (*Proxy, error) { return NewWiredProxy(target, seed, Wire{}) }

// NewWiredProxy is NewProxy on a network of another kind than loopback.
func NewWiredProxy(target string, seed uint64, wire Wire) (*Proxy, error) {
	listener, err := wire.listen()
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		wire: wire, listener: listener, seed: seed, target: target,
		closing: make(chan struct{}), changed: make(chan struct{}), pairs: make(map[*pair]struct{}),
	}
	p.wg.Go(p.accept)
	return p, nil
}

// Addr returns the host and port to which clients connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close resets all connections and waits until nothing is left.
func (p *Proxy) Close() {
	close(p.closing)
	_ = p.listener.Close()
	p.Reset()
	p.wg.Wait()
}

// Set changes the conditions, also for existing connections.
func (p *Proxy) Set(c Conditions) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conditions = c
}

// Reset ends all connections with a reset on both sides.
func (p *Proxy) Reset() { p.ResetSome(1, rand.New(rand.NewPCG(0, 0))) }

// ResetSome resets a share of the connections, chosen by r.
func (p *Proxy) ResetSome(share float64, r *rand.Rand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		if r.Float64() < share {
			c.kill()
		}
	}
}

// HalfOpen forwards nothing more in a direction on existing connections, not even their
// end, and closes none: each side must find out by itself. New connections work.
func (p *Proxy) HalfOpen(d Direction) {
	p.change(func() {
		for c := range p.pairs {
			c.stuck |= d
		}
	})
}

// Abandon resets the client's side of existing connections and leaves the server's side
// open. Nothing more arrives at the server, not even the end, as when a client changes its
// network. New connections work.
func (p *Proxy) Abandon() {
	p.change(func() {
		for c := range p.pairs {
			c.stuck = Both
			reset(c.client)
		}
	})
}

// Refuse resets new connections as soon as they come, until it is called with false. It
// does not change existing ones.
func (p *Proxy) Refuse(on bool) { p.change(func() { p.refusing = on }) }

// SetTarget sets the server for new connections.
func (p *Proxy) SetTarget(target string) { p.change(func() { p.target = target }) }

// destination returns the target of a new connection, and whether it is refused.
func (p *Proxy) destination() (target string, refused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target, p.refusing
}

// Silence forwards nothing in a direction until Resume, which delivers what was sent
// meanwhile. It applies to new connections, too.
func (p *Proxy) Silence(d Direction) { p.change(func() { p.silent |= d }) }

// Resume ends Silence.
func (p *Proxy) Resume() { p.change(func() { p.silent = 0 }) }

func (p *Proxy) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) link(d Direction) Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d == Up {
		return p.conditions.Up
	}
	return p.conditions.Down
}

// accept takes connections until the listener is closed.
func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.connect(conn.(*net.TCPConn)) })
	}
}

// connect connects to the server. If that fails, it resets the client.
func (p *Proxy) connect(client *net.TCPConn) {
	target, refused := p.destination()
	if refused {
		reset(client)
		return
	}
	conn, err := p.wire.dial(target)
	if err != nil {
		reset(client)
		return
	}
	c := &pair{proxy: p, client: client, server: conn.(*net.TCPConn), dead: make(chan struct{})}
	p.mu.Lock()
	refused = p.refusing // a connection that was on its way is refused as well
	select {
	case <-p.closing:
		refused = true
	default:
	}
	if refused {
		c.kill()
		p.mu.Unlock()
		return
	}
	p.pairs[c] = struct{}{}
	p.accepted++
	n := p.accepted
	p.mu.Unlock()

	var streams sync.WaitGroup
	for _, s := range []*stream{
		{pair: c, direction: Up, from: c.client, to: c.server},
		{pair: c, direction: Down, from: c.server, to: c.client},
	} {
		s.chance = rand.New(rand.NewPCG(p.seed, 2*n+uint64(s.direction)))
		s.queue = make(chan chunk, 64)
		streams.Go(s.read)
		streams.Go(s.write)
	}
	streams.Wait()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
	_ = c.client.Close()
	_ = c.server.Close()
}

// reset closes a connection so that its other end gets an RST.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// pair is a client's connection and the one to the server that belongs to it.
type pair struct {
	proxy          *Proxy
	client, server *net.TCPConn
	stuck          Direction // by HalfOpen; guarded by Proxy.mu
	once           sync.Once
	dead           chan struct{} // closed by kill
}

func (c *pair) kill() {
	c.once.Do(func() {
		close(c.dead)
		reset(c.client)
		reset(c.server)
	})
}

func (c *pair) open(d Direction) bool {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	return (c.stuck|c.proxy.silent)&d == 0
}

// pass waits until the direction is open. It reports false when the pair was killed.
func (c *pair) pass(d Direction) bool {
	for {
		c.proxy.mu.Lock()
		changed := c.proxy.changed
		c.proxy.mu.Unlock()
		if c.open(d) {
			return true
		}
		select {
		case <-changed:
		case <-c.dead:
			return false
		}
	}
}

// stream is one direction of a pair.
type stream struct {
	pair      *pair
	direction Direction
	from, to  *net.TCPConn
	chance    *rand.Rand
	queue     chan chunk // on their way
}

// chunk is the result of one read, or the end of the stream.
type chunk struct {
	data []byte
	due  time.Time
	end  error // io.EOF, or why the connection broke
}

// read reads until the end of the connection, which it queues as well.
func (s *stream) read() {
	defer close(s.queue)
	var last time.Time
	for {
		link := s.pair.proxy.link(s.direction)
		size := 16 << 10
		if link.Bandwidth > 0 {
			size = min(size, max(link.Bandwidth/50, 64)) // to be even within 20 ms
		}
		buf := make([]byte, size)
		n, err := s.from.Read(buf)
		link = s.pair.proxy.link(s.direction)
		due := time.Now().Add(link.Delay)
		if link.Jitter > 0 {
			due = due.Add(time.Duration(s.chance.Int64N(int64(link.Jitter))))
		}
		if link.Loss > 0 && s.chance.Float64() < link.Loss {
			due = due.Add(link.Retransmit)
		}
		if due.Before(last) {
			due = last // TCP does not reorder
		}
		last = due
		select {
		case s.queue <- chunk{buf[:n], due, err}:
		case <-s.pair.dead:
			return
		}
		if err != nil {
			return
		}
	}
}

// write forwards what was read, when it is due and the direction is open.
func (s *stream) write() {
	gone := false      // the receiver is, and the sender cannot hear of it
	var free time.Time // when the link has sent what was given to it, also if the machine wakes this goroutine late
	for c := range s.queue {
		if !s.sleep(time.Until(c.due)) || !s.pair.pass(s.direction) {
			return
		}
		if len(c.data) > 0 && !gone {
			if _, err := s.to.Write(c.data); err != nil {
				gone = true
				if s.pair.open(Both &^ s.direction) {
					s.pair.kill()
				}
			}
			if link := s.pair.proxy.link(s.direction); link.Bandwidth > 0 {
				free = later(free, c.due).Add(time.Duration(len(c.data)) * time.Second / time.Duration(link.Bandwidth))
				if !s.sleep(time.Until(free)) {
					return
				}
			}
		}
		switch {
		case errors.Is(c.end, io.EOF):
			_ = s.to.CloseWrite()
		case c.end != nil:
			s.pair.kill()
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// sleep reports false when the pair was killed meanwhile.
func (s *stream) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.pair.dead:
		return false
	}
}
