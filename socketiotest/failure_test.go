package socketiotest_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestRefusedByHTTP(t *testing.T) {
	forbid := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "log in first", http.StatusForbidden) })
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		forbidden := 403
		if tr == socketiotest.WebSocket {
			forbidden = 400 // as on the reference server
		}
		tests := map[string]struct {
			h       http.Handler
			opts    socketiotest.Options
			status  int
			code    int
			message string
		}{
			"version":   {srv, socketiotest.Options{Query: url.Values{"EIO": {"3"}}}, 400, 5, "nsupported protocol version"},
			"origin":    {srv, socketiotest.Options{Header: http.Header{"Origin": {"https://evil.test"}}}, forbidden, 4, "Forbidden"},
			"path":      {srv.Handler(http.NotFoundHandler()), socketiotest.Options{Path: "/elsewhere"}, 404, -1, "404 page not found"},
			"app":       {forbid, socketiotest.Options{}, 403, -1, "log in first"},
			"root path": {http.NotFoundHandler(), socketiotest.Options{Path: "/"}, 404, -1, "404 page not found"},
		}
		for name, tt := range tests {
			tt.opts.Transport = tr
			c, err := socketiotest.TryConnect(t, tt.h, &tt.opts)
			refusal, ok := errors.AsType[*socketiotest.HTTPError](err)
			if c != nil || !ok || refusal.Status != tt.status || refusal.Code != tt.code || !strings.Contains(refusal.Message, tt.message) {
				t.Errorf("%s: %#v", name, err)
			}
			if name == "origin" && !strings.Contains(refusal.Detail, "Options.AllowedOrigins") {
				t.Errorf("the error does not say what to do: %v", err)
			}
			wantFailure(t, failing(t, func(tb testing.TB) { socketiotest.Connect(tb, tt.h, &tt.opts) }), "status", tt.message)
		}
	})
}

func TestRefusedByHandler(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("connect", func(*socketio.Context) error { return &socketio.Error{Message: "no", Data: []int{1}} })
		opts := &socketiotest.Options{Transport: tr}
		_, err := socketiotest.TryConnect(t, srv, opts)
		refusal, ok := errors.AsType[*socketiotest.ConnectError](err)
		if !ok || refusal.Namespace != "/" || refusal.Message != "no" || string(refusal.Data) != "[1]" {
			t.Errorf("%#v", err)
		}
		wantFailure(t, failing(t, func(tb testing.TB) { socketiotest.Connect(tb, srv, opts) }),
			"namespace / refused the client: no [1]")
	})
}

func TestAlwaysConnect(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, &socketio.Options{AlwaysConnect: true})
		srv.On("connect", func(*socketio.Context) error { return &socketio.Error{Message: "no"} })
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})
		if r := c.WaitDisconnect(); r != "io server disconnect" {
			t.Errorf("reason %q", r)
		}
	})
}

func TestInvalidOptions(t *testing.T) {
	srv := siotest.NewServer(t, nil)
	for want, opts := range map[string]socketiotest.Options{
		"Options.Transport": {Transport: "carrier pigeon"},
		"Options.RemoteIP":  {RemoteIP: "localhost"},
		"namespace":         {Namespace: "chat"},
		"joining /":         {Auth: func() {}},
	} {
		if _, err := socketiotest.TryConnect(t, srv, &opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", opts, err)
		}
	}
}

