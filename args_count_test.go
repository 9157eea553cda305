package socketio_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

func TestNumArgs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		srv.On("n", func(c *socketio.Context, _ string) int { return c.NumArgs() })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		p.Send(`21["n"]`, `22["n","a"]`, `23["n",null,null,{}]`)
		p.Want(`31[0]`, `32[1]`, `33[3]`)
	})
}

type addition struct{}

func (addition) OnMethod(_ *socketio.Context, a, b int) int { return a + b }

// Options.StrictArgs is Python's TypeError: the handler is not called.
func TestStrictArgs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{StrictArgs: true, Namespaces: []string{"/class"}})
		srv.OnError(func(c *socketio.Context, err error) any {
			var wrong *socketio.ArgError
			require.ErrorAs(t, err, &wrong)
			require.ErrorIs(t, err, socketio.ErrArgCount)
			return fmt.Sprint(wrong.Index, wrong.Type, " ", strings.TrimPrefix(err.Error(), "socketio: wrong number of arguments: "))
		})
		srv.On("connect", func(*socketio.Context, map[string]any) {}) // a client may send no auth
		srv.On("add", func(_ *socketio.Context, a, b int) int { return a + b })
		srv.On("one", func(_ *socketio.Context, s string) string { return s })
		srv.On("func", socketio.FuncAck(func(_ *socketio.Context, s string) (string, error) { return s, nil }))
		srv.On("none", func(*socketio.Context) string { return "ok" })
		srv.On("some", func(_ *socketio.Context, a int, more ...int) int { return a + len(more) })
		srv.On("raw", func(c *socketio.Context) (socketio.Args, error) { return socketio.Args{c.NumArgs()}, nil })
		srv.On("rawtoo", socketio.HandlerFunc(func(c *socketio.Context) (socketio.Args, error) { return socketio.Args{c.NumArgs()}, nil }))
		srv.On("*", func(_ *socketio.Context, event string, arg int) string { return event })
		srv.Register("/class", addition{})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		for _, test := range [][2]string{
			{`["add",1,2]`, `[3]`},
			{`["add",1]`, `["1int 1, and the handler takes 2: event \"add\""]`},
			{`["add"]`, `["0int 0, and the handler takes 2: event \"add\""]`},
			{`["add",1,2,3]`, `["2 3, and the handler takes 2: event \"add\""]`},
			{`["one","a"]`, `["a"]`},
			{`["one"]`, `["0string 0, and the handler takes 1: event \"one\""]`},
			{`["func","a"]`, `["a"]`},
			{`["func","a","b"]`, `["1 2, and the handler takes 1: event \"func\""]`},
			{`["none"]`, `["ok"]`},
			{`["none",null]`, `["0 1, and the handler takes 0: event \"none\""]`},
			{`["some",1]`, `[1]`},
			{`["some",1,2,3]`, `[3]`},
			{`["some"]`, `["0int 0, and the handler takes at least 1: event \"some\""]`},
			{`["raw",1,2,3]`, `[3]`},
			{`["rawtoo",1,2,3]`, `[3]`},
			{`["any",1]`, `["any"]`},
			{`["any"]`, `["0int 0, and the handler takes 1: event \"any\""]`},
			{`["any",1,2]`, `["1 2, and the handler takes 1: event \"any\""]`},
		} {
			p.Send(`21` + test[0])
			p.Want(`31` + test[1])
		}
		p.Connect("/class")
		p.Send(`2/class,1["method",1,2]`, `2/class,2["method",1]`)
		p.Want(`3/class,1[3]`, `3/class,2["1int 1, and the handler takes 2: event \"method\""]`)
	})
}

// Options from a configuration can be tried before NewServer panics.
func TestOptionsValidate(t *testing.T) {
	var none *socketio.Options
	require.NoError(t, none.Validate())
	require.NoError(t, new(socketio.Options).Validate())
	for _, o := range []*socketio.Options{
		{Limits: socketio.Limits{MaxRooms: -1}}, {Cluster: socketio.ClusterOptions{PeerURL: "x"}}, {Transports: []string{"pigeon"}}, {PingInterval: -1}, {AllowedOrigins: []string{"not an origin/"}},
		{Namespaces: []string{"a,b"}}, {Limits: socketio.Limits{EventBurst: 3}},
	} {
		err := o.Validate()
		require.Error(t, err, "%+v", o)
		said := panicOf(t, func() { socketio.NewServer(o) })
		require.Contains(t, strings.ReplaceAll(said, "NewServer: ", ""), strings.TrimPrefix(err.Error(), "socketio: "))
	}
}

// Clients close the connection when a packet has more than ten attachments: the log says it, once.
func TestTooManyAttachmentsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := new(siotest.Logs)
		srv := siotest.NewServer(t, &socketio.Options{Logger: slog.New(slog.NewTextHandler(out, nil))})
		p := siotest.Join(t, srv, eiotest.WebSocket)
		s := srv.Socket(p.SID)
		bytes := func(n int) (args socketio.Args) {
			for range n {
				args = append(args, []byte{1})
			}
			return args
		}
		require.NoError(t, s.Emit("e", bytes(10)))
		require.NotContains(t, out.String(), "attachments")
		require.NoError(t, s.Emit("e", bytes(11)))
		require.NoError(t, srv.Emit("e", bytes(12)))
		require.Equal(t, 1, strings.Count(out.String(), "attachments was sent"), out.String())
		require.Contains(t, out.String(), "level=WARN")
	})
}

// A struct without exported fields would be sent as {}: an error value, mostly.
func TestNothingOfAStructWouldBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		srv.On("ask", func(*socketio.Context) (any, error) { return errors.New("boom"), nil })
		srv.OnError(func(_ *socketio.Context, err error) any { return err.Error() })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		s := srv.Socket(p.SID)
		for name, data := range map[string]any{
			"struct": sealed{}, "pointer": &sealed{}, "error": errors.New("boom"), "wrapped": fmt.Errorf("x: %w", errors.New("boom")),
			"argument": socketio.Args{1, sealed{}}, "slice": []sealed{{}}, "map": map[string]*sealed{"a": {}},
			"in any": map[string]any{"error": errors.New("boom")}, "in a list": []any{1, sealed{}},
			"field": struct{ Err error }{errors.New("boom")},
		} {
			require.ErrorContains(t, s.Emit("e", data), "it has no exported field", name)
			require.ErrorContains(t, srv.Emit("e", data), "it has no exported field", name)
		}
		p.Quiet()
		p.Send(`21["ask"]`)
		p.Want(`31["socketio: acknowledge \"ask\": parser: cannot encode argument 0: nothing of a *errors.errorString would be sent: it has no exported field; send err.Error()"]`)
		at := time.Unix(0, 0).UTC()
		for _, ok := range []struct {
			data any
			want string
		}{
			{struct{}{}, `{}`}, {&struct{}{}, `{}`}, {[]sealed{}, `[]`}, {(*sealed)(nil), `null`}, {at, `"1970-01-01T00:00:00Z"`},
			{map[string]any{"at": &at}, `{"at":"1970-01-01T00:00:00Z"}`}, {big.NewInt(7), `7`}, {[]any{nil, (*sealed)(nil)}, `[null,null]`},
			{struct {
				Err error `json:"err,omitempty"`
			}{}, `{}`},
		} {
			require.NoError(t, s.Emit("e", ok.data))
			p.Want(`2["e",` + ok.want + `]`)
		}
	})
}
