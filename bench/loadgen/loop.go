package loadgen

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loop is an epoll loop over TCP connections. It, and all it calls, runs in one
// goroutine; nothing in here is safe for another one.
type loop struct {
	epoll  int
	server unix.SockaddrInet4
	dialed uint32
	conns  []*conn // by file descriptor
	gen    int32   // counts connections, to tell a stale event
	buf    []byte
	events [512]unix.EpollEvent
	now    int64 // ns since start, taken before an event is handled
	start  time.Time
	timers []timer // in order
	err    error   // ends the run

	limit       time.Duration // of the whole run, zero means none
	interrupted atomic.Bool   // set from another goroutine
}

type timer struct {
	at int64
	f  func()
}

// conn is a connection of a loop.
type conn struct {
	*loop
	fd        int
	gen       int32
	connected bool
	rest      []byte // received and not consumed yet
	out       []byte // to be sent when the kernel takes it
	user      receiver
}

// receiver gets what happens on a connection.
type receiver interface {
	// opened is called when the connection is established.
	opened()
	// received returns how much of b it consumed; it gets the rest again
	// when more has arrived. An error ends the run.
	received(b []byte) (int, error)
	// closed is called when the connection ended by itself: io.EOF if the
	// peer closed it. An error returned ends the run.
	closed(err error) error
}

func newLoop(addr string) (*loop, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil || !ap.Addr().Is4() {
		return nil, fmt.Errorf("loadgen: server address %q: want IPv4 and a port", addr)
	}
	l := &loop{buf: make([]byte, 256<<10), start: time.Now()}
	l.server = unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("loadgen: epoll: %w", err)
	}
	return l, nil
}

// close resets all connections that are left.
func (l *loop) close() {
	for _, c := range l.conns {
		if c != nil {
			c.reset()
		}
	}
	_ = unix.Close(l.epoll)
}

// sources is how many loopback addresses connections come from, in turn: each
// has ports of its own.
const sources = 16

// dial begins a connection.
func (l *loop) dial(user receiver) (*conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("loadgen: socket: %w", err)
	}
	l.dialed++
	source := unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(2 + l.dialed%sources)}}
	err = errors.Join(
		// The port is chosen when connecting, so that it need be unique
		// only together with the server's.
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.Bind(fd, &source),
	)
	if err == nil {
		if err = unix.Connect(fd, &l.server); err == unix.EINPROGRESS {
			err = nil
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("loadgen: connect: %w", err)
	}
	l.gen++
	c := &conn{loop: l, fd: fd, gen: l.gen, user: user}
	for len(l.conns) <= fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[fd] = c
	return c, c.watch(unix.EPOLL_CTL_ADD, unix.EPOLLIN|unix.EPOLLOUT)
}

func (c *conn) watch(op int, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(c.fd), Pad: c.gen}
	if err := unix.EpollCtl(c.epoll, op, c.fd, &ev); err != nil {
		return fmt.Errorf("loadgen: epoll: %w", err)
	}
	return nil
}

// close ends the connection; closed is not called.
func (c *conn) close() {
	if c.conns[c.fd] == c {
		c.conns[c.fd] = nil
		_ = unix.Close(c.fd)
	}
}

// reset ends the connection at once, without leaving the port waiting.
func (c *conn) reset() {
	if c.conns[c.fd] == c {
		_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		c.close()
	}
}

func (c *conn) open() bool { return c.conns[c.fd] == c }

// write sends b, of which it keeps no reference, or queues what the kernel does
// not take.
func (c *conn) write(b []byte) error {
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return nil
	}
	n, errno := rawWrite(c.fd, b)
	switch {
	case errno == syscall.EAGAIN:
		n = 0
	case errno == syscall.EPIPE || errno == syscall.ECONNRESET:
		return nil // the next read says so too
	case errno != 0:
		return fmt.Errorf("loadgen: write: %w", errno)
	}
	if n == len(b) {
		return nil
	}
	c.out = append(c.out, b[n:]...)
	return c.watch(unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLOUT)
}

// pollLimit is how long one poll may wait, so that interrupt is seen.
const pollLimit = 100 * time.Millisecond

// poll handles the events that have happened, waiting for them until a time at most.
func (l *loop) poll(until int64) error {
	l.now = l.clock()
	until = min(until, l.now+pollLimit.Nanoseconds())
	if len(l.timers) > 0 {
		until = min(until, l.timers[0].at)
	}
	wait := max(0, (until-l.now+999_999)/1_000_000)
	n, err := unix.EpollWait(l.epoll, l.events[:], int(wait))
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("loadgen: epoll: %w", err)
	}
	for _, ev := range l.events[:max(n, 0)] {
		c := l.conns[ev.Fd]
		if c == nil || c.gen != ev.Pad {
			continue // closed while an earlier event was handled
		}
		l.now = l.clock()
		if err := c.handle(ev.Events); err != nil {
			return err
		}
	}
	l.runTimers()
	switch {
	case l.err != nil:
		return l.err
	case l.limit > 0 && l.now > l.limit.Nanoseconds():
		return errTimeout
	case l.interrupted.Load():
		return errInterrupted
	}
	return nil
}

var (
	errTimeout     = errors.New("loadgen: the server did not do its part in time")
	errInterrupted = errors.New("loadgen: interrupted")
)

// clock returns the time since the loop was made, in ns.
func (l *loop) clock() int64 { return time.Since(l.start).Nanoseconds() }

// interrupt ends the run. It may be called from any goroutine.
func (l *loop) interrupt() { l.interrupted.Store(true) }

// fail ends the run, from where no error can be returned.
func (l *loop) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// after calls f after d.
func (l *loop) after(d time.Duration, f func()) {
	at := l.clock() + d.Nanoseconds()
	i := len(l.timers)
	for i > 0 && l.timers[i-1].at > at {
		i--
	}
	l.timers = slices.Insert(l.timers, i, timer{at, f})
}

// runTimers calls what is due.
func (l *loop) runTimers() {
	for len(l.timers) > 0 && l.timers[0].at <= l.clock() {
		f := l.timers[0].f
		l.timers = l.timers[1:]
		f()
	}
}

// step handles events once.
func (l *loop) step() error { return l.poll(math.MaxInt64) }

// runUntil handles events until done says so.
func (l *loop) runUntil(done func() bool) error {
	for !done() {
		if err := l.step(); err != nil {
			return err
		}
	}
	return nil
}

// runFor handles events for a time.
func (l *loop) runFor(d time.Duration) error {
	for end := l.clock() + d.Nanoseconds(); ; {
		if err := l.poll(end); err != nil || l.clock() >= end {
			return err
		}
	}
}

func (c *conn) handle(events uint32) error {
	if !c.connected {
		errno, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && errno != 0 {
			err = syscall.Errno(errno)
		}
		if err != nil {
			return c.ended(err)
		}
		c.connected = true
		if err := c.watch(unix.EPOLL_CTL_MOD, unix.EPOLLIN); err != nil {
			return err
		}
		c.user.opened()
		return nil
	}
	if events&unix.EPOLLOUT != 0 && len(c.out) > 0 {
		out := c.out
		c.out = nil
		if err := c.watch(unix.EPOLL_CTL_MOD, unix.EPOLLIN); err != nil {
			return err
		}
		if err := c.write(out); err != nil {
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
	used, err := c.user.received(b)
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

// ended closes a connection that the peer or the network has ended.
func (c *conn) ended(err error) error {
	c.close()
	return c.user.closed(err)
}