// Each failure says what was waited for and what there was instead.
func TestFailures(t *testing.T) {
	tests := map[string]struct {
		f    func(c *socketiotest.Client)
		want []string
	}{
		"Next":         {func(c *socketiotest.Client) { c.Next() }, []string{"Next: no event within 5m0s"}},
		"Expect":       {func(c *socketiotest.Client) { c.Expect("x") }, []string{`Expect of event "x": no event within 5m0s`}},
		"Call":         {func(c *socketiotest.Client) { c.Call("silent", 1) }, []string{`Call of event "silent": no answer: the server failed to handle the event: for the log`}},
		"Call, late":   {func(c *socketiotest.Client) { c.Call("wait") }, []string{`Call of event "wait": no answer within 5m0s`}},
		"Call, events": {func(c *socketiotest.Client) { c.Emit("two"); c.Call("silent") }, []string{"no answer", `still a[1], b["x"]`}},
		"Call, kicked": {func(c *socketiotest.Client) { c.Call("kick") }, []string{"no answer: the client was disconnected: io server disconnect"}},
		"Next, kicked": {func(c *socketiotest.Client) { c.Emit("kick"); c.Next() }, []string{"no event: the client was disconnected: io server disconnect"}},
		"other name":   {func(c *socketiotest.Client) { c.Emit("two"); synctest.Wait(); c.Expect("x") }, []string{"next event is\n\ta[1]\nwant\n\tx; there is still b[\"x\"]"}},
		"other args":   {func(c *socketiotest.Client) { c.Emit("two"); c.Expect("a", 2) }, []string{"next event is\n\ta[1]\nwant\n\ta[2]"}},
		"fewer args":   {func(c *socketiotest.Client) { c.Emit("two"); c.Expect("a", 1, 2) }, []string{"want\n\ta[1,2]"}},
		"bad args":     {func(c *socketiotest.Client) { c.Expect("a", func() {}) }, []string{"Expect", "func()"}},
		"nothing":      {func(c *socketiotest.Client) { c.Emit("two"); c.ExpectNothing() }, []string{`got a[1], b["x"], want nothing`}},
		"Bind, type":   {func(c *socketiotest.Client) { c.Emit("two"); c.Next().Bind(new(string)) }, []string{"Bind", "string", "[1]"}},
		"Bind, number": {func(c *socketiotest.Client) { c.Emit("two"); c.Next().Bind() }, []string{"Bind: 1 arguments, want 0: [1]"}},
		"Ack unwanted": {func(c *socketiotest.Client) { c.Emit("two"); c.Next().Ack() }, []string{"Ack of event a[1]: the server does not ask"}},
		"Ack twice": {func(c *socketiotest.Client) { c.Emit("ask"); ev := c.Next(); ev.Ack(); ev.Ack() },
			[]string{"Ack of event q[]: it was acknowledged before"}},
		"Ack late":       {func(c *socketiotest.Client) { c.Emit("ask"); ev := c.Next(); c.Disconnect(); ev.Ack() }, []string{"Ack", "not connected"}},
		"Emit reserved":  {func(c *socketiotest.Client) { c.Emit("disconnect") }, []string{`"disconnect" is reserved`}},
		"Emit bad":       {func(c *socketiotest.Client) { c.Emit("x", make(chan int)) }, []string{`Emit of event "x"`, "chan int"}},
		"Emit after end": {func(c *socketiotest.Client) { c.Disconnect(); c.Emit("x") }, []string{"not connected: io client disconnect"}},
		"Send after end": {func(c *socketiotest.Client) { c.Drop(); c.Send("x") }, []string{`Send of event "message"`, "not connected: transport close"}},
		"WaitDisconnect": {func(c *socketiotest.Client) { c.WaitDisconnect() }, []string{"still connected after 5m0s"}},
		"Join":           {func(c *socketiotest.Client) { c.Join("/none", nil) }, []string{"namespace /none refused the client: Invalid namespace"}},
		"Upgrade":        {func(c *socketiotest.Client) { c.Upgrade() }, []string{"Upgrade", "upgraded"}},
		"in a callback":  {func(c *socketiotest.Client) { c.Emit("add", func(a socketiotest.Args) { a.Bind() }); c.Next() }, []string{"Bind: 1 arg", "disconnected"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := siotest.NewServer(t, nil)
				srv.On("silent", func(c *socketio.Context) (int, error) { return 0, errors.New("for the log") })
				srv.On("wait", func(c *socketio.Context) { <-c.Context().Done() })
				srv.On("kick", func(c *socketio.Context) { c.Disconnect() })
				srv.On("add", func(c *socketio.Context) int { return 1 })
				srv.On("ask", func(c *socketio.Context) { c.Emit("q", nil, socketio.OnAck(func(*socketio.Context) {})) })
				srv.On("two", func(c *socketio.Context) { c.Emit("a", 1); c.Emit("b", "x") })
				reached := false
				got := failing(t, func(tb testing.TB) {
					c := socketiotest.Connect(tb, srv, nil)
					tt.f(c)
					reached = true
				})
				wantFailure(t, got, tt.want...)
				if reached {
					t.Error("the test went on")
				}
			})
		})
	}
}

