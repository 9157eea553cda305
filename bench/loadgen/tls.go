package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/bench/internal/stats"
	"github.com/seed-d124fa34/socketio/bench/internal/wire"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

// tlsEcho is echo over TLS, with one message in flight. Its clients are goroutines with crypto/tls. They
// cost more than the other ones, so the load generator may be the limit, and not the server.
func tlsEcho(clients int) func(*run) error {
	return func(r *run) error {
		ctx, cancel := context.WithTimeout(context.Background(), r.Timeout)
		defer cancel()
		l := &tlsLoad{addr: r.Server.Addr(), failed: cancel}
		defer l.stop()
		for range clients {
			if err := l.connect(ctx); err != nil {
				return err
			}
		}
		l.start()
		if err := r.Server.Begin(); err != nil {
			return err
		}
		if err := r.RunFor(r.Warmup); err != nil {
			return err
		}
		end, err := r.meter()
		if err != nil {
			return err
		}
		l.reset()
		if err := r.RunFor(r.Measure); err != nil {
			return err
		}
		if r.done, r.hist, err = l.take(); err != nil {
			return err
		}
		if err := end(); err != nil {
			return err
		}
		return r.Server.End()
	}
}

// tlsLoad holds the clients of tlsEcho. stop ends their goroutines.
type tlsLoad struct {
	addr    string
	failed  context.CancelFunc
	clients []*tlsClient
	wg      sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	done    int64
	hist    stats.Histogram
	err     error
}

// connect adds a client that is in the namespace.
func (l *tlsLoad) connect(ctx context.Context) error {
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // the certificate was made for this run
	conn, err := d.DialContext(ctx, "tcp", l.addr)
	if err != nil {
		return err
	}
	c := &tlsClient{conn: conn.(*tls.Conn), in: bufio.NewReader(conn)}
	l.clients = append(l.clients, c)
	context.AfterFunc(ctx, func() { conn.Close() })
	return c.enter(l.addr)
}

// start makes all clients send.
func (l *tlsLoad) start() {
	for _, c := range l.clients {
		l.wg.Go(func() {
			err := c.echo(l.count)
			l.mu.Lock()
			defer l.mu.Unlock()
			if !l.stopped && l.err == nil {
				l.err = err
				l.failed()
			}
		})
	}
}

func (l *tlsLoad) count(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done++
	l.hist.Add(int64(d))
}

func (l *tlsLoad) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = 0
	l.hist.Reset()
}

// take returns what was counted since the last reset.
func (l *tlsLoad) take() (int64, *stats.Histogram, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	hist := l.hist
	return l.done, &hist, l.err
}

func (l *tlsLoad) stop() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	for _, c := range l.clients {
		c.conn.Close()
	}
	l.wg.Wait()
}

// tlsClient is for one goroutine.
type tlsClient struct {
	conn    *tls.Conn
	in      *bufio.Reader
	message []byte
}

// enter does the handshakes, and enters the namespace.
func (c *tlsClient) enter(addr string) error {
	if _, err := c.conn.Write(wire.Handshake(addr, "")); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("loadgen: WebSocket handshake refused: %s", resp.Status)
	}
	if err := c.expect("0"); err != nil {
		return err
	}
	if _, err := c.conn.Write(connectFrame); err != nil {
		return err
	}
	return c.expect("40")
}

// expect reads a message and checks how it begins.
func (c *tlsClient) expect(prefix string) error {
	for {
		if err := c.read(); err != nil {
			return err
		}
		switch {
		case bytes.HasPrefix(c.message, []byte(prefix)):
			return nil
		case string(c.message) != "2": // a ping
			return fmt.Errorf("loadgen: the server sent %.100q, want %.50q", c.message, prefix)
		}
		if _, err := c.conn.Write(pongFrame); err != nil {
			return err
		}
	}
}

var errLongFrame = errors.New("loadgen: the server sent a frame that is not small and whole")

// read reads a text message of less than 64 KiB.
func (c *tlsClient) read() error {
	var head [2]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return err
	}
	if head[0] != 0x80|wire.OpText {
		return errLongFrame
	}
	n := int(head[1])
	if n == 126 {
		if _, err := io.ReadFull(c.in, head[:]); err != nil {
			return err
		}
		n = int(head[0])<<8 | int(head[1])
	} else if n > 126 {
		return errLongFrame
	}
	if cap(c.message) < n {
		c.message = make([]byte, n)
	}
	c.message = c.message[:n]
	_, err := io.ReadFull(c.in, c.message)
	return err
}

// echo sends a message whenever the previous one has been answered, until the connection ends.
func (c *tlsClient) echo(count func(time.Duration)) error {
	frame := wire.TextFrame(fmt.Sprintf("42%d[%q,%q]", firstID, workload.Echo, workload.Text))
	want := fmt.Sprintf("43%d[%q]", firstID, workload.Text)
	for {
		sent := time.Now()
		if _, err := c.conn.Write(frame); err != nil {
			return err
		}
		if err := c.expect(want); err != nil {
			return err
		}
		count(time.Since(sent))
	}
}
