package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/parser"
)

// sealed is a struct into which nothing gets.
//
//lint:ignore U1000 its fields are what is refused
type sealed struct{ room, text string }

type sealedNot struct{ Room string }

// What only looks like it is no mistake.
func TestStructsWithoutExportedFields(t *testing.T) {
	//lint:ignore U1000 that it has no other field is refused
	type embeds struct{ sealed }
	type open struct{ Room string }
	type embedsOpen struct{ open }
	require.Contains(t, panicOf(t, func() { siotest.NewServer(t, nil).On("e", func(*socketio.Context, embeds) {}) }), "no exported field")
	srv := siotest.NewServer(t, nil)
	srv.On("empty", func(_ *socketio.Context, _ struct{}) struct{} { return struct{}{} })
	srv.On("embedded", func(_ *socketio.Context, e embedsOpen) embedsOpen { return e })
	srv.On("time", func(_ *socketio.Context, at time.Time) time.Time { return at })
	srv.On("big", func(_ *socketio.Context, n *big.Int) *big.Int { return n })
}

// A wrong handler panics when registered, and says which, of what type, and where.
func TestRegistrationPanics(t *testing.T) {
	srv := siotest.NewServer(t, nil)
	type ctx = *socketio.Context
	for name, test := range map[string]struct {
		event string
		fn    any
		want  string
	}{
		"nil":            {"e", nil, "it is nil"},
		"nil function":   {"e", (func(ctx))(nil), "the function is nil"},
		"no function":    {"e", 5, "not a function"},
		"no context":     {"e", func(string) {}, "first parameter"},
		"no parameter":   {"e", func() {}, "first parameter"},
		"context twice":  {"e", func(ctx, ctx) {}, "parameter 2"},
		"socket":         {"e", func(ctx, *socketio.Socket) {}, "parameter 2"},
		"std context":    {"e", func(ctx, context.Context) {}, "Context.Context"},
		"request":        {"connect", func(ctx, *http.Request) error { return nil }, "Context.Request"},
		"acknowledge":    {"e", func(ctx, string, func(string)) {}, "what the handler returns is the acknowledgement"},
		"sealed":         {"e", func(ctx, sealed) {}, "it has no exported field"},
		"sealed pointer": {"e", func(ctx, *sealed) {}, "it has no exported field"},
		"sealed result":  {"e", func(ctx) sealed { return sealed{} }, "result 1: nothing of a socketio_test.sealed is sent"},
		"error argument": {"e", func(ctx, int, error) {}, "parameter 3"},
		"interface":      {"e", func(ctx, http.Handler) {}, "concrete type"},
		"channel":        {"e", func(ctx, chan int) {}, "parameter 2"},
		"callback":       {"e", func(ctx, ...func()) {}, "parameter 2"},
		//lint:ignore ST1008 this is what is refused
		"error in the middle": {"e", func(ctx) (error, int) { return nil, 0 }, "not the last"},
		"channel result":      {"e", func(ctx) chan int { return nil }, "cannot be sent"},
		"connect args":        {"connect", func(ctx, int, int) {}, "auth payload"},
		"connect variadic":    {"connect", func(ctx, ...int) {}, "auth payload"},
		"connect result":      {"connect", func(ctx) bool { return false }, "only an error"},
		"connect funcack":     {"connect", socketio.FuncAck(func(ctx, int) (int, error) { return 0, nil }), "only an error"},
		"disconnect string":   {"disconnect", func(ctx, string) {}, "socketio.Reason"},
		"disconnect result":   {"disconnect", func(ctx) int { return 0 }, "only an error"},
		"connect string":      {"connect", func(ctx, string) {}, "the auth payload is an object"},
		"connect number":      {"connect", func(ctx, *int) error { return nil }, "the auth payload is an object"},
		"connect list":        {"connect", func(ctx, []string) {}, "the auth payload is an object"},
		"connect bytes":       {"connect", func(ctx, []byte) {}, "the auth payload is an object"},
		"catch-all struct":    {"*", func(ctx, struct{ A int }) {}, "a catch-all gets the event's name first"},
		"catch-all number":    {"*", func(ctx, int, string) {}, "a catch-all gets the event's name first"},
		"catch-all list":      {"*", func(ctx, []string) {}, "a catch-all gets the event's name first"},
		"catch-all variadic":  {"*", func(ctx, ...int) {}, "a catch-all gets the event's name first"},
		"catch-all Func":      {"*", socketio.Func(func(ctx, int) error { return nil }), "a catch-all gets the event's name first"},
		"reserved":            {"connect_error", func(ctx) {}, "reserves"},
		"reserved too":        {"disconnecting", func(ctx) {}, "reserves"},
		"empty Handler":       {"e", socketio.Handler{}, "made by Func"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, on := range []func(){
				func() { srv.On(test.event, test.fn) },
				func() { srv.Namespace("/x").On(test.event, test.fn) },
			} {
				message := panicOf(t, on)
				require.Contains(t, message, test.want)
				require.Contains(t, message, `On("`+test.event+`")`)
				require.Contains(t, message, "handler_register_test.go:")
			}
		})
	}
	type name string
	for _, ok := range []any{
		func(ctx) {}, func(ctx, string, sealedNot) {}, func(ctx, name) {}, func(ctx, any) {}, func(ctx, json.RawMessage) {}, func(ctx, ...string) {},
		func(ctx, ...any) {}, func(ctx) (socketio.Args, error) { return nil, nil }, func(ctx, string) (string, int, error) { return "", 0, nil },
	} {
		srv.On("*", ok)
	}
	for _, ok := range []any{
		func(ctx) {}, func(ctx, struct{ Token string }) {}, func(ctx, *sealedNot) error { return nil }, func(ctx, map[string]string) {},
		func(ctx, any) {}, func(ctx, json.RawMessage) error { return nil }, socketio.Func(func(ctx, sealedNot) error { return nil }),
	} {
		srv.On("connect", ok)
	}
	require.Contains(t, panicOf(t, func() { srv.On("join", func(s string) {}) }), "cannot use func(string) as a handler")
	require.Contains(t, panicOf(t, func() { socketio.OnAck(func(c ctx) int { return 1 }) }), "OnAck at ")
	require.Contains(t, panicOf(t, func() { srv.Use(nil) }), "handler_register_test.go:")
	require.Contains(t, panicOf(t, func() { srv.Use(func(socketio.HandlerFunc) socketio.HandlerFunc { return nil }) }), "returned nil")
	require.Contains(t, panicOf(t, func() { srv.Namespace("/a,b").On("e", func(ctx) {}) }), "comma")
	require.Contains(t, panicOf(t, func() { srv.Namespace("/a,b").OnError(nil) }), "comma")
	require.Contains(t, panicOf(t, func() { srv.Namespace("/a?b").Use(nil) }), "question mark")
	require.Contains(t, panicOf(t, func() { socketio.Func[int](nil) }), "handler_register_test.go:")
	require.Contains(t, panicOf(t, func() { socketio.FuncAck[int, int](nil) }), "handler_register_test.go:")
}

