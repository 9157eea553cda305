package socketiotest_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

type packet struct {
	Name string `json:"name"`
	Body []byte `json:"body"`
	N    int64  `json:"n"`
}

func TestEmitAndReceive(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("*", func(c *socketio.Context, event string, args ...any) error {
			return c.Emit(event, socketio.Args(args))
		})
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})

		c.Emit("none")
		c.Emit("many", "a", 1, nil, true, map[string]any{"k": []int{1, 2}})
		c.Emit("binary", []byte{1, 2}, map[string]any{"deep": []any{[]byte("x")}}, []byte{})
		c.Send("text")

		c.Expect("none")
		c.Expect("many", "a", 1, nil, true, map[string]any{"k": []int{1, 2}})
		ev := c.Expect("binary", []byte{1, 2}, map[string]any{"deep": []any{[]byte("x")}}, []byte{})
		want := []any{[]byte{1, 2}, map[string]any{"deep": []any{[]byte("x")}}, []byte{}}
		if got := ev.Values(); !reflect.DeepEqual(got, want) {
			t.Errorf("Values: %#v", got)
		}
		if ev = c.Next(); ev.Name != "message" || ev.Namespace != "/" || ev.Len() != 1 || ev.String() != `message["text"]` || ev.WantsAck() {
			t.Errorf("Next: %+v", ev)
		}
		c.ExpectNothing()
	})
}

func TestBind(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("get", func(c *socketio.Context) error {
			return c.Emit("got", socketio.Args{packet{"n", []byte{1, 2, 3}, 1<<60 + 1}, "second"})
		})
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})
		c.Emit("get")
		var p packet
		var s string
		c.Next().Bind(&p, &s)
		if p.Name != "n" || !bytes.Equal(p.Body, []byte{1, 2, 3}) || p.N != 1<<60+1 || s != "second" {
			t.Errorf("bound %+v, %q", p, s)
		}
		c.Emit("get")
		s = ""
		if c.Next().Bind(nil, &s); s != "second" {
			t.Errorf("bound %q", s)
		}
	})
}

// What was emitted before the answer comes before it, in order.
func TestCall(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("add", func(c *socketio.Context, a, b int) (int, error) {
			err := c.Emit("adding", socketio.Args{a, b})
			return a + b, err
		})
		srv.On("pair", func(c *socketio.Context, b []byte) ([]byte, int, error) { return b, len(b), nil })
		srv.On("nothing", func(c *socketio.Context) {})
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})

		var sum int
		if c.Call("add", 1, 2).Bind(&sum); sum != 3 {
			t.Errorf("sum %d", sum)
		}
		c.Expect("adding", 1, 2)
		if got := c.Call("pair", []byte("abc")); !reflect.DeepEqual(got.Values(), []any{[]byte("abc"), 3.0}) {
			t.Errorf("answer %v", got)
		}
		if got := c.Call("nothing"); got.Len() != 0 || got.String() != "[]" {
			t.Errorf("answer %v", got)
		}

		answered := make(chan string, 2)
		c.Emit("add", 4, 5, func(a socketiotest.Args) { answered <- a.String() })
		c.Emit("nothing", func(a socketiotest.Args) { answered <- a.String() })
		if a, b := <-answered, <-answered; a != "[9]" || b != "[]" {
			t.Errorf("answers %s and %s", a, b)
		}
	})
}

func TestAck(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("go", func(c *socketio.Context) error {
			return c.Emit("question", 1, socketio.OnAck(func(c *socketio.Context, a string, b []byte) error {
				return c.Emit("thanks", socketio.Args{a, b})
			}))
		})
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})
		c.Emit("go")
		ev := c.Expect("question", 1)
		if !ev.WantsAck() {
			t.Error("the event does not want an acknowledgement")
		}
		c.ExpectNothing()
		ev.Ack("fine", []byte{7})
		c.Expect("thanks", "fine", []byte{7})
	})
}

