package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/seed-d124fa34/socketio"
)

// flaskApp is flask/server.py, written with this library.
type flaskApp struct {
	srv *socketio.Server

	mu      sync.Mutex
	journal map[string][][]any       // by scenario: what the server's side saw
	gates   map[string]chan struct{} // by scenario: where its handlers wait
}

// newFlaskApp completes the options.
func newFlaskApp(opts socketio.Options) *flaskApp {
	a := &flaskApp{journal: make(map[string][][]any), gates: make(map[string]chan struct{})}
	opts.Namespaces = []string{"/any"}
	opts.Session = func(r *http.Request) map[string]any {
		if name, ok := user(r); ok {
			return map[string]any{"name": name}
		}
		return nil
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	a.srv = socketio.NewServer(&opts)
	for _, name := range []string{"/", "/chat", "/other"} {
		n := a.srv.Namespace(name)
		a.lifecycle(n)
		a.messages(n)
		a.membership(n)
		a.questions(n)
		a.values(n)
	}
	for _, name := range []string{"/auth", "/handled"} {
		n := a.srv.Namespace(name)
		a.admission(n)
		a.values(n)
	}
	a.errorHandlers(opts.AlwaysConnect)
	a.catchAlls()
	a.srv.Register("/class", &flaskClass{a})
	a.srv.Register("/mixed", &flaskMixed{})
	a.srv.Namespace("/mixed").On("function", func(_ *socketio.Context, args ...any) (socketio.Args, error) {
		return prepend(args, "function"), nil
	})
	return a
}

func prepend(args []any, first ...any) socketio.Args { return append(first, args...) }

func scenarioOf(r *http.Request) string { return r.URL.Query().Get("scenario") }

func (a *flaskApp) note(r *http.Request, entry ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.journal[scenarioOf(r)] = append(a.journal[scenarioOf(r)], entry)
}

// noted returns the scenario's journal so far.
func (a *flaskApp) noted(r *http.Request) [][]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.journal[scenarioOf(r)])
}

func (a *flaskApp) gate(r *http.Request) chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	gate, ok := a.gates[scenarioOf(r)]
	if !ok {
		gate = make(chan struct{})
		a.gates[scenarioOf(r)] = gate
	}
	return gate
}

// wait blocks a handler until the gate is open or the client has left.
func (a *flaskApp) wait(c *socketio.Context) {
	select {
	case <-a.gate(c.Request()):
	case <-c.Context().Done():
	}
}

func (a *flaskApp) lifecycle(n *socketio.Namespace) {
	n.On("disconnect", func(c *socketio.Context, reason socketio.Reason) error {
		a.note(c.Request(), "disconnect", n.Name(), c.ID(), c.Rooms()[1:])
		if c.Request().URL.Query().Has("reasons") {
			a.note(c.Request(), "reason", reason)
		}
		return c.Emit("left", c.ID(), socketio.To("watchers of "+scenarioOf(c.Request())))
	})
	n.On("sync", func(*socketio.Context) {})
	n.On("kick", func(c *socketio.Context, sid string) (string, error) {
		target := c.Socket
		if sid != "" {
			target = n.Socket(sid)
		}
		err := target.Emit("last words", nil)
		target.Disconnect()
		return "kicked", err
	})
	n.On("where", func(c *socketio.Context) (string, string, []string, string, error) {
		r := c.Request()
		return c.Namespace().Name(), c.ID(), append([]string{}, r.URL.Query()["q"]...), r.Header.Get("X-Test"), nil
	})
}

// flaskNames is a name or a list of names.
type flaskNames []string

func (n *flaskNames) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*n = flaskNames{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(n))
}

// flaskSpec has the arguments of a call of emit, as the client wrote them.
type flaskSpec struct {
	Event       string        `json:"event"`
	Args        socketio.Args `json:"args"`
	To          *flaskNames   `json:"to"`
	Broadcast   bool          `json:"broadcast"`
	IncludeSelf *bool         `json:"include_self"`
	SkipSID     flaskNames    `json:"skip_sid"`
	Namespace   string        `json:"namespace"`
	Timeout     float64       `json:"timeout"` // seconds

	JSON bool `json:"json"` // of send
	Data any  `json:"data"`

	SID  string `json:"sid"` // of the routes
	Room string `json:"room"`
	Name string `json:"name"`
}

