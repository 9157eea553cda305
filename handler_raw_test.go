package socketio_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// A relay passes on what it got, exactly: integers above 2^53, which any loses, the
// order of keys, numbers as they were written, and binary data.
func TestRawRelay(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		type addressed struct {
			To   string       `json:"to"`
			Data socketio.Raw `json:"data"`
		}
		srv.On("param", func(c *socketio.Context, data socketio.Raw) error { return c.Emit("param", data) })
		srv.On("func", socketio.FuncAck(func(_ *socketio.Context, data socketio.Raw) (socketio.Raw, error) { return data, nil }))
		srv.On("rest", func(c *socketio.Context, data ...socketio.Raw) (socketio.Raw, error) { return data[1], nil })
		srv.On("field", func(c *socketio.Context, m addressed) error { return c.Emit("field", m) })
		srv.On("both", func(c *socketio.Context, data socketio.Raw) error {
			return c.Emit("both", socketio.Args{[]byte("mine"), data})
		})
		srv.OnError(func(_ *socketio.Context, err error) any { return err.Error() })
		srv.On("*", func(c *socketio.Context) error { return c.Emit(c.Event(), c.RawArgs(), socketio.To(c.ID())) })
		p := siotest.Join(t, srv, mode)
		const value = `{"z":9007199254740993,"a":[1.0,1e3,"\u00e9"],"z":12345678901234567890}`
		for _, packet := range []string{
			`2["param",` + value + `]`, `2["field",{"to":"ann","data":` + value + `}]`, `2["other",1.0,` + value + `,null]`, `2["none"]`,
			`2["param",{"_placeholder":true,"num":0}]`,
		} {
			p.Send(packet)
			p.Want(packet)
		}
		p.Send(`21["func",`+value+`]`, `22["rest",1,`+value+`]`)
		p.Want(`31[`+value+`]`, `32[`+value+`]`)
		p.Send(`51-["param",{"_placeholder":true,"num":0}]`, "b:data")
		p.Want(`51-["param",{"_placeholder":true,"num":0}]`, "b:data")
		p.Send(`52-["field",{"to":"ann","data":[{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}},9007199254740993]}]`, "b:data", "b:more")
		p.Want(`52-["field",{"to":"ann","data":[{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}},9007199254740993]}]`, "b:data", "b:more")

		// Data that looks like a placeholder is not taken for the attachment beside it.
		p.Send(`21["both",{"_placeholder":true,"num":0}]`)
		p.Want(`31["socketio: emit \"both\": parser: cannot encode: an object with the key \"_placeholder\", which stands for an attachment, is in the data beside attachments"]`)
		p.Send(`2["both",1]`)
		p.Want(`51-["both",{"_placeholder":true,"num":0},1]`, "b:mine")
	})
}

// An answer of a client on another server, binary or not, keeps all digits.
func TestRawAnswerThroughTheBroker(t *testing.T) {
	siotest.InFleet(t, 2, func(t *testing.T, f *siotest.Fleet) {
		p := siotest.Join(t, f.Servers[1], eiotest.WebSocket)
		synctest.Wait()
		replies := make(chan socketio.Reply, 1)
		for _, answer := range []string{`3ID[9007199254740993]`, `61-ID[{"n":9007199254740993,"b":{"_placeholder":true,"num":0}}]`} {
			go func() {
				all, err := f.Servers[0].Call(t.Context(), "ask", nil)
				require.NoError(t, err)
				replies <- all[0]
			}()
			packets := []string{strings.ReplaceAll(answer, "ID", p.WantAckEvent(`["ask"]`))}
			if answer[0] == '6' {
				packets = append(packets, "b:bytes")
			}
			p.Send(packets...)
			var n struct {
				N int64
				B []byte
			}
			r := <-replies
			if answer[0] == '3' {
				require.NoError(t, r.Bind(&n.N))
			} else {
				require.NoError(t, r.Bind(&n))
				require.Equal(t, "bytes", string(n.B))
			}
			require.EqualValues(t, int64(9007199254740993), n.N)
		}
	})
}
