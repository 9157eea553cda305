package siotest

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Peer is a client that speaks Socket.IO packets as text. A binary one begins with "b:".
type Peer struct {
	Client *eiotest.Client
	// SID is the session id in the namespace connected last.
	SID string

	t   testing.TB
	srv http.Handler // nil if Options.Transport led to it
}

// NewPeer returns a client with an existing connection.
func NewPeer(t testing.TB, c *eiotest.Client) *Peer { return &Peer{t: t, Client: c} }

// DialWith connects a client to a server, which may be nil if opts has a Transport. It is in no
// namespace yet.
func DialWith(t testing.TB, srv http.Handler, opts eiotest.Options) *Peer {
	t.Helper()
	opts.Path = "/socket.io/"
	if opts.Transport == nil {
		opts.Transport = eiotest.Serve(t, srv, nil)
	}
	return &Peer{t: t, srv: srv, Client: eiotest.Connect(t, nil, &opts)}
}

// Dial connects a client that is in no namespace yet.
func Dial(t testing.TB, srv http.Handler, mode eiotest.Mode) *Peer {
	t.Helper()
	return DialWith(t, srv, eiotest.Options{Mode: mode})
}

// Join dials and connects to the namespaces, "/" if there are none.
func Join(t testing.TB, srv http.Handler, mode eiotest.Mode, namespaces ...string) *Peer {
	t.Helper()
	p := Dial(t, srv, mode)
	if len(namespaces) == 0 {
		namespaces = []string{"/"}
	}
	for _, ns := range namespaces {
		p.Connect(ns)
	}
	return p
}

// prefix returns the beginning, behind the type, of the packets of a namespace.
func prefix(ns string) string {
	if ns == "/" {
		return ""
	}
	return ns + ","
}

// Connect connects to a namespace and returns the session id.
func (p *Peer) Connect(ns string) string {
	p.t.Helper()
	p.Send("0" + prefix(ns))
	return p.Connected(ns)
}

// Connected expects the CONNECT packet of a namespace.
func (p *Peer) Connected(ns string) string {
	p.t.Helper()
	got := p.Next()
	payload, ok := strings.CutPrefix(got, "0"+prefix(ns))
	require.True(p.t, ok, "got %s, want a CONNECT packet of %s", got, ns)
	var reply struct{ SID string }
	require.NoError(p.t, json.Unmarshal([]byte(payload), &reply), got)
	require.Len(p.t, reply.SID, 27)
	p.SID = reply.SID
	note(p.srv, ns, reply.SID)
	return reply.SID
}

// Send sends packets.
func (p *Peer) Send(packets ...string) {
	p.t.Helper()
	for _, s := range packets {
		require.NoError(p.t, p.send(s))
	}
}

// Try sends packets. The first may end the connection.
func (p *Peer) Try(packets ...string) {
	for _, s := range packets {
		_ = p.send(s)
	}
}

func (p *Peer) send(packet string) error {
	if bin, ok := strings.CutPrefix(packet, "b:"); ok {
		return p.Client.SendBinary([]byte(bin))
	}
	return p.Client.Send(packet)
}

// Next returns the next packet.
func (p *Peer) Next() string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	m, err := p.Client.Receive(ctx)
	require.NoError(p.t, err)
	return text(m)
}

func text(m eiotest.Message) string {
	if m.Binary {
		return "b:" + string(m.Data)
	}
	return string(m.Data)
}

// Want expects packets, exactly these and in this order.
func (p *Peer) Want(packets ...string) {
	p.t.Helper()
	for _, want := range packets {
		require.Equal(p.t, want, p.Next())
	}
}

// WantAckEvent expects an event with an acknowledgement id, which it returns; rest
// is the packet without its type and the id.
func (p *Peer) WantAckEvent(rest string) (id string) {
	p.t.Helper()
	got := p.Next()
	m := regexp.MustCompile(`^2((?:/[^,]*,)?)(\d+)(\[.*)$`).FindStringSubmatch(got)
	require.NotNil(p.t, m, "got %s, want an event with an acknowledgement id", got)
	require.Equal(p.t, rest, m[1]+m[3])
	return m[2]
}

// Quiet expects that no packet is waiting to be received. It
// works in a synctest bubble only.
func (p *Peer) Quiet() {
	p.t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if m, err := p.Client.Receive(ctx); err == nil {
		p.t.Fatalf("got %s, want nothing", m.Data)
	}
}

// Received returns the packets that are waiting to be received. It works in a
// synctest bubble only.
func (p *Peer) Received() (all []string) {
	p.t.Helper()
	for {
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		m, err := p.Client.Receive(ctx)
		cancel()
		if err != nil {
			return all
		}
		all = append(all, text(m))
	}
}

// Closed expects that the connection ends, with nothing before.
func (p *Peer) Closed() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	m, err := p.Client.Receive(ctx)
	require.Error(p.t, err, "got %s, want the end of the connection", m.Data)
	require.ErrorIs(p.t, err, eiotest.ErrClosed)
}