func (s flaskSpec) options() []socketio.EmitOption {
	options := []socketio.EmitOption{socketio.Skip(s.SkipSID...)}
	if s.To != nil {
		options = append(options, socketio.To(*s.To...))
	}
	if s.Broadcast {
		options = append(options, socketio.Broadcast())
	}
	if s.IncludeSelf != nil && !*s.IncludeSelf {
		options = append(options, socketio.SkipSelf())
	}
	if s.Namespace != "" {
		options = append(options, socketio.InNamespace(s.Namespace))
	}
	return options
}

func (a *flaskApp) messages(n *socketio.Namespace) {
	n.On("emit", func(c *socketio.Context, s flaskSpec) error { return c.Emit(s.Event, s.Args, s.options()...) })
	n.On("server emit", func(_ *socketio.Context, s flaskSpec) error { return n.Emit(s.Event, s.Args, s.options()...) })
	n.On("send", func(c *socketio.Context, s flaskSpec) error {
		if s.JSON {
			return c.Emit("json", s.Data, s.options()...)
		}
		return c.Send(s.Data, s.options()...)
	})
	n.On("message", func(c *socketio.Context, data any) error { return c.Send(data, socketio.Broadcast()) })
	n.On("json", func(c *socketio.Context, data any) error { return c.Emit("json", data, socketio.Broadcast()) })
	n.On("echo", func(c *socketio.Context, args ...any) error { return c.Emit("echo", socketio.Args(args)) })
	n.On("burst", func(c *socketio.Context, count int) error {
		for i := range count {
			if err := c.Emit("burst", i); err != nil {
				return err
			}
		}
		return nil
	})
	n.On("large", func(c *socketio.Context, data string, size int) (int, error) {
		binary := slices.Repeat([]byte{0xcd}, size)
		return utf8.RuneCountInString(data), c.Emit("large", socketio.Args{strings.Repeat("y", size), binary})
	})
	n.On("task", func(_ *socketio.Context, s flaskSpec) { go func() { _ = n.Emit(s.Event, s.Args) }() })
}

func (a *flaskApp) membership(n *socketio.Namespace) {
	n.On("join", func(c *socketio.Context, room, sid string) error {
		if sid != "" {
			return n.JoinRoom(sid, room)
		}
		return c.Join(room)
	})
	n.On("leave", func(c *socketio.Context, room, sid string) error {
		if sid != "" {
			return n.LeaveRoom(sid, room)
		}
		c.Leave(room)
		return nil
	})
	n.On("close", func(_ *socketio.Context, room string) error { return n.CloseRoom(room) })
	n.On("rooms", func(c *socketio.Context, sid string) ([]string, error) {
		if sid != "" {
			return append([]string{}, n.Rooms(sid)...), nil
		}
		return c.Rooms(), nil
	})
}

func (a *flaskApp) questions(n *socketio.Namespace) {
	n.On("ask", func(c *socketio.Context, s flaskSpec) error {
		answered := socketio.OnAck(func(_ *socketio.Context, answers ...any) error {
			return c.Emit("answered", socketio.Args(answers)) // to the client that asked
		})
		return c.Emit(s.Event, s.Args, append(s.options(), answered)...)
	})
	n.On("call", func(c *socketio.Context, s flaskSpec) (socketio.Args, error) {
		ctx := c.Context()
		if s.Timeout > 0 {
			short, cancel := context.WithTimeout(ctx, time.Duration(s.Timeout*float64(time.Second)))
			defer cancel()
			ctx = short
		}
		answer, err := c.Call(ctx, s.Event, s.Args, s.options()...)
		if err != nil {
			return socketio.Args{"no answer"}, nil
		}
		return socketio.Args{"answer", append([]any{}, answer.Args()...)}, nil
	})
	n.On("slow", func(c *socketio.Context) (bool, error) {
		a.note(c.Request(), "slow")
		a.wait(c)
		return slices.ContainsFunc(a.noted(c.Request()), func(e []any) bool { return e[0] == "fast" }), nil
	})
	n.On("fast", func(c *socketio.Context) { a.note(c.Request(), "fast") })
}

