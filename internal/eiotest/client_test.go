package eiotest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// connect connects a client to f, over a transport that fails the test if the HTTP server complains.
func connect(t *testing.T, f *fake, opts eiotest.Options) *eiotest.Client {
	t.Helper()
	f.init()
	opts.Transport = eiotest.Serve(t, f, nil)
	return eiotest.Connect(t, nil, &opts)
}

func receive(t *testing.T, c *eiotest.Client) string {
	t.Helper()
	m, err := c.Receive(t.Context())
	if err != nil {
		t.Fatalf("Receive: %v", err)
	}
	if m.Binary {
		return "binary " + string(m.Data)
	}
	return "text " + string(m.Data)
}

// closed waits for the end of the connection.
func closed(t *testing.T, c *eiotest.Client) *eiotest.CloseError {
	t.Helper()
	c.Wait()
	return c.Err()
}

func TestClientEcho(t *testing.T) {
	test := func(t *testing.T, mode eiotest.Mode) {
		f := &fake{}
		c := connect(t, f, eiotest.Options{Mode: mode})
		want := eiotest.Handshake{SID: "abc", Upgrades: []string{"websocket"}, PingInterval: 1000, PingTimeout: 500,
			MaxPayload: 20}
		if got := c.Handshake(); !reflect.DeepEqual(got, want) {
			t.Errorf("Handshake = %+v", got)
		}
		wantTransport := "polling"
		if mode != eiotest.Polling {
			wantTransport = "websocket"
		}
		if got := c.Transport(); got != wantTransport {
			t.Errorf("Transport = %q, want %q", got, wantTransport)
		}
		for i := range 50 {
			data := fmt.Sprint("message ", i)
			c.Send(data)
			c.SendBinary([]byte(data))
		}
		for i := range 50 {
			want := fmt.Sprint("message ", i)
			if got := receive(t, c); got != "text "+want {
				t.Fatalf("got %q, want text %q", got, want)
			}
			if got := receive(t, c); got != "binary "+want {
				t.Fatalf("got %q, want binary %q", got, want)
			}
		}
		c.Send("")
		c.SendBinary(nil)
		for _, want := range []string{"text ", "binary "} {
			if got := receive(t, c); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	t.Run("real", func(t *testing.T) { eiotest.Run(t, test) })
	t.Run("synctest", func(t *testing.T) { eiotest.RunSync(t, test) })
}

func TestClientRequests(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		f := &fake{}
		f.request = func(r *http.Request) {
			k, err := r.Cookie("name")
			if r.Host != "other.test:8080" || r.URL.Path != "/some/path/" || r.URL.Query().Get("q") != "1" ||
				r.Header.Get("X-Header") != "yes" || err != nil || k.Value != "value" {
				t.Errorf("request %s %s %v", r.Host, r.URL, r.Header)
			}
		}
		c := connect(t, f, eiotest.Options{
			Mode: mode, URL: "http://other.test:8080", Path: "/some/path/", Query: url.Values{"q": {"1"}},
			Header: http.Header{"X-Header": {"yes"}}, Cookies: []*http.Cookie{{Name: "name", Value: "value"}},
		})
		c.Send("hello")
		receive(t, c)
	})
}

// Several packets share a request, up to the server's limit, and requests come one after the other.
func TestClientPayloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{silent: true}
		busy := false
		f.request = func(r *http.Request) {
			if r.Method == http.MethodPost {
				if busy {
					t.Error("two POSTs at once")
				}
				busy = true
				time.Sleep(time.Millisecond)
				busy = false
			}
		}
		c := connect(t, f, eiotest.Options{})
		c.Send("first")
		synctest.Wait()
		for _, s := range []string{"345678", "12345678", "next", strings.Repeat("x", 30), "last"} {
			c.Send(s)
		}
		if err := c.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"4first",
			"4345678\x1e412345678", // 17 bytes; with the next it would be 23
			"4next", "4" + strings.Repeat("x", 30), "4last",
		}
		if !slices.Equal(f.posts, want) {
			t.Errorf("POSTs: %q, want %q", f.posts, want)
		}
	})
}

func TestClientHeartbeat(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		f := &fake{}
		c := connect(t, f, eiotest.Options{Mode: mode})
		begin := time.Now()
		for range 5 {
			time.Sleep(1400 * time.Millisecond)
			f.send("2")
		}
		if why := closed(t, c); why.Kind != eiotest.CloseTimeout || time.Since(begin) != 8500*time.Millisecond {
			t.Errorf("closed after %v: %v", time.Since(begin), why)
		}
		synctest.Wait()
		if got, want := f.received(), []string{"3", "3", "3", "3", "3"}; !slices.Equal(got, want) {
			t.Errorf("the server got %q", got)
		}
	})
}

func TestClientNoAutoPong(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		f := &fake{}
		c := connect(t, f, eiotest.Options{Mode: mode, NoAutoPong: true})
		f.send("2")
		synctest.Wait()
		if got := f.received(); got != nil {
			t.Errorf("the server got %q", got)
		}
		c.SendPacket("3")
		synctest.Wait()
		if got := f.received(); !slices.Equal(got, []string{"3"}) {
			t.Errorf("the server got %q", got)
		}
		if err := c.SendPacket("x"); err == nil {
			t.Error("SendPacket takes what is no packet")
		}
	})
}

