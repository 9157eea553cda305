package socketio

import (
	"bufio"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
)

// rig is a server with any number of WebSocket clients, all on one TCP
// connection: what the server writes is counted and thrown away, and what
// clients send is handed over as the reader of their connection would. So a
// benchmark measures the server and not the clients, and 10,000 of them need two
// file descriptors.
type rig struct {
	b       *testing.B
	srv     *Server
	near    net.Conn // the server's end
	sockets []*Socket

	accepted *client      // by the engine, last
	arrived  chan *Socket // from the connect handler

	mu      sync.Mutex
	changed sync.Cond
	got     int64 // bytes that the clients were sent
	want    int64
}

func newRig(b *testing.B, clients int) *rig {
	b.Helper()
	return newRecoveryRig(b, clients, nil)
}

// newRecoveryRig is newRig with Options.Recovery.
func newRecoveryRig(b *testing.B, clients int, recovery *Recovery) *rig {
	b.Helper()
	r := &rig{b: b, arrived: make(chan *Socket)}
	r.changed.L = &r.mu
	r.srv = NewServer(&Options{Logger: slog.New(slog.DiscardHandler), Limits: Limits{SendQueueLimit: 1 << 30, MaxRooms: 1 << 20}, ConnectTimeout: -1, PingInterval: time.Hour, Recovery: recovery})
	var err error
	r.srv.engine, err = engineio.NewServer(r.srv.opts.engine(func(conn *engineio.Conn) (engineio.Receiver, error) {
		receiver, err := r.srv.newClient(conn)
		r.accepted, _ = receiver.(*client)
		return receiver, err
	}))
	require.NoError(b, err)
	r.srv.On("connect", func(c *Context) { r.arrived <- c.Socket })

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(b, err)
	r.near, err = ln.Accept()
	require.NoError(b, err)
	ended := make(chan struct{})
	go func() { // ends when the connection does
		defer close(ended)
		r.count(conn)
	}()
	b.Cleanup(func() {
		conn.Close() // the end of every client
		if err := r.srv.Shutdown(b.Context()); err != nil && b.Context().Err() == nil {
			b.Error(err)
		}
		<-ended
	})
	for range clients {
		r.connect()
	}
	r.settle()
	return r
}

// connect connects one more client, to "/".
func (r *rig) connect() {
	req := httptest.NewRequest("GET", "/socket.io/?EIO=4&transport=websocket", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		req.Header.Set(name, value)
	}
	r.srv.ServeHTTP(&hijackable{r.near, http.Header{}}, req)
	require.NotNil(r.b, r.accepted)
	r.accepted.Message([]byte("0"), false)
	r.sockets = append(r.sockets, <-r.arrived)
}

// confirm has all clients answer a ping.
func (r *rig) confirm() {
	for _, s := range r.sockets {
		s.client().Confirmed(math.MaxUint64 - 1)
	}
}

// receive hands a message to the server as if it came from a client.
func (r *rig) receive(s *Socket, message []byte) { s.client().Message(message, false) }

func (r *rig) count(conn net.Conn) {
	buf := make([]byte, 1<<20)
	for {
		n, err := conn.Read(buf)
		r.mu.Lock()
		r.got += int64(n)
		r.changed.Broadcast()
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// settle waits until nothing more is written, and returns how much has been
// since the last time.
func (r *rig) settle() int64 {
	for last := int64(-1); ; {
		time.Sleep(20 * time.Millisecond)
		r.mu.Lock()
		got := r.got
		r.mu.Unlock()
		if got == last {
			size := got - r.want
			r.want = got
			return size
		}
		last = got
	}
}

// expect waits until the clients have been sent so many more bytes, but for
// slack: what may still be under way.
func (r *rig) expect(bytes, slack int64) {
	r.want += bytes
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.got < r.want-slack {
		r.changed.Wait()
	}
}

// hijackable is a ResponseWriter that hands over a connection.
type hijackable struct {
	conn   net.Conn
	header http.Header
}

func (h *hijackable) Header() http.Header         { return h.header }
func (h *hijackable) Write(p []byte) (int, error) { return len(p), nil }
func (h *hijackable) WriteHeader(int)             {}
func (h *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(nil), bufio.NewWriter(nil)), nil
}
