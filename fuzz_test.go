package socketio_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

type fuzzed struct {
	Name  string            `json:"name"`
	Data  []byte            `json:"data"`
	More  map[string][]byte `json:"more"`
	Any   any               `json:"any"`
	Raw   json.RawMessage   `json:"raw"`
	Next  *fuzzed           `json:"next"`
	List  []fuzzed          `json:"list"`
	Exact json.Number       `json:"exact"`
	At    time.Time         `json:"at"`
}

// registers reports whether a handler is accepted.
func registers(srv *socketio.Server, event string, h any) (ok bool) {
	defer func() { ok = recover() == nil }()
	srv.On(event, h)
	return
}

// shapes are handlers of every shape: those called directly, and through reflection. Each counts its calls.
func fuzzShapes(n *atomic.Int64) []any {
	called := func() { n.Add(1) }
	type c = *socketio.Context
	return []any{
		func(c) { called() },
		func(c) error { called(); return nil },
		func(c c) (socketio.Args, error) { called(); return c.Args(), nil },
		func(c) (any, error) { called(); return nil, nil },
		func(c, string) { called() },
		func(_ c, s string) (string, error) { called(); return s, nil },
		func(_ c, b []byte) []byte { called(); return b },
		func(_ c, r json.RawMessage) (json.RawMessage, error) { called(); return r, nil },
		func(_ c, v any) any { called(); return v },
		func(_ c, m map[string]any) (any, error) { called(); return m, nil },
		func(_ c, n int) int { called(); return n },
		func(_ c, f float64) (float64, error) { called(); return f, nil },
		func(c, bool) error { called(); return nil },
		func(_ c, s string, v any) (any, error) { called(); return []any{s, v}, nil },
		func(_ c, s string, b []byte) (string, error) { called(); return s, nil },
		func(c, int, int) { called() },
		socketio.Func(func(c, fuzzed) error { called(); return nil }),
		socketio.FuncAck(func(_ c, v fuzzed) (fuzzed, error) { called(); return v, nil }),
		socketio.HandlerFunc(func(c c) (socketio.Args, error) {
			called()
			var v fuzzed
			var s *string
			return socketio.Args{v, s}, c.Bind(&v, nil, &s)
		}),
		func(_ c, v *fuzzed) (*fuzzed, error) { called(); return v, nil },
		func(_ c, v []fuzzed, rest ...json.Number) (int, int, error) { called(); return len(v), len(rest), nil },
		func(_ c, rest ...any) []any { called(); return rest },
		func(_ c, rest ...[]byte) (socketio.Args, error) {
			called()
			var args socketio.Args
			for _, b := range rest {
				args = append(args, b)
			}
			return args, nil
		},
		func(_ c, a [3]int8, b uint16, d float32, e map[int]string) (any, any, any, any) {
			called()
			return a, b, d, e
		},
		func(_ c, a **int, b [][]byte, d map[string]*[]byte, e struct{ fuzzed }) { called() },
		func(_ c, at time.Time, d time.Duration) (time.Time, time.Duration) { called(); return at, d },
	}
}