// The reference client's order: what it sends before, while and after it probes arrives once, in order.
func TestClientUpgrade(t *testing.T) {
	test := func(t *testing.T) {
		f := &fake{}
		c := connect(t, f, eiotest.Options{})
		const n = 300
		sent := make(chan bool)
		go func() {
			defer close(sent)
			for i := range n {
				c.Send(fmt.Sprint(i))
				time.Sleep(10 * time.Microsecond)
			}
		}()
		for i := range n {
			if i == 10 {
				if err := c.Upgrade(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := receive(t, c); got != fmt.Sprint("text ", i) {
				t.Fatalf("message %d is %q", i, got)
			}
		}
		<-sent
		if c.Transport() != "websocket" {
			t.Errorf("Transport = %q", c.Transport())
		}
		if err := c.Upgrade(t.Context()); err == nil {
			t.Error("upgraded twice")
		}
	}
	t.Run("real", test)
	t.Run("synctest", func(t *testing.T) { synctest.Test(t, test) })
}

func TestClientFailedUpgrade(t *testing.T) {
	for name, f := range map[string]*fake{
		"refused":     {refuse: true},
		"wrong pong":  {pong: "3no"},
		"not offered": {open: strings.Replace(handshake, `"websocket"`, "", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := connect(t, f, eiotest.Options{})
				err := c.Upgrade(t.Context())
				if err == nil {
					t.Error("upgraded")
				}
				var refused *eiotest.RefusedError
				if f.refuse && (!errors.As(err, &refused) || refused.Response.Status != http.StatusForbidden) {
					t.Errorf("Upgrade: %v", err)
				}
				c.Send("still there")
				if got := receive(t, c); got != "text still there" {
					t.Errorf("got %q", got)
				}
				if c.Transport() != "polling" {
					t.Errorf("Transport = %q", c.Transport())
				}
			})
		})
	}
}

// An upgrade given up while requests are pending leaves a client that polls.
func TestClientUpgradeGivenUpWhilePausing(t *testing.T) {
	slow := 5 * time.Second
	for name, f := range map[string]*fake{
		"GET": {hang: true},
		"POST": {request: func(r *http.Request) {
			if r.Method == http.MethodPost {
				time.Sleep(slow)
				slow = 0
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := connect(t, f, eiotest.Options{NoAutoPong: true})
				if name == "POST" {
					c.Send("on its way")
					synctest.Wait()
				}
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := c.Upgrade(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
					t.Errorf("Upgrade: %v after %v", err, time.Since(begin))
				}
				for range 5 { // what the client needs to live on
					f.send("2")
					time.Sleep(time.Second)
				}
				if name == "POST" {
					receive(t, c)
				}
				c.Send("still there")
				if got := receive(t, c); got != "text still there" || c.Transport() != "polling" {
					t.Errorf("got %q over %s", got, c.Transport())
				}
			})
		})
	}
}

func TestDialErrors(t *testing.T) {
	for open, text := range map[string]string{
		"":             "handshake: empty packet",
		"4hello":       "instead of an open packet",
		"0{":           "handshake",
		`0{"sid":"a"}`: "incomplete",
		strings.Replace(handshake, "{", `{"more":1,`, 1): "unknown field",
		handshake + "\x1e9": "unknown packet type",
	} {
		t.Run(open, func(t *testing.T) {
			c, err := eiotest.Dial(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, open)
			}), nil)
			if c != nil || err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("Dial = %v, %v; want an error with %q", c, err, text)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		eiotest.Run(t, func(t *testing.T, mode eiotest.Mode) {
			_, err := eiotest.Dial(t.Context(), http.NotFoundHandler(), &eiotest.Options{Mode: mode})
			var refused *eiotest.RefusedError
			if !errors.As(err, &refused) || refused.Response.Status != http.StatusNotFound {
				t.Errorf("Dial: %v", err)
			}
		})
	})
	t.Run("mode", func(t *testing.T) {
		if _, err := eiotest.Dial(t.Context(), http.NotFoundHandler(), &eiotest.Options{Mode: "x"}); err == nil {
			t.Error("no error")
		}
	})
}

func TestDialOwnTransport(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		f := &fake{}
		f.init()
		c, err := eiotest.Dial(t.Context(), f, &eiotest.Options{Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		c.Send("hello")
		receive(t, c)
		c.Close()
	})
}

func TestRaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{open: handshake + "\x1e4hi"}
		f.init()
		raw := eiotest.Raw{Transport: eiotest.Serve(t, f, nil)}
		hs, rest, err := raw.Handshake(t.Context())
		if err != nil || hs.SID != "abc" || raw.SID != "abc" || rest != "4hi" {
			t.Fatalf("Handshake = %+v, %q, %v", hs, rest, err)
		}
		if resp, err := raw.Post(t.Context(), "4a\x1e4b"); err != nil || resp.Status != 200 || resp.Body != "ok" {
			t.Errorf("Post = %+v, %v", resp, err)
		}
		if resp, err := raw.Get(t.Context()); err != nil || resp.Status != 200 || resp.Body != "4a\x1e4b" {
			t.Errorf("Get = %+v, %v", resp, err)
		}
		raw.Query = url.Values{"sid": {"other"}, "transport": nil}
		if got := raw.Address("polling"); got != "http://server.test/engine.io/?EIO=4&sid=other" {
			t.Errorf("Address = %q", got)
		}
		if resp, err := raw.Get(t.Context()); err != nil || resp.Status != 400 {
			t.Errorf("Get with another sid = %+v, %v", resp, err)
		}
	})
}
