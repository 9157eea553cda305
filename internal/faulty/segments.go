package faulty

import (
	"context"
	"net"
	"syscall"
	"time"
)

// EthernetSegment is the largest TCP segment on an Ethernet with its usual MTU of
// 1500. The loopback interface has 65,483, which hides how often a server really
// has to wait for its network.
const EthernetSegment = 1460

// Wire has the properties of a proxy's connections, to both sides.
type Wire struct {
	// Segment bounds the TCP segments, in bytes; 0 means those of loopback. Windows
	// ignores it.
	Segment int
	// Buffer bounds each receive buffer of the proxy, in bytes, so that a
	// sender notices soon that the proxy does not read; 0 means the system's default.
	Buffer int
}

// control sets the options of a socket before it connects or listens.
func (w Wire) control(_, _ string, c syscall.RawConn) error {
	var err error
	set := func(fd uintptr) {
		if w.Segment > 0 {
			err = limitSegments(fd, w.Segment)
		}
		if err == nil && w.Buffer > 0 {
			err = limitBuffer(fd, w.Buffer)
		}
	}
	if e := c.Control(set); e != nil {
		return e
	}
	return err
}

func (w Wire) listen() (net.Listener, error) {
	lc := net.ListenConfig{Control: w.control}
	return lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
}

func (w Wire) dial(target string) (net.Conn, error) {
	d := net.Dialer{Control: w.control, Timeout: 10 * time.Second}
	return d.Dial("tcp", target)
}
