package wire

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Loop is an event loop over TCP connections, with epoll. The loop and everything that it calls run in
// one goroutine. Only Interrupt may be called from another one.
type Loop struct {
	epoll  int
	server unix.SockaddrInet4
	dialed uint32
	conns  []*Conn // by file descriptor
	opened int     // how many connections are open
	gen    int32   // counts connections, so that stale events can be recognised
	buf    []byte
	events [512]unix.EpollEvent
	Now    int64 // ns since start, taken before an event is handled
	start  time.Time
	timers timers
	timed  int64 // counts calls of After
	err    error // if it is set, the run ends with it

	Limit       time.Duration // how long the run may take; zero means no limit
	interrupted atomic.Bool   // set from another goroutine
}

// timer is a call that is due later. Calls that are due at the same time run in the order of After.
type timer struct {
	at    int64
	order int64
	f     func()
}

// timers is a heap, the next one first.
type timers []timer

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(t[i].at, t[j].at), cmp.Compare(t[i].order, t[j].order)) < 0
}
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)   { *t = append(*t, x.(timer)) }
func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	(*t)[last] = timer{}
	*t = (*t)[:last]
	return x
}

// Conn is a connection of a loop.
type Conn struct {
	*Loop
	fd        int
	gen       int32
	connected bool
	rest      []byte // received, and not consumed yet
	out       []byte // waits until the kernel takes it
	paused    bool   // the loop does not read from it
	user      Receiver
}

// Receiver is called for what happens on a connection.
type Receiver interface {
	// Opened is called when the connection is established.
	Opened()
	// Received returns how many bytes of b it has consumed. It gets the rest
	// again when more has arrived. An error ends the run.
	Received(b []byte) (int, error)
	// Closed is called when the peer or the network has ended the connection,
	// with io.EOF if the peer has closed it. An error that it returns ends the run.
	Closed(err error) error
}

func NewLoop(addr string) (*Loop, error) {
	server, err := sockaddr(addr)
	if err != nil {
		return nil, err
	}
	l := &Loop{buf: make([]byte, 256<<10), start: time.Now(), server: server}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("wire: epoll: %w", err)
	}
	return l, nil
}

func sockaddr(addr string) (unix.SockaddrInet4, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil || !ap.Addr().Is4() {
		return unix.SockaddrInet4{}, fmt.Errorf("wire: server address %q: want IPv4 and a port", addr)
	}
	return unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}, nil
}

// Close resets all connections that are left.
func (l *Loop) Close() {
	for _, c := range l.conns {
		if c != nil {
			c.Reset()
		}
	}
	_ = unix.Close(l.epoll)
}

// sources is how many loopback addresses connections come from, in turn. Each address has its own ports.
const sources = 16

// Dial begins a connection with the server.
func (l *Loop) Dial(user Receiver) (*Conn, error) { return l.dial(l.server, user) }

// DialTo begins a connection with another server.
func (l *Loop) DialTo(addr string, user Receiver) (*Conn, error) {
	server, err := sockaddr(addr)
	if err != nil {
		return nil, err
	}
	return l.dial(server, user)
}

func (l *Loop) dial(server unix.SockaddrInet4, user Receiver) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("wire: socket: %w", err)
	}
	l.dialed++
	source := unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(2 + l.dialed%sources)}}
	err = errors.Join(
		// The kernel chooses the port when it connects, so that ports can be used
		// again for other servers.
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.Bind(fd, &source),
	)
	if err == nil {
		if err = unix.Connect(fd, &server); err == unix.EINPROGRESS {
			err = nil
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("wire: connect: %w", err)
	}
	l.gen++
	c := &Conn{Loop: l, fd: fd, gen: l.gen, user: user}
	for len(l.conns) <= fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[fd] = c
	l.opened++
	return c, c.watch(unix.EPOLL_CTL_ADD)
}

// watch tells epoll for which events the connection waits.
func (c *Conn) watch(op int) error {
	var events uint32
	if !c.paused {
		events |= unix.EPOLLIN
	}
	if !c.connected || len(c.out) > 0 {
		events |= unix.EPOLLOUT
	}
	ev := unix.EpollEvent{Events: events, Fd: int32(c.fd), Pad: c.gen}
	if err := unix.EpollCtl(c.epoll, op, c.fd, &ev); err != nil {
		return fmt.Errorf("wire: epoll: %w", err)
	}
	return nil
}

// Pause stops reading until Resume, like a client that is busy.
func (c *Conn) Pause() error { return c.pause(true) }

// Resume reads again after Pause.
func (c *Conn) Resume() error { return c.pause(false) }

func (c *Conn) pause(paused bool) error {
	if !c.Open() || c.paused == paused {
		return nil
	}
	c.paused = paused
	return c.watch(unix.EPOLL_CTL_MOD)
}

// SmallBuffer makes the kernel hold little of what the server sends, so that the server soon notices
// Pause.
func (c *Conn) SmallBuffer() error {
	return unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10)
}

// Close ends the connection. Receiver.Closed is not called.
func (c *Conn) Close() {
	if c.conns[c.fd] == c {
		c.conns[c.fd] = nil
		c.opened--
		_ = unix.Close(c.fd)
	}
}

