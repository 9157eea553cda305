package socketiotest_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// The server's disconnect handler tells which way the client went.
func TestDisconnect(t *testing.T) {
	type left struct{ client, server string }
	tests := map[string]struct {
		leave func(srv *socketio.Server, c *socketiotest.Client)
		want  func(tr string) left
	}{
		"Disconnect": {
			func(srv *socketio.Server, c *socketiotest.Client) { c.Disconnect() },
			func(string) left { return left{"io client disconnect", "client disconnect"} },
		},
		"Drop": {
			func(srv *socketio.Server, c *socketiotest.Client) { c.Drop() },
			func(tr string) left {
				if tr == "polling" {
					return left{"transport error", "transport error"}
				}
				return left{"transport close", "transport close"}
			},
		},
		"by the server": {
			func(srv *socketio.Server, c *socketiotest.Client) { srv.Disconnect(c.ID()) },
			func(string) left { return left{"io server disconnect", "server disconnect"} },
		},
		"shutdown": {
			func(srv *socketio.Server, c *socketiotest.Client) { srv.Shutdown(context.Background()) },
			func(tr string) left { return left{"transport close", "server shutdown"} },
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, tr socketiotest.Transport) {
				srv := siotest.NewServer(t, nil)
				reason := make(chan string, 1)
				srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { reason <- string(why) })
				c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})
				if !c.Connected() || c.DisconnectReason() != "" {
					t.Errorf("connected %v, reason %q", c.Connected(), c.DisconnectReason())
				}
				select {
				case <-c.Disconnected():
					t.Error("disconnected from the start")
				default:
				}
				transport := string(c.Transport())
				if name == "Drop" && transport == "polling" {
					if !strings.HasSuffix(t.Name(), "bubble") {
						t.Skip("the poll may not have reached the server yet")
					}
					synctest.Wait()
				}
				tt.leave(srv, c)
				got := left{c.WaitDisconnect(), <-reason}
				if want := tt.want(transport); got != want {
					t.Errorf("reasons %+v, want %+v", got, want)
				}
				if <-c.Disconnected(); c.Connected() {
					t.Error("still connected")
				}
				c.Disconnect()
				if r := c.DisconnectReason(); r != got.client {
					t.Errorf("the reason became %q", r)
				}
			})
		})
	}
}

// Like the official client, one that is in no namespace any more closes the
// connection.
func TestLastNamespaceCloses(t *testing.T) {
	eachBubble(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		n := srv.Namespace("/n")
		n.On("x", func(*socketio.Context) {})
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})
		d := c.Join("/n", nil)
		srv.Disconnect(c.ID())
		if synctest.Wait(); c.Connected() || !d.Connected() {
			t.Errorf("connected: %v, %v", c.Connected(), d.Connected())
		}
		c = d.Join("/", nil)
		srv.Disconnect(c.ID())
		n.Disconnect(d.ID())
		synctest.Wait()
		if _, err := d.TryJoin("/", nil); err == nil || !strings.Contains(err.Error(), "the connection is closed") {
			t.Errorf("joining again: %v", err)
		}
	})
}

// An event emitted just before Disconnect arrives.
func TestDisconnectDelivers(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		got := make(chan int, 50)
		srv.On("n", func(c *socketio.Context, n int) { got <- n })
		srv.On("disconnect", func(c *socketio.Context) { close(got) })
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})
		for i := range 10 {
			c.Emit("n", i)
		}
		c.Disconnect()
		n := 0
		for i := range got {
			if i != n {
				t.Errorf("got %d, want %d", i, n)
			}
			n++
		}
		if n == 0 {
			t.Error("nothing arrived")
		}
	})
}

func TestPingTimeout(t *testing.T) {
	eachBubble(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		var gone time.Time
		var why socketio.Reason
		srv.On("disconnect", func(c *socketio.Context, r socketio.Reason) { gone, why = time.Now(), r })
		begin := time.Now()
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr, IgnorePings: true})
		c.WaitDisconnect()
		synctest.Wait()
		if why != socketio.ReasonPingTimeout || gone.Sub(begin) != 45*time.Second {
			t.Errorf("the server disconnected it after %v: %s", gone.Sub(begin), why)
		}
	})
}

func TestPingsAreAnswered(t *testing.T) {
	eachBubble(t, func(t *testing.T, tr socketiotest.Transport) {
		c := socketiotest.Connect(t, siotest.NewServer(t, nil), &socketiotest.Options{Transport: tr})
		time.Sleep(time.Hour)
		if c.ExpectNothing(); !c.Connected() {
			t.Errorf("disconnected: %s", c.DisconnectReason())
		}
	})
}