func panicOf(t *testing.T, f func()) (message string) {
	t.Helper()
	defer func() { message, _ = recover().(string) }()
	f()
	t.Error("no panic")
	return
}

func TestNewServerPanics(t *testing.T) {
	for want, opts := range map[string]*socketio.Options{
		"Options.Limits.ReceiveQueueLimit": {Limits: socketio.Limits{ReceiveQueueLimit: -1}},
		"Options.Limits.SendQueueLimit":    {Limits: socketio.Limits{SendQueueLimit: -1}},
		"Options.Limits.MaxNamespaces":     {Limits: socketio.Limits{MaxNamespaces: -1}},
		"Options.Limits.MaxRooms":          {Limits: socketio.Limits{MaxRooms: -1}},
		"Options.Limits.MaxPendingAcks":    {Limits: socketio.Limits{MaxPendingAcks: -1}},
		"Options.Limits.EventRate":         {Limits: socketio.Limits{EventRate: -1}},
		"set EventRate":                    {Limits: socketio.Limits{EventBurst: 1}},
		"at most 1000000":                  {Limits: socketio.Limits{EventRate: 1_000_001}},
		"Options.Limits.PostBudget":        {Limits: socketio.Limits{PostBudget: 1000}},
		"MaxConnectionsPerIP":              {Limits: socketio.Limits{MaxConnectionsPerIP: -1}},
		"Options.JSON":                     {JSON: codec{}, Parser: parser.New(nil)},
		"Options.Namespaces":               {Namespaces: []string{"/a,b"}},
		"ransport":                         {Transports: []string{"carrier pigeon"}},
	} {
		message := panicOf(t, func() { socketio.NewServer(opts) })
		require.Contains(t, message, want)
		require.Contains(t, message, "socketio: NewServer: ")
	}
}

