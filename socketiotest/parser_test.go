package socketiotest_test

import (
	"bytes"
	"testing"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/parser"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// mirrored is a packet format of its own: text is reversed.
type mirrored struct{ parser.Parser }

type mirroredDecoder struct{ parser.Decoder }

func mirror(b []byte) []byte {
	m := bytes.Clone(b)
	for i, j := 0, len(m)-1; i < j; i, j = i+1, j-1 {
		m[i], m[j] = m[j], m[i]
	}
	return m
}

func (p mirrored) Encode(dst []byte, h parser.Header, args []any) ([]byte, [][]byte, error) {
	text, attachments, err := p.Parser.Encode(nil, h, args)
	return append(dst, mirror(text)...), attachments, err
}

func (p mirrored) NewDecoder(l parser.Limits) parser.Decoder {
	return mirroredDecoder{p.Parser.NewDecoder(l)}
}

func (d mirroredDecoder) Decode(data []byte, binary bool) (parser.Packet, bool, error) {
	if !binary {
		data = mirror(data)
	}
	return d.Decoder.Decode(data, binary)
}

func TestParser(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		p := mirrored{parser.New(nil)}
		srv := siotest.NewServer(t, &socketio.Options{Parser: p})
		srv.On("swap", func(c *socketio.Context, s string, b []byte) ([]byte, string, error) {
			return b, s, c.Emit("swapped", socketio.Args{b, s})
		})
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr, Parser: p})
		if got := c.Call("swap", "s", []byte("b")).String(); got != `["Yg==","s"]` {
			t.Errorf("answer %s", got)
		}
		c.Expect("swapped", []byte("b"), "s")
	})
}