// Reset ends the connection with a reset, so that its port is free at once.
func (c *Conn) Reset() {
	if c.conns[c.fd] == c {
		_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		c.Close()
	}
}

func (c *Conn) Open() bool { return c.conns[c.fd] == c }

// Write sends b, and queues a copy of what the kernel does not take.
func (c *Conn) Write(b []byte) error {
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return nil
	}
	n, errno := rawWrite(c.fd, b)
	switch {
	case errno == syscall.EAGAIN:
		n = 0
	case errno == syscall.EPIPE || errno == syscall.ECONNRESET:
		return nil // the next read reports it, too
	case errno != 0:
		return fmt.Errorf("wire: write: %w", errno)
	}
	if n == len(b) {
		return nil
	}
	c.out = append(c.out, b[n:]...)
	return c.watch(unix.EPOLL_CTL_MOD)
}

// PollLimit is how long one step may wait, so that it notices Interrupt.
const PollLimit = 100 * time.Millisecond

// poll handles the events that have happened. It waits for them until a time at most.
func (l *Loop) poll(until int64) error {
	l.Now = l.Clock()
	until = min(until, l.Now+PollLimit.Nanoseconds())
	if len(l.timers) > 0 {
		until = min(until, l.timers[0].at)
	}
	wait := max(0, (until-l.Now+999_999)/1_000_000)
	n, err := unix.EpollWait(l.epoll, l.events[:], int(wait))
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("wire: epoll: %w", err)
	}
	for _, ev := range l.events[:max(n, 0)] {
		c := l.conns[ev.Fd]
		if c == nil || c.gen != ev.Pad {
			continue // it was closed while an earlier event was handled
		}
		l.Now = l.Clock()
		if err := c.handle(ev.Events); err != nil {
			return err
		}
	}
	l.runTimers()
	switch {
	case l.err != nil:
		return l.err
	case l.Limit > 0 && l.Now > l.Limit.Nanoseconds():
		return ErrTimeout
	case l.interrupted.Load():
		return errInterrupted
	}
	return nil
}

var (
	ErrTimeout     = errors.New("wire: the server did not do its part in time")
	errInterrupted = errors.New("wire: interrupted")
)

// Clock returns the time since the loop was made, in ns.
func (l *Loop) Clock() int64 { return time.Since(l.start).Nanoseconds() }

// Conns returns how many connections are open.
func (l *Loop) Conns() int { return l.opened }

// Interrupt ends the run. It may be called from any goroutine.
func (l *Loop) Interrupt() { l.interrupted.Store(true) }

// Fail ends the run with an error. It is for functions that cannot return one.
func (l *Loop) Fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// After calls f after d.
func (l *Loop) After(d time.Duration, f func()) {
	l.timed++
	heap.Push(&l.timers, timer{l.Clock() + d.Nanoseconds(), l.timed, f})
}

// runTimers makes the calls that are due.
func (l *Loop) runTimers() {
	for len(l.timers) > 0 && l.timers[0].at <= l.Clock() {
		heap.Pop(&l.timers).(timer).f()
	}
}

// Step handles events once.
func (l *Loop) Step() error { return l.poll(math.MaxInt64) }

// RunUntil handles events until done returns true.
func (l *Loop) RunUntil(done func() bool) error {
	for !done() {
		if err := l.Step(); err != nil {
			return err
		}
	}
	return nil
}

// RunFor handles events for a time.
func (l *Loop) RunFor(d time.Duration) error {
	for end := l.Clock() + d.Nanoseconds(); ; {
		if err := l.poll(end); err != nil || l.Clock() >= end {
			return err
		}
	}
}

func (c *Conn) handle(events uint32) error {
	if !c.connected {
		errno, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && errno != 0 {
			err = syscall.Errno(errno)
		}
		if err != nil {
			return c.ended(err)
		}
		c.connected = true
		if err := c.watch(unix.EPOLL_CTL_MOD); err != nil {
			return err
		}
		c.user.Opened()
		return nil
	}
	if events&unix.EPOLLOUT != 0 && len(c.out) > 0 {
		out := c.out
		c.out = nil
		if err := c.watch(unix.EPOLL_CTL_MOD); err != nil {
			return err
		}
		if err := c.Write(out); err != nil {
			return err
		}
	}
	if events&^uint32(unix.EPOLLOUT) == 0 {
		return nil
	}
	n, errno := rawRead(c.fd, c.buf)
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		return nil
	case errno != 0:
		return c.ended(errno)
	case n == 0:
		return c.ended(io.EOF)
	}
	b := c.buf[:n]
	if len(c.rest) > 0 {
		c.rest = append(c.rest, b...)
		b = c.rest
	}
	used, err := c.user.Received(b)
	if err != nil {
		return err
	}
	if len(b) == used {
		c.rest = nil
	} else {
		c.rest = append([]byte(nil), b[used:]...)
	}
	return nil
}

// ended is called when the peer or the network has ended the connection.
func (c *Conn) ended(err error) error {
	c.Close()
	return c.user.Closed(err)
}