type codec struct{}

func (codec) Marshal(v any) ([]byte, error)      { return []byte(`{}`), nil }
func (codec) Unmarshal(data []byte, v any) error { return errors.New("not today") }

func TestCustomJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{JSON: objectCodec{}})
		srv.On("e", func(c *socketio.Context, v point) any { return v })
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		p.Send("0")
		p.Want(`0{"custom":true}`)
		p.Send(`21["e",{"x":1}]`)
		p.Want(`31[{"custom":true}]`)
	})
}

type objectCodec struct{}

func (objectCodec) Marshal(v any) ([]byte, error)      { return []byte(`{"custom":true}`), nil }
func (objectCodec) Unmarshal(data []byte, v any) error { return nil }

type chatRoom struct{ rec *siotest.Record }

func (r *chatRoom) OnConnect(c *socketio.Context, a auth) error {
	r.rec.Add("connect %s", a.Token)
	if a.Token == "bad" {
		return &socketio.Error{Message: "bad"}
	}
	return nil
}
func (r *chatRoom) OnDisconnect(c *socketio.Context, why socketio.Reason) {
	r.rec.Add("disconnect %s", why)
}
func (r *chatRoom) OnMyEvent(c *socketio.Context, m string) (string, error) {
	if m == "" {
		return "", errors.New("empty")
	}
	return m + "!", nil
}
func (r *chatRoom) OnError(c *socketio.Context, err error) any { return "error: " + err.Error() }
func (r *chatRoom) Online() int                                { return 1 } // no handler
func (r *chatRoom) On()                                        {}

// Flask-SocketIO 1.13: class-based namespaces. Defect S5: nothing but handlers can be reached.
func TestRegister(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.Register("/chat", &chatRoom{&rec})
		p := siotest.Dial(t, srv, mode)
		p.Send(`0/chat,{"token":"bad"}`)
		p.Want(`4/chat,{"message":"bad"}`)
		p.Send(`0/chat,{"token":"good"}`)
		p.Connected("/chat")
		p.Send(`2/chat,1["my_event","hi"]`, `2/chat,2["my_event"]`, `2/chat,3["line"]`, `2/chat,4["OnMyEvent","x"]`, `2/chat,5["online"]`,
			`2/chat,6["error","x"]`, `2/chat,7["my_event","end"]`)
		p.Want(`3/chat,1["hi!"]`, `3/chat,2["error: empty"]`, `3/chat,7["end!"]`)
		p.Send(`1/chat,`)
		rec.Want(t, "connect bad", "connect good", "disconnect client disconnect")
	})
}

type wrongShape struct{}

func (wrongShape) OnMyEvent(s string) {}

type wrongError struct{}

func (wrongError) OnError(c *socketio.Context) {}

type reservedMethod struct{}

func (reservedMethod) OnConnectError(c *socketio.Context) {}

type twice struct{}

func (twice) OnFooBar(c *socketio.Context)  {}
func (twice) OnFoo_bar(c *socketio.Context) {} //nolint:revive // that is the point

func TestRegisterPanics(t *testing.T) {
	srv := siotest.NewServer(t, nil)
	for want, v := range map[string]any{
		"method OnMyEvent":                  wrongShape{},
		"method OnError":                    wrongError{},
		"the protocol reserves":             reservedMethod{},
		"already handles event \"foo_bar\"": twice{},
		"no exported method":                chatRoom{},
		"the value is nil":                  nil,
	} {
		message := panicOf(t, func() { srv.Register("/x", v) })
		require.Contains(t, message, want)
		require.Contains(t, message, "handler_register_test.go:")
	}
	require.Contains(t, panicOf(t, func() { srv.Register("/a,b", &chatRoom{}) }), "comma")
}

// Handler mounts the server around an app, as Flask-SocketIO wraps one.
func TestHandlerAroundApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{Path: "realtime"})
		h := srv.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
		for path, want := range map[string]int{"/": http.StatusTeapot, "/realtime": http.StatusBadRequest, "/realtimes": http.StatusTeapot, "/realtime/": http.StatusBadRequest,
			"/realtime/?EIO=4&transport=polling": http.StatusOK} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			require.Equal(t, want, w.Code, path)
		}
	})
}