// Call does not wait long for the answer to an event whose handler failed, and says why.
func TestCallSaysWhy(t *testing.T) {
	tests := map[string]struct {
		event string
		args  []any
		want  string
	}{
		"no handler":    {"typo", nil, `no handler for the event: "typo" in namespace "/in"`},
		"error":         {"fail", nil, "for the log"},
		"argument":      {"add", []any{"x", 1}, `argument 0 of event "add" does not fit int`},
		"panic":         {"panic", nil, "handler panicked: ouch"},
		"Goexit":        {"goexit", nil, "runtime.Goexit"},
		"events before": {"late", nil, "runtime.Goexit"},
		"OnError":       {"converted", nil, "converted"},
	}
	eachBubble(t, func(t *testing.T, tr socketiotest.Transport) {
		for _, async := range []bool{false, true} {
			srv := siotest.NewServer(t, &socketio.Options{AsyncHandlers: async})
			ns := srv.Namespace("/in")
			ns.On("fail", func(c *socketio.Context) error { return errors.New("for the log") })
			ns.On("add", func(c *socketio.Context, a, b int) int { return a + b })
			ns.On("panic", func(c *socketio.Context) { panic("ouch") })
			ns.On("goexit", func(c *socketio.Context) { runtime.Goexit() })
			ns.On("late", func(c *socketio.Context) { c.Emit("before", 1); runtime.Goexit() })
			ns.On("converted", func(c *socketio.Context) error { return errConverted })
			ns.On("refuse", func(c *socketio.Context) error { return &socketio.Error{Message: "no"} })
			ns.OnError(func(c *socketio.Context, err error) any {
				if err == errConverted {
					return make(chan int)
				}
				if e, ok := errors.AsType[*socketio.Error](err); ok {
					return e
				}
				return err
			})
			mux := http.NewServeMux()
			mux.Handle("/app/socket.io/", http.StripPrefix("/app", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				srv.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), errConverted, "of a middleware")))
			})))
			opts := &socketiotest.Options{Path: "/app/socket.io/", Namespace: "/in", Transport: tr, Timeout: time.Hour, Server: srv}
			for name, tt := range tests {
				got := failing(t, func(tb testing.TB) { socketiotest.Connect(tb, mux, opts).Call(tt.event, tt.args...) })
				wantFailure(t, got, "Call of event", "no answer: the server failed to handle the event: ", tt.want)
				if late := strings.Contains(got, "there is still before[1]"); late != (tt.event == "late") {
					t.Errorf("%s: %s", name, got)
				}
			}
			c := socketiotest.Connect(t, mux, opts)
			if got := c.Call("refuse").String(); got != `[{"error":{"message":"no"}}]` {
				t.Errorf("%s", got)
			}
			c.Emit("typo") // asks for nothing
			if got := c.Call("add", 1, 2).String(); got != "[3]" {
				t.Errorf("%s", got)
			}
		}
	})
}

// The same by the real clock, which an hour of waiting would show.
func TestCallSaysWhyAtOnce(t *testing.T) {
	srv := siotest.NewServer(t, nil)
	got := failing(t, func(tb testing.TB) {
		socketiotest.Connect(tb, srv, &socketiotest.Options{Timeout: time.Hour}).Call("typo")
	})
	wantFailure(t, got, `no handler for the event: "typo" in namespace "/"`)
}

var errConverted = errors.New("converted")

