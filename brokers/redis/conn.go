package redis

import (
	"context"
	"net"
	"time"
)

// closing returns a dialer that closes its connections when a context ends.
func closing(ctx context.Context, dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(dialing context.Context, network, addr string) (net.Conn, error) {
		dialing, cancel := context.WithCancel(dialing)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		conn, err := dial(dialing, network, addr)
		if err != nil {
			return nil, err
		}
		c := &readerConn{Conn: conn}
		c.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
		return c, nil
	}
}

// readerConn is the connection of one reader. Its deadline moves on while bytes arrive, because
// a batch of big messages may take long on a slow network.
type readerConn struct {
	net.Conn
	stop func() bool
	wait time.Duration // how long a read may get no byte; 0: for ever. The reader sets it
}

func (c *readerConn) SetReadDeadline(t time.Time) error {
	c.wait = 0
	if !t.IsZero() {
		c.wait = time.Until(t)
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *readerConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.wait > 0 {
		err = c.Conn.SetReadDeadline(time.Now().Add(c.wait))
	}
	return n, err
}

func (c *readerConn) Close() error {
	c.stop()
	return c.Conn.Close()
}
