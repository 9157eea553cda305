package socketiotest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/parser"
)

// How clients of Socket.IO 2 differ: Options.EIO3.

// mode is how a connection is made.
func (o *Options) mode() eiotest.Mode {
	if !o.EIO3 {
		return eiotest.Mode(o.Transport)
	}
	switch o.Transport {
	case Polling:
		return eiotest.OldPolling
	case Upgrade:
		return eiotest.OldUpgrade
	}
	return eiotest.OldWebSocket
}

// joinMain waits until the server has decided about "/", which is what the connection begins with.
func (k *conn) joinMain(auth any) (*Client, error) {
	k.mu.Lock()
	c := k.clients["/"]
	begins := c.active() || c.state == refused
	k.mu.Unlock()
	switch {
	case auth != nil:
		return nil, errors.New("socketiotest: joining /: Options.Auth: a client of Socket.IO 2 has none for /: use Options.Query")
	case !begins:
		return nil, errors.New("socketiotest: cannot join /: a client of Socket.IO 2 does that once for each connection")
	}
	if err := k.answered(c, nil); err != nil {
		return nil, err
	}
	return c, nil
}

// oldSID is what a client takes for its session id, which it is not sent.
func (k *conn) oldSID(namespace string) string {
	sid := k.engine.Handshake().SID
	if namespace == "/" {
		return sid
	}
	return namespace + "#" + sid
}

// oldQuery returns the query behind the name of a namespace, empty if there is no auth.
func oldQuery(auth any) (string, error) {
	if auth == nil {
		return "", nil
	}
	members, err := object(auth)
	if err != nil {
		return "", err
	}
	query := make(url.Values)
	for name, v := range members {
		query.Set(name, fmt.Sprint(v))
	}
	return "?" + query.Encode(), nil
}

// oldError returns an ERROR packet, whose content may be any value, as the CONNECT_ERROR packet that it became.
func oldError(packet []byte) parser.Packet {
	p := parser.Packet{Header: parser.Header{Type: parser.ConnectError, Namespace: "/"}}
	if bytes.HasPrefix(packet, []byte("/")) {
		name, rest, _ := bytes.Cut(packet, []byte(","))
		p.Namespace, packet = string(name), rest
	}
	p.Args = content(packet)
	return p
}

// content is the only argument of a packet.
type content json.RawMessage

func (c content) Len() int { return 1 }

func (c content) Bind(_ int, v any) error { return json.Unmarshal(c, v) }

// oldRefusal reads an ERROR packet: it has the data or, without any, the message.
func oldRefusal(p parser.Packet) (*ConnectError, error) {
	e := &ConnectError{Namespace: p.Namespace}
	if err := p.Args.Bind(0, &e.Data); err != nil {
		return nil, fmt.Errorf("ERROR of namespace %s: %w", p.Namespace, err)
	}
	if json.Unmarshal(e.Data, &e.Message) == nil {
		e.Data = nil
		return e, nil
	}
	var whole struct{ Message string } // there is no such namespace
	_ = json.Unmarshal(e.Data, &whole)
	e.Message = whole.Message
	return e, nil
}