// Any arguments, for a handler of any shape, a catch-all, a connect handler, the callback of an acknowledgement, or the
// answer of a Call: each handler is called, or the error handler with an *ArgError, or the packet was none and the
// connection is closed. Nothing panics, and a client that asked for an acknowledgement gets one. It is long because
// each way to bring arguments to a function has its own packet and its own outcome.
func FuzzHandlers(f *testing.F) {
	const (
		event = iota
		catchAll
		auth
		callback
		call
		ways
	)
	args := []string{``, `1`, `"x"`, `"x",null`, `-1,2.5`, `1e400`, `true,false`, `{"name":"n","list":[{"next":{"name":1}}],"exact":1e3}`, `[[],{}],"\u0000"`,
		`{"_placeholder":true,"num":0}`, `{"data":{"_placeholder":true,"num":0},"more":{"a":{"_placeholder":true,"num":1}}},1`, `"YQ==","!"`,
		`{"_placeholder":true,"num":0},{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}`, `[1,2,3],65536,1e39,{"1":"a"}`, `"2024-01-02T03:04:05Z",9`, `"x"]`,
		`{"raw":{"_placeholder":true,"num":1},"any":[{"_placeholder":true,"num":0}]}`, strings.Repeat("[", 200) + strings.Repeat("]", 200)}
	shapes := uint8(len(fuzzShapes(new(atomic.Int64))))
	for i := range shapes {
		for j, a := range args {
			f.Add(a, []byte("\x00a"), []byte{}, i, uint8(j)%ways, i&1 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, args string, a, b []byte, shape, way uint8, binary bool) {
		shape, way = shape%shapes, way%ways
		if strings.Contains(args, eiotest.Separator) || len(args) > 1<<16 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			var called, failed atomic.Int64
			srv := siotest.NewServer(t, nil)
			srv.OnError(func(c *socketio.Context, err error) any {
				var arg *socketio.ArgError
				var panicked *socketio.PanicError
				if failed.Add(1); errors.As(err, &panicked) {
					t.Errorf("%v\n%s", err, panicked.Stack)
				} else if !errors.As(err, &arg) && called.Load() == 0 {
					t.Errorf("the handler was not called because of a %T: %v", err, err)
				}
				return nil
			})
			s := openSession(t, srv)

			// The packet, whose event or acknowledgement id goes in front of the arguments.
			packet, open := "7", args
			if way != callback && way != call && way != auth && args != "" {
				open = "," + args
			}
			parts := []string{}
			kind, hyphen := "2", ""
			if binary {
				kind, hyphen = "5", "2-"
				parts = []string{"b" + base64.StdEncoding.EncodeToString(a), "b" + base64.StdEncoding.EncodeToString(b)}
			}
			h := fuzzShapes(&called)[shape]
			var gone atomic.Bool
			srv.On("disconnect", func(*socketio.Context) { gone.Store(true) })
			var callErr error
			switch way {
			case event:
				srv.On("e", h)
				packet = kind + hyphen + `7["e"` + open + `]`
			case catchAll:
				if !registers(srv, "*", h) { // it has no place for the event's name
					srv.On("e", h)
				}
				packet = kind + hyphen + `7["e"` + open + `]`
			case auth:
				srv.On("connect", func(c *socketio.Context, v fuzzed) { called.Add(1) })
				packet, parts = "0/,"+args, nil
			case callback, call:
				s.post("40")
				id := ""
				srv.On("ask", func(c *socketio.Context) error {
					if way == call {
						go func() {
							_, callErr = socketio.Call[fuzzed](t.Context(), c, "ask", nil)
							called.Add(1)
						}()
						return nil
					}
					return c.Emit("ask", nil, socketio.OnAck(func(c *socketio.Context, v fuzzed, more ...any) { called.Add(1) }))
				})
				s.post(`42["ask"]`)
				id = regexp.MustCompile(`42(\d+)\["ask"\]`).FindStringSubmatch(s.poll())[1]
				packet = map[bool]string{false: "3", true: "6"}[binary] + hyphen + id + "[" + args + "]"
			}
			if way == event || way == catchAll {
				s.post("40")
				s.poll()
			}
			before := failed.Load()
			status := s.post("4"+packet, parts...)
			synctest.Wait()
			if status != 200 && status != 400 {
				t.Fatalf("status %d", status)
			}
			ended := s.ended()
			calls, failures := called.Load(), failed.Load()-before
			if way == call {
				var left *socketio.DisconnectError
				if calls != 1 && !binary {
					t.Fatalf("Call has not returned")
				}
				if ended != errors.As(callErr, &left) {
					t.Fatalf("closed %v, and Call returned %v", ended, callErr)
				}
				return
			}
			answer := ""
			if !ended {
				answer = s.poll()
			}
			switch {
			case ended:
				if calls+failures != 0 {
					t.Fatalf("the connection is closed, and there were %d calls and %d errors", calls, failures)
				}
			case binary && way != auth && answer == "" && calls == 0: // attachments are still to come
			case way == auth && calls == 0:
				if failures != 1 || !strings.HasPrefix(answer, "44") {
					t.Fatalf("no call, %d errors, %q", failures, answer)
				}
			case calls+failures == 0, calls > 1, failures > 1:
				t.Fatalf("%d calls, %d errors", calls, failures)
			case way == event || way == catchAll:
				if n := len(regexp.MustCompile(`(^|\x1e)4(3|6\d+-)7\[`).FindAllString(answer, -1)); n != 1 {
					t.Fatalf("%d acknowledgements: %q", n, answer)
				}
			}
		})
	})
}

