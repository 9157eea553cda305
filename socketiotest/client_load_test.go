package socketiotest_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestLargePackets(t *testing.T) {
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("echo", func(c *socketio.Context, b []byte, s string) ([]byte, string, error) { return b, s, nil })
		c := socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})
		b, s := bytes.Repeat([]byte{0, 1, 2, 255}, 50_000), strings.Repeat("é", 200_000)
		var gotB []byte
		var gotS string
		c.Call("echo", b, s).Bind(&gotB, &gotS)
		if !bytes.Equal(gotB, b) || gotS != s {
			t.Errorf("%d bytes and %d bytes of text", len(gotB), len(gotS))
		}
	})
}

// Clients may be used from many goroutines; packets with attachments stay whole.
func TestConcurrency(t *testing.T) {
	const clients, senders, events = 3, 5, 10
	each(t, func(t *testing.T, tr socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		srv.On("ready", func(*socketio.Context) {})
		srv.On("echo", func(c *socketio.Context, n int, b, b2 []byte) (int, []byte, []byte, error) {
			return n, b, b2, c.Emit("n", n, socketio.Broadcast())
		})
		all := make([]*socketiotest.Client, clients)
		for i := range all {
			all[i] = socketiotest.Connect(t, srv, &socketiotest.Options{Transport: tr})
			all[i].Call("ready") // its events come after it was let in
		}
		var wg sync.WaitGroup
		for _, c := range all {
			for i := range senders {
				wg.Go(func() {
					for j := range events {
						n := i*events + j
						wg.Add(1)
						c.Emit("echo", n, []byte{byte(n)}, []byte{9}, func(a socketiotest.Args) {
							defer wg.Done()
							if want := []any{float64(n), []byte{byte(n)}, []byte{9}}; !reflect.DeepEqual(a.Values(), want) {
								t.Errorf("got %v, want %v", a, want)
							}
						})
					}
				})
			}
		}
		wg.Wait()
		for _, c := range all {
			count := map[string]int{}
			for range clients * senders * events {
				count[c.Next().String()]++
			}
			for n := range senders * events {
				if got := count[fmt.Sprintf("n[%d]", n)]; got != clients {
					t.Errorf("%d times n[%d]", got, n)
				}
			}
			c.ExpectNothing()
		}
	})
}

// Packets with attachments stay whole, whoever else sends.
func TestPacketsStayWhole(t *testing.T) {
	srv := siotest.NewServer(t, nil)
	srv.On("x", func(c *socketio.Context, bs ...[]byte) (int, error) { return len(bs), nil })
	c := socketiotest.Connect(t, srv, nil)
	args := make([]any, 10)
	for i := range args {
		args[i] = []byte{byte(i)}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				c.Emit("x", args...)
			}
			c.Call("x", args...)
		})
	}
	wg.Wait()
	if !c.Connected() {
		t.Errorf("disconnected: %s", c.DisconnectReason())
	}
}