// Expect tells apart what JSON tells apart, and nothing else.
func TestExpectCompares(t *testing.T) {
	type s struct {
		A int `json:"a"`
		B any `json:"b,omitempty"`
	}
	tests := []struct {
		sent, want any
		equal      bool
	}{
		{map[string]any{"a": 1, "b": nil}, map[string]any{"b": nil, "a": 1.0}, true},
		{s{A: 1}, map[string]int{"a": 1}, true},
		{s{A: 1}, &s{A: 1}, true},
		{s{1, []byte("x")}, s{1, []byte("x")}, true},
		{s{1, []byte("x")}, s{1, "eA=="}, false},
		{"eA==", []byte("x"), false},
		{int64(1 << 60), int64(1<<60 + 1), false},
		{int64(1 << 60), int64(1 << 60), true},
		{uint64(1<<64 - 1), uint64(1<<64 - 2), false},
		{0.5, 0.25, false},
		{1e3, 1000, true},
		{1, "1", false},
		{nil, 0, false},
		{[]int{1, 2}, []int{2, 1}, false},
		{[]int{1, 2}, []any{1.0, 2}, true},
	}
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		for _, tt := range tests {
			srv.On("get", func(c *socketio.Context) error { return c.Emit("x", socketio.Args{tt.sent}) })
			got := failing(t, func(tb testing.TB) {
				c := socketiotest.Connect(tb, srv, nil)
				c.Emit("get")
				c.Expect("x", tt.want)
			})
			if (got == "") != tt.equal {
				t.Errorf("%#v sent, %#v expected: %s", tt.sent, tt.want, got)
			}
		}
	})
}

// A server that falls silent.
func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		c := socketiotest.Connect(t, engine(`40{"sid":"s"}`), nil)
		if r, after := c.WaitDisconnect(), time.Since(begin); r != "ping timeout" || after != 45*time.Second {
			t.Errorf("%s after %v", r, after)
		}

		begin = time.Now()
		_, err := socketiotest.TryConnect(t, engine(), &socketiotest.Options{Timeout: time.Second})
		if after := time.Since(begin); err == nil || !strings.Contains(err.Error(), "did not answer within 1s") || after != time.Second {
			t.Errorf("%v after %v", err, after)
		}
		_, err = socketiotest.TryConnect(t, engine(), nil)
		if err == nil || !strings.Contains(err.Error(), "ping timeout") {
			t.Errorf("%v", err)
		}
		hang := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		for _, tr := range transports {
			begin = time.Now()
			_, err = socketiotest.TryConnect(t, hang, &socketiotest.Options{Timeout: time.Second, Transport: tr})
			if after := time.Since(begin); err == nil || !strings.Contains(err.Error(), "did not answer within 1s") || after != time.Second {
				t.Errorf("%s: %v after %v", tr, err, after)
			}
		}
	})
}

// A server closed before the client was let in.
func TestServerClosesFirst(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, &socketio.Options{DrainTimeout: time.Millisecond})
		srv.On("connect", func(c *socketio.Context) error {
			go srv.Shutdown(context.Background())
			<-c.Context().Done()
			return nil
		})
		_, err := socketiotest.TryConnect(t, srv, &socketiotest.Options{Transport: tr})
		if err == nil || !strings.Contains(err.Error(), "joining /: the connection ended first: transport close") {
			t.Errorf("%v", err)
		}
	})
}

// A panic outside of the server's handlers is not lost.
func TestHTTPPanicIsLogged(t *testing.T) {
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("at the disco") })
	got := failing(t, func(tb testing.TB) { socketiotest.Connect(tb, h, nil) })
	wantFailure(t, got, "the HTTP server logged", "at the disco", "connecting")
}

// The end of the test ends the connection, as the server sees at once.
func TestCleanup(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		gone := make(chan socketio.Reason, 1)
		srv.On("disconnect", func(_ *socketio.Context, why socketio.Reason) { gone <- why })
		begin := time.Now()
		got := failing(t, func(tb testing.TB) { socketiotest.Connect(tb, srv, &socketiotest.Options{Transport: tr}) })
		wantFailure(t, got)
		if why := <-gone; why != socketio.ReasonClientDisconnect && why != socketio.ReasonTransportClose {
			t.Errorf("reason %q", why)
		}
		if after := time.Since(begin); after > 2*time.Second {
			t.Errorf("after %v", after)
		}
	})
}
