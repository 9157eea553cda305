package recovery_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// The auth of a client reaches its connect handler as the application gave it.
func TestAuthWithoutPID(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		srv.On("connect", func(c *socketio.Context) { srv.rec.Add("%d %v", c.NumArgs(), c.Args()) })
		srv.emit(t, "e", 1)
		c.Received()
		for _, auth := range []string{"", "token", "pid"} {
			want := "0 []"
			switch auth {
			case "token":
				c.Auth = map[string]any{"token": "t", "n": int64(9007199254740993)}
				want = "1 [map[n:9.007199254740992e+15 token:t]]"
			case "pid": // of the application's own
				c.Auth = map[string]any{"pid": "mine", "offset": 7}
				want = "1 [map[offset:7 pid:mine]]"
			}
			c.Drop()
			c.Connect()
			got := srv.rec.Take()
			require.Contains(t, got, want)
			require.Equal(t, auth != "pid", c.Recovered)
			c.Auth = nil
		}
	})
}

// A client that does not take part gets no additional argument and no private id.
func TestClientsThatDoNotTakePart(t *testing.T) {
	opts := socketio.Options{Recovery: &socketio.Recovery{For: func(r *http.Request) bool { return r.Header.Get("Recover") != "" }}}
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := newServer(t, opts)
		plain := siotest.Join(t, srv, mode)
		c := siotest.NewReturner(t, srv.Server, mode)
		c.Header = http.Header{"Recover": {"yes"}}
		c.Connect()
		require.NotEmpty(t, c.PID)
		srv.emit(t, "e", socketio.Args{1, "text"})
		srv.emit(t, "b", []byte{1})
		synctest.Wait() // a volatile event is not queued behind others
		srv.emit(t, "v", "text", socketio.Volatile())
		srv.emit(t, "x", "text", socketio.To(plain.SID))
		plain.Want(`2["e",1,"text"]`, `51-["b",{"_placeholder":true,"num":0}]`, "b:\x01", `2["v","text"]`, `2["x","text"]`)
		c.Want(`["e",1,"text"]`, `["b",{"_placeholder":true,"num":0}] b:`+"\x01", `["v","text",null]`)
		plain.Client.Abort()
		c.Drop()
		synctest.Wait()
		require.Equal(t, 0, srv.Count())
		require.Equal(t, 1, srv.Count(socketio.IncludeAway()))
		c.Connect()
		require.True(t, c.Recovered)
	})
}

// The last event was volatile and ended with a string, which the client would take for its offset.
func TestVolatileEvents(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		srv.emit(t, "e", 1)
		c.Received()
		offset := c.Offset
		for _, data := range []any{"text", nil, 5, socketio.Args{"a", "b"}, map[string]any{"k": "v"}} {
			srv.emit(t, "v", data, socketio.Volatile())
			c.Received()
			require.Equal(t, offset, c.Offset)
		}
		c.Drop()
		srv.emit(t, "v", "lost", socketio.Volatile())
		srv.emit(t, "e", 2)
		c.Connect()
		require.True(t, c.Recovered)
		c.Want(`["e",2]`)
	})
}

// A question that the client has not received is asked again; one that it has is not, and its answer counts over the new connection.
func TestQuestions(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		ask := func(name string) {
			srv.emit(t, name, "text", socketio.AckTimeout(time.Minute), socketio.OnAck(func(_ *socketio.Context, err error, answer string) {
				srv.rec.Add("%s: %v %v", name, answer, errors.Is(err, context.DeadlineExceeded))
			}))
		}
		ask("received")
		c.Want(`?["received","text"]`)
		c.Drop()
		ask("missed")
		srv.rec.Take()
		type result struct {
			reply socketio.Reply
			err   error
		}
		called := make(chan result, 1)
		go func() {
			reply, err := srv.Socket(c.SID).Call(t.Context(), "call", nil)
			called <- result{reply, err}
		}()
		synctest.Wait()
		c.Connect()
		require.True(t, c.Recovered)
		c.Want(`?["missed","text"]`, `?["call"]`)
		c.Answer(`["missed","text"]`, `["a"]`)
		c.Answer(`["received","text"]`, `["b"]`)
		c.Answer(`["call"]`, `[1]`)
		require.NoError(t, (<-called).err)
		srv.rec.Want(t, "connect true", "missed: a false", "received: b false")

		ask("late")
		synctest.Wait()
		c.Drop()
		ask("too late")
		time.Sleep(time.Minute + time.Second)
		c.Connect()
		require.True(t, c.Recovered)
		require.Empty(t, c.Received(), "nobody waits for the answers any more")
	})
}