var flaskResults = map[string]socketio.Args{
	"nothing":      nil,
	"one":          {"one"},
	"several":      {1, "two", true, nil, 2.5},
	"empty tuple":  {},
	"list":         {[]any{1, []any{2, []any{}}}},
	"dict":         {map[string]any{"a": map[string]any{"b": []any{nil}}}},
	"zero":         {0},
	"false":        {false},
	"empty":        {""},
	"bytes":        {[]byte{0, 1, 0xff}},
	"nested bytes": {map[string]any{"a": []any{[]byte("one"), map[string][]byte{"b": []byte("two")}}, "c": "three"}, []byte{}},
	"unicode":      {"é ␞ \x00 😀 \u2028 \"\\"},
	"nulls":        {nil, nil},
}

func (a *flaskApp) values(n *socketio.Namespace) {
	n.On("return", func(_ *socketio.Context, kind string) (socketio.Args, error) { return flaskResults[kind], nil })
	n.On("same", func(_ *socketio.Context, args ...any) (socketio.Args, error) { return args, nil })
	n.On("raise", func(_ *socketio.Context, message string) error { return errors.New(message) })
	n.On("panic", func(*socketio.Context, ...any) (any, error) { return []any{}[len(flaskResults)], nil })
	n.On("set", func(c *socketio.Context, key string, value any) { c.Session().Set(key, value) })
	n.On("get", func(c *socketio.Context, key string) (any, error) { return c.Session().Get(key), nil })
}

func (a *flaskApp) admission(n *socketio.Namespace) {
	n.On("connect", func(c *socketio.Context, auth any) error {
		a.note(c.Request(), "connect", auth)
		var how struct {
			How  string
			With []any
			Join string
			Emit *flaskSpec
			Wait bool
		}
		if _, ok := auth.(map[string]any); ok {
			if err := c.Bind(&how); err != nil {
				return err
			}
		}
		if how.Join != "" {
			if err := c.Join(how.Join); err != nil {
				return err
			}
		}
		if how.Emit != nil {
			if err := c.Emit(how.Emit.Event, how.Emit.Args, how.Emit.options()...); err != nil {
				return err
			}
		}
		if how.Wait {
			a.wait(c)
		}
		switch how.How {
		case "false":
			return new(socketio.Error)
		case "refuse":
			refusal := new(socketio.Error)
			switch with := how.With; len(with) {
			case 0:
			case 1:
				refusal.Message = with[0].(string)
			case 2:
				refusal.Message, refusal.Data = with[0].(string), with[1]
			default:
				refusal.Message, refusal.Data = with[0].(string), with[1:]
			}
			return refusal
		case "raise":
			return errors.New("a detail")
		case "disconnect":
			c.Disconnect()
		}
		return nil
	})
	n.On("disconnect", func(c *socketio.Context) error {
		a.note(c.Request(), "disconnect", n.Name())
		if c.Request().URL.Query().Has("raise") {
			return errors.New("in the disconnect handler")
		}
		return nil
	})
	n.On("sync", func(*socketio.Context) {})
	n.On("raise twice", func(*socketio.Context) error { return errors.New("twice") })
}

func (a *flaskApp) errorHandlers(withDefault bool) {
	a.srv.Namespace("/handled").OnError(func(c *socketio.Context, err error) any {
		a.note(c.Request(), "error", c.Event())
		switch c.Event() {
		case "connect":
			return "accepted"
		case "raise twice":
			panic(err)
		case "panic":
			return map[string]any{"handled": c.Event()}
		}
		return socketio.Args{"handled", err.Error(), c.Event(), c.Args()}
	})
	if withDefault {
		a.srv.OnError(func(_ *socketio.Context, err error) any { return socketio.Args{"default", err.Error()} })
	}
}

func (a *flaskApp) catchAlls() {
	catch, star := a.srv.Namespace("/catch"), a.srv.Namespace("*")
	catch.On("known", func(c *socketio.Context, args ...any) (socketio.Args, error) {
		return prepend(args, "known"), c.Emit("known", socketio.Args(args))
	})
	catch.On("*", func(c *socketio.Context, event string, args ...any) (socketio.Args, error) {
		all := prepend(args, event)
		return all, c.Emit("caught", all)
	})
	star.On("star", func(c *socketio.Context, args ...any) (socketio.Args, error) {
		return prepend(args, c.Namespace().Name()), c.Emit("star", socketio.Args(args))
	})
	star.On("known", func(*socketio.Context) (string, error) { return "the handler of the namespace * was called", nil })
}
