package eiotest_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

func TestClientClose(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		f := &fake{}
		c := connect(t, f, eiotest.Options{Mode: mode})
		begin := time.Now()
		c.Send("one")
		receive(t, c)
		f.mu.Lock()
		f.silent = true
		f.mu.Unlock()
		c.Send("two")
		c.Close()
		want := []string{"4two"}
		if mode == eiotest.Polling {
			want = append(want, "1")
		}
		synctest.Wait()
		if got := f.received(); !slices.Equal(got, want) {
			t.Errorf("the server got %q, want %q", got, want)
		}
		if mode != eiotest.Polling && websocket.CloseStatus(f.ended) != websocket.StatusNoStatusRcvd {
			t.Errorf("the WebSocket ended with %v", f.ended)
		}
		if passed := time.Since(begin); passed != 0 {
			t.Errorf("Close took %v", passed)
		}
		if why := c.Err(); why.Kind != eiotest.CloseLocal {
			t.Errorf("Err = %v", why)
		}
		for _, err := range []error{c.Send("x"), c.SendBinary(nil), c.Upgrade(t.Context())} {
			if err == nil {
				t.Error("usable after Close")
			}
		}
		c.Close()
	})
}

func TestClientAbort(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		f := &fake{}
		var gone atomic.Int32
		f.request = func(r *http.Request) {
			if r.Method == http.MethodGet {
				context.AfterFunc(r.Context(), func() { gone.Add(1) })
			}
		}
		c := connect(t, f, eiotest.Options{Mode: mode})
		synctest.Wait()
		c.Abort()
		synctest.Wait()
		if mode == eiotest.Polling && gone.Load() != 2 { // the handshake and the pending poll
			t.Errorf("%d GETs ended", gone.Load())
		}
		if mode != eiotest.Polling && (f.ended == nil || websocket.CloseStatus(f.ended) != -1) {
			t.Errorf("the WebSocket ended with %v", f.ended)
		}
		if got := f.received(); got != nil {
			t.Errorf("the server got %q", got)
		}
		if _, err := c.Receive(t.Context()); !errors.Is(err, eiotest.ErrClosed) {
			t.Errorf("Receive: %v", err)
		}
	})
}

func TestClientIsClosedByServer(t *testing.T) {
	for _, tt := range []struct {
		send string
		kind eiotest.CloseKind
		text string
	}{
		{"1", eiotest.ClosePacket, "close packet"},
		{"9", eiotest.CloseProtocol, "unknown packet type"},
		{"2data", eiotest.CloseProtocol, "ping with data"},
		{"0{}", eiotest.CloseProtocol, "unexpected packet"},
		{"b@", eiotest.CloseProtocol, "illegal base64"},
		{"status 400", eiotest.CloseHTTP, "400 as told"},
		{"4one\x1e", eiotest.CloseProtocol, "empty packet"},
	} {
		t.Run(tt.send, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				c := connect(t, f, eiotest.Options{})
				f.send(tt.send)
				if why := closed(t, c); why.Kind != tt.kind || !strings.Contains(why.Error(), tt.text) {
					t.Errorf("closed: %v", why)
				}
			})
		})
	}
}

func TestClientWebSocketIsClosedByServer(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		f := &fake{}
		c := connect(t, f, eiotest.Options{Mode: mode})
		synctest.Wait() // the server has seen the upgrade packet
		f.send("4last")
		f.mu.Lock()
		ws := f.ws
		f.mu.Unlock()
		ws.Close(4000, "because")
		why := closed(t, c)
		if why.Kind != eiotest.CloseWebSocket || why.Code != 4000 {
			t.Errorf("closed: %v", why)
		}
		if got := receive(t, c); got != "text last" {
			t.Errorf("got %q", got)
		}
		if _, err := c.Receive(t.Context()); err != why {
			t.Errorf("then: %v", err)
		}
	}, eiotest.WebSocket, eiotest.Upgrade)
}

func TestClientLosesTheNetwork(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		f := &fake{}
		f.init()
		tr := eiotest.Serve(t, f, nil)
		c := eiotest.Connect(t, nil, &eiotest.Options{Mode: mode, Transport: tr})
		synctest.Wait()
		tr.CloseConns()
		if why := closed(t, c); why.Kind != eiotest.CloseNetwork || why.Err == nil {
			t.Errorf("closed: %v", why)
		}
	})
}