// session is a polling client that does one thing at a time, without a network.
type session struct {
	t   *testing.T
	srv *socketio.Server
	sid string
}

func openSession(t *testing.T, srv *socketio.Server) *session {
	s := &session{t: t, srv: srv}
	open := s.do("GET", "", "").Body.String()
	require.True(t, strings.HasPrefix(open, `0{"sid":"`), open)
	s.sid = "&sid=" + open[9:31]
	return s
}

func (s *session) do(method, query, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.srv.ServeHTTP(w, httptest.NewRequest(method, "/socket.io/?EIO=4&transport=polling"+query, strings.NewReader(body)))
	return w
}

// post sends packets and waits until their handlers have returned.
func (s *session) post(packet string, more ...string) (status int) {
	status = s.do("POST", s.sid, strings.Join(append([]string{packet}, more...), eiotest.Separator)).Code
	synctest.Wait()
	return status
}

// poll returns what is waiting, nothing if there is nothing.
func (s *session) poll() string {
	require.NoError(s.t, s.probe())
	body := s.do("GET", s.sid, "").Body.String()
	return strings.TrimSuffix(strings.TrimSuffix(body, fmt.Sprintf(`42["%s"]`, mark)), eiotest.Separator)
}

const mark = "nothing more"

// probe makes the server send something, so that a poll does not wait.
func (s *session) probe() error { return s.srv.Emit(mark, nil) }

// ended reports whether the session is closed. It is the server's only one.
func (s *session) ended() bool { return s.srv.Stats().Polling == 0 }