// A handler that asks the client in turn is answered while the test waits for
// the handler.
func TestAnswer(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("ask", func(c *socketio.Context, what string) (string, error) {
			ctx, cancel := context.WithTimeout(c.Context(), time.Second)
			defer cancel()
			return socketio.Call[string](ctx, c, what, nil)
		})
		c := socketiotest.Connect(t, srv, &socketiotest.Options{
			Transport: tr,
			Answer: func(ev socketiotest.Event) []any {
				if ev.Name == "silent" {
					return nil
				}
				return []any{ev.Namespace + " says " + ev.Name}
			},
		})
		if got := c.Call("ask", "name").String(); got != `["/ says name"]` {
			t.Errorf("answer %s", got)
		}
		c.Expect("name")
		c.Emit("ask", "silent")
		if ev := c.Expect("silent"); !ev.WantsAck() {
			t.Error("the event does not want an acknowledgement")
		}
	})
}

func TestReceived(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("count", func(c *socketio.Context, n int) (int, error) {
			for i := range n {
				if err := c.Emit("n", i, socketio.Broadcast()); err != nil {
					return 0, err
				}
			}
			return n, nil
		})
		a := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})
		b := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})
		b.Call("count", 0) // it was let in
		b.ExpectNothing()
		a.Call("count", 20)
		check := func(got []socketiotest.Event) {
			t.Helper()
			if len(got) != 20 || got[0].String() != "n[0]" || got[19].String() != "n[19]" {
				t.Errorf("received %v", got)
			}
		}
		check(a.Received())
		if got := a.Received(); got != nil {
			t.Errorf("received again %v", got)
		}
		if strings.HasSuffix(t.Name(), "bubble") {
			check(b.Received())
		}
	})
}

// In a bubble Received sees all that is sent without time passing, and nothing
// that is sent later.
func TestReceivedIsExact(t *testing.T) {
	eachBubble(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("later", func(c *socketio.Context) error {
			for range 3 {
				time.Sleep(10 * time.Second)
				if err := c.Emit("tick", nil); err != nil {
					return err
				}
			}
			return nil
		})
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})
		c.Emit("later")
		time.Sleep(10*time.Second - time.Nanosecond)
		c.ExpectNothing()
		time.Sleep(time.Nanosecond)
		if got := c.Received(); len(got) != 1 {
			t.Errorf("received %v", got)
		}
		begin := time.Now()
		c.Next()
		if waited := time.Since(begin); waited != 10*time.Second {
			t.Errorf("waited for %v", waited)
		}
	})
}

func TestNamespaces(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("hi", func(c *socketio.Context) error { return c.Emit("here", "/") })
		chat := srv.Namespace("/chat")
		chat.On("connect", func(c *socketio.Context, auth map[string]string) error {
			if auth["token"] != "t" {
				return &socketio.Error{Message: "no", Data: map[string]int{"code": 7}}
			}
			return c.Emit("welcome", c.ID())
		})
		chat.On("hi", func(c *socketio.Context) error { return c.Emit("here", "/chat") })

		main := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})
		_, err := main.TryJoin("/chat", nil)
		refusal, ok := errors.AsType[*socketiotest.ConnectError](err)
		if !ok || refusal.Namespace != "/chat" || refusal.Message != "no" || string(refusal.Data) != `{"code":7}` {
			t.Errorf("joining without a token: %#v", err)
		}
		if _, err := main.TryJoin("/none", nil); err == nil || !strings.Contains(err.Error(), "Invalid namespace") {
			t.Errorf("joining an unknown namespace: %v", err)
		}

		c := main.Join("/chat", map[string]string{"token": "t"})
		c.Expect("welcome", c.ID())
		if c.ID() == main.ID() || c.ID() == "" || main.ID() == "" {
			t.Errorf("ids %q and %q", c.ID(), main.ID())
		}
		if _, err := main.TryJoin("/chat", nil); err == nil || !strings.Contains(err.Error(), "is in it") {
			t.Errorf("joining twice: %v", err)
		}
		main.Emit("hi")
		c.Emit("hi")
		main.Expect("here", "/")
		if ev := c.Expect("here", "/chat"); ev.Namespace != "/chat" {
			t.Errorf("namespace %q", ev.Namespace)
		}

		c.Disconnect()
		if c.Connected() || !main.Connected() || c.DisconnectReason() != "io client disconnect" {
			t.Errorf("after leaving: %v, %v, %q", c.Connected(), main.Connected(), c.DisconnectReason())
		}
		again := main.Join("/chat", map[string]string{"token": "t"})
		again.Expect("welcome", again.ID())
		if again.ID() == c.ID() {
			t.Error("the id is the old one")
		}
		main.Disconnect()
		again.Emit("hi")
		again.Expect("here", "/chat")
		again.Disconnect()
		if _, err := again.TryJoin("/", nil); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("joining after the end: %v", err)
		}
	})
}

