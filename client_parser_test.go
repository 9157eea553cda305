package socketio_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
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
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Parser: badParser{Parser: parser.New(nil), fails: parser.Connect}})
		srv.On("disconnect", func(c *socketio.Context) { t.Error("never connected") })
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		p.Send("0")
		p.Want(`4{"message":"Connection rejected by server"}`)
	})
}

// Defect S2, whatever the parser lets pass: a client cannot call connect and disconnect handlers.
func TestReservedEventFromParser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec siotest.Record
		srv := siotest.NewServer(t, &socketio.Options{Parser: badParser{Parser: parser.New(nil), fails: 99, rename: "connect"}})
		srv.On("connect", func(c *socketio.Context) { rec.Add("connect") })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		p.Send(`2["x"]`)
		p.Closed()
		rec.Want(t, "connect")
	})
}

// A connect handler that had not begun when the server shut down does not begin.
func TestShutdownDropsWaitingConnect(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("connect", func(c *socketio.Context) { rec.Add("connect") })
		srv.On("disconnect", func(c *socketio.Context) { time.Sleep(time.Minute); rec.Add("disconnect") })
		p := siotest.Join(t, srv, mode)
		p.Send(`1`, `0`)
		synctest.Wait()
		rec.Want(t, "connect")
		require.NoError(t, srv.Shutdown(t.Context()))
		rec.Want(t, "disconnect")
	})
}

// Arguments that cannot be decoded are nil where no error can be returned.
func TestArgsOfBadCodec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{JSON: codec{}})
		var rec siotest.Record
		srv.On("e", func(c *socketio.Context) {
			var m map[string]int
			rec.Add("%v %v", c.Args(), c.Bind(&m) != nil)
		})
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		p.Send("0")
		synctest.Wait()
		p.Send(`2["e",{"x":1}]`)
		rec.Want(t, "[<nil>] true")
		require.Equal(t, socketio.Args{}, socketio.Reply{}.Args())
	})
}
