package socketio_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/parser"
)

// badParser is a custom parser with faults.
type badParser struct {
	parser.Parser
	fails   parser.Type // cannot encode these
	rename  string      // what it calls every event
	decoder parser.Decoder
}

func (p badParser) Encode(dst []byte, h parser.Header, args []any) ([]byte, [][]byte, error) {
	if h.Type == p.fails {
		return nil, nil, errors.New("cannot encode")
	}
	return p.Parser.Encode(dst, h, args)
}

func (p badParser) NewDecoder(l parser.Limits) parser.Decoder {
	p.decoder = p.Parser.NewDecoder(l)
	return p
}

func (p badParser) Decode(data []byte, binary bool) (parser.Packet, bool, error) {
	packet, ok, err := p.decoder.Decode(data, binary)
	if packet.Type == parser.Event && p.rename != "" {
		packet.Event = p.rename
	}
	return packet, ok, err
}

// A parser that cannot encode the answer to a client leaves it refused, not waiting.
func TestParserFailsToConnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, &socketio.Options{Parser: badParser{Parser: parser.New(nil), fails: parser.Connect}})
		srv.On("disconnect", func(c *socketio.Context) { t.Error("never connected") })
		p := dial(t, srv, eiotest.WebSocket)
		p.send("0")
		p.want(`4{"message":"Connection rejected by server"}`)
	})
}

// Defect S2, whatever the parser lets pass: a client cannot call connect and disconnect handlers.
func TestReservedEventFromParser(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var rec record
		srv := newServer(t, &socketio.Options{Parser: badParser{Parser: parser.New(nil), fails: 99, rename: "connect"}})
		srv.On("connect", func(c *socketio.Context) { rec.add("connect") })
		p := join(t, srv, eiotest.WebSocket)
		p.send(`2["x"]`)
		p.closed()
		rec.want(t, "connect")
	})
}

// A connect handler that had not begun when the server shut down does not begin.
func TestShutdownDropsWaitingConnect(t *testing.T) {
	modes(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, nil)
		var rec record
		srv.On("connect", func(c *socketio.Context) { rec.add("connect") })
		srv.On("disconnect", func(c *socketio.Context) { time.Sleep(time.Minute); rec.add("disconnect") })
		p := join(t, srv, mode)
		p.send(`1`, `0`)
		synctestWait()
		rec.want(t, "connect")
		require.NoError(t, srv.Shutdown(t.Context()))
		rec.want(t, "disconnect")
	})
}

// Arguments that cannot be decoded are nil where no error can be returned.
func TestArgsOfBadCodec(t *testing.T) {
	bubble(t, func(t *testing.T) {
		srv := newServer(t, &socketio.Options{JSON: codec{}})
		var rec record
		srv.On("e", func(c *socketio.Context) {
			var m map[string]int
			rec.add("%v %v", c.Args(), c.Bind(&m) != nil)
		})
		p := dial(t, srv, eiotest.WebSocket)
		p.send("0")
		synctestWait()
		p.send(`2["e",{"x":1}]`)
		rec.want(t, "[<nil>] true")
		require.Equal(t, socketio.Args{}, socketio.Reply{}.Args())
	})
}