// Anything on the wire, above Engine.IO: sessions that connect, refuse to make sense, and vanish. The answers are the
// documented ones; each accepted client leaves once; three minutes later nothing is left of it all.
func FuzzServe(f *testing.F) {
	request := func(method, query, body string) string {
		headers := ""
		if body != "" {
			headers = fmt.Sprintf("Content-Length: %d\r\n", len(body))
		}
		return fmt.Sprintf("%s /socket.io/?EIO=4&transport=%s HTTP/1.1\r\nHost: a\r\n%s\r\n%s", method, query, headers, body)
	}
	get := request("GET", "polling&sid=SID", "")
	post := func(packets ...string) string {
		return request("POST", "polling&sid=SID", strings.Join(packets, eiotest.Separator))
	}
	open := "0" + request("GET", "polling", "")
	for _, script := range [][]string{
		{open, "0" + post("40", `42["echo","x"]`, `421["echo",1]`), "1" + get, "0" + post("41"), "1" + get, "0" + post("1")},
		{open, "0" + post("40/a,{}", "40/b,", "40/nowhere,", "40"), "1" + get, "0" + post(`42/a,["join","x"]`, `42/a,["room",1]`, `41/a,`, `42/a,["late"]`, "40/a,")},
		{open, "0" + post("40refuse"), "0" + post(`40/a,{"refuse":true}`, "40/a,"), "1" + get, "0" + post(`42["e"]`)},
		{open, "0" + post("40", `452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, "bAQID"), "b", "1" + get},
		{open, "0" + post("40", `452-["echo",{"_placeholder":true,"num":0}]`, "bAQID", "bAQID", "bAQID")},
		{open, "0" + post("40", `42["ask"]`), "1" + get, "0" + post("431[2]", "431[2]", `461-2[{"_placeholder":true,"num":0}]`, "bAA==")},
		{open, "0" + post("40", `42["panic"]`, `421["panic"]`, `42["leave"]`, `42["bye"]`, `42["echo"]`), "1" + get},
		{open, "0" + post("40", `42["connect"]`), "1" + get},
		{open, "0" + post("40", "44{}"), "1" + get}, {open, "0" + post("43[]"), "1" + get}, {open, "0" + post("40", "40"), "1" + get},
		{open, "1" + get, "2" + get, "0" + post("40")}, {open, "wZ"}, {open, "0" + post("40"), "w\x19", "0" + post("3"), "w\x10", "0" + get},
	} {
		f.Add([]byte(strings.Join(script, eiotest.StepEnd)), byte(len(script[1])))
	}
	f.Fuzz(func(t *testing.T, input []byte, flags byte) {
		if len(input) > 1<<15 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			var in atomic.Int64
			srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{MaxPayload: 2000, SendQueueLimit: 8000, ReceiveQueueLimit: 8000, MaxNamespaces: 3},
				Namespaces: []string{"*"}, AsyncHandlers: flags&1 != 0, AlwaysConnect: flags&2 != 0})
			all := srv.Namespace("*")
			srv.OnError(func(_ *socketio.Context, err error) any {
				var p *socketio.PanicError
				if errors.As(err, &p) && fmt.Sprint(p.Value) != "at will" {
					t.Errorf("%v\n%s", err, p.Stack)
				}
				return err.Error()
			})
			all.On("connect", func(c *socketio.Context, auth map[string]bool) error {
				if auth["refuse"] || c.Namespace().Name() == "/nowhere" {
					return errors.New("no")
				}
				if err := c.Join("all"); err != nil {
					return err // it has left meanwhile, and is refused
				}
				in.Add(1)
				return nil
			})
			all.On("disconnect", func(*socketio.Context) { in.Add(-1) })
			all.On("echo", func(c *socketio.Context, v ...any) []any { _ = c.Emit("echo", v); return v })
			all.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
			all.On("leave", func(c *socketio.Context, room string) { c.Leave(room) })
			all.On("room", func(c *socketio.Context, v any) error {
				return c.Emit("room", v, socketio.To("all", "x"), socketio.SkipSelf())
			})
			all.On("ask", func(c *socketio.Context) error {
				return c.Emit("ask", nil, socketio.OnAck(func(*socketio.Context, ...any) {}))
			})
			all.On("wait", func(c *socketio.Context) error { _, err := c.Call(c.Context(), "ask", nil); return err })
			all.On("panic", func(*socketio.Context) { panic("at will") })
			all.On("bye", func(c *socketio.Context) { c.CloseConnection() })
			all.On("part", func(c *socketio.Context) { c.Disconnect() })
			p := eiotest.Play(t, srv, eiotest.ParseScript(input))
			for _, status := range p.Statuses {
				if !slices.Contains([]int{200, 204, 400, 403, 404, 405, 413}, status) {
					t.Errorf("status %d", status)
				}
			}
			if sids, rooms, running := srv.Sizes(); sids+rooms+running != 0 {
				t.Errorf("after minutes of silence %d sids, %d rooms and %d sockets remain", sids, rooms, running)
			}
			if n := in.Load(); n != 0 {
				t.Errorf("%d clients were accepted more often than they left", n)
			}
			if log := p.Close(); log != "" {
				t.Errorf("net/http complains: %s", log)
			}
		})
	})
}

// Whatever other servers ask, the question is answered or refused, and no answer is about everyone by accident.
func FuzzQuestionOfAnotherServer(f *testing.F) {
	for _, content := range []string{
		`{"do":"members","ns":"/","room":"r"}`, `{"do":"count","ns":"/","everyone":true}`, `{"do":"rooms","ns":"/","sid":"s"}`,
		`{"do":"select","ns":"/","rooms":["r",""],"skip":["x"],"except":["y"]}`, `{"do":"select","ns":"/","everyone":true}`,
		`{"do":"disconnect","ns":"/","room":""}`, `{"do":"move","ns":"/","room":"r","newRoom":"s"}`, `{"do":"dance"}`, `[]`, `null`, `"x"`,
	} {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if !json.Valid(content) {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			var service brokertest.Memory
			b := service.Connect()
			defer b.Close()
			srv := siotest.NewServer(t, &socketio.Options{Cluster: socketio.ClusterOptions{Broker: b}})
			defer srv.Shutdown(t.Context())
			everyone := bytes.Contains(content, []byte("veryone"))
			p := siotest.Join(t, srv, eiotest.WebSocket)
			if err := srv.FromServers(fmt.Appendf(nil, `{"v":1,"is":"ask","host":"h","question":%s}`, content)); err != nil {
				t.Error(err)
			}
			if !everyone && !bytes.Contains(content, []byte(p.SID)) && srv.Socket(p.SID) == nil {
				t.Errorf("%s disconnects everyone", content)
			}
		})
	})
}