func TestTransportAndUpgrade(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("how", func(c *socketio.Context) (string, error) { return c.Transport(), nil })
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})
		want := socketiotest.WebSocket
		if tr == socketiotest.Polling {
			want = tr
		}
		if got := c.Transport(); got != want {
			t.Errorf("transport %q, want %q", got, want)
		}
		if tr == socketiotest.Polling {
			if c.Upgrade(); c.Transport() != socketiotest.WebSocket {
				t.Errorf("transport %q after the upgrade", c.Transport())
			}
		}
		if got := c.Call("how").String(); got != `["websocket"]` {
			t.Errorf("the server says %s", got)
		}
	})
}

// The server sees the request that the options describe.
func TestRequest(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, &socketio.Options{Path: "/ws", AllowedOrigins: []string{"https://a.test"}})
		type auth struct{ Token string }
		srv.Namespace("/n").On("connect", func(c *socketio.Context, a auth) error {
			r := c.Request()
			k, err := r.Cookie("k")
			if err != nil {
				return err
			}
			return c.Emit("seen", socketio.Args{r.URL.Path, r.URL.Query()["q"], r.Header.Get("X-Y"), r.Host, k.Value, r.RemoteAddr, a.Token})
		})
		c := socketiotest.Connect(t, srv, &socketiotest.Options{
			Path:      "/ws",
			Namespace: "/n",
			Auth:      auth{"secret"},
			Transport: tr,
			Query:     url.Values{"q": {"1", "2"}},
			Header:    http.Header{"X-Y": {"z"}, "Host": {"example.com"}, "Origin": {"https://a.test"}},
			Cookies:   []*http.Cookie{{Name: "k", Value: "v"}},
			RemoteIP:  "2001:db8::1",
		})
		ev := c.Next()
		v := ev.Values()
		addr, _ := v[5].(string)
		v[5] = strings.HasPrefix(addr, "[2001:db8::1]:")
		if want := []any{"/ws/", []any{"1", "2"}, "z", "example.com", "v", true, "secret"}; !reflect.DeepEqual(v, want) {
			t.Errorf("the server saw %s", ev)
		}
	})
}

// Any handler can be tested, with the server mounted somewhere in it.
func TestMounted(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		type key struct{}
		srv.On("who", func(c *socketio.Context) (string, error) { return c.Context().Value(key{}).(string), nil })
		mux := http.NewServeMux()
		mux.Handle("/socket.io/", srv)
		auth := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "ann")))
		})
		c := socketiotest.Connect(t, auth, &socketiotest.Options{Transport: tr})
		if got := c.Call("who").String(); got != `["ann"]` {
			t.Errorf("answer %s", got)
		}
	})
}

// Call waits for an acknowledgement that is deferred, and not for one that is not
// to come.
func TestCallOfDeferredAck(t *testing.T) {
	eachBubble(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("later", func(c *socketio.Context, fail bool) {
			ack := c.DeferAck()
			time.AfterFunc(time.Second, func() {
				if fail {
					ack(nil, errors.New("for the log"))
				} else {
					ack("done", nil)
				}
			})
		})
		srv.On("never", func(c *socketio.Context, _ bool) { c.NoAck() })
		opts := &socketiotest.Options{Transport: tr, Timeout: time.Hour}
		if got := socketiotest.Connect(t, srv, opts).Call("later", false).String(); got != `["done"]` {
			t.Errorf("answer %s", got)
		}
		opts.Timeout = 50 * time.Millisecond
		for _, event := range []string{"later", "never"} {
			got := failing(t, func(tb testing.TB) { socketiotest.Connect(tb, srv, opts).Call(event, true) })
			wantFailure(t, got, "no answer within 50ms")
		}
	})
}
