package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// Without an option an event goes to the client that is served; nil is no
// argument, Args are several.
func ExampleSocket_Emit() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("start", func(c *socketio.Context) error {
		if err := c.Emit("file", socketio.Args{"a.txt", []byte("hello")}); err != nil {
			return err
		}
		return c.Emit("ready", nil)
	})

	ann := connect(srv)
	ann.Emit("start")
	fmt.Println(ann.Next())
	fmt.Println(ann.Next())
	// Output:
	// file["a.txt","aGVsbG8="]
	// ready[]
}

// A server emits from anywhere: here, to everyone, from an HTTP handler.
func ExampleServer_Emit() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.HandleFunc("POST /news", func(w http.ResponseWriter, r *http.Request) {
		if err := srv.Emit("news", r.FormValue("text")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})

	ann, bob := connect(mux), connect(mux)
	mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/news?text=It+rains", nil))
	fmt.Println("ann:", ann.Next())
	fmt.Println("bob:", bob.Next())
	// Output:
	// ann: news["It rains"]
	// bob: news["It rains"]
}

// A room is whoever has joined it. A session id is a room, too, with one member.
func ExampleTo() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
	srv.On("say", func(c *socketio.Context, to, text string) error {
		return c.Emit("said", text, socketio.To(to))
	})

	ann, bob := connect(srv), connect(srv)
	bob.Call("join", "den")
	ann.Emit("say", "den", "hello, all of you")
	ann.Emit("say", bob.ID(), "hello, Bob")
	fmt.Println(bob.Next())
	fmt.Println(bob.Next())
	// Output:
	// said["hello, all of you"]
	// said["hello, Bob"]
}

// Broadcast reaches everyone, the sender included, unless SkipSelf leaves it out.
func ExampleBroadcast() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("say", func(c *socketio.Context, text string) error {
		if err := c.Emit("said", text, socketio.Broadcast(), socketio.SkipSelf()); err != nil {
			return err
		}
		return c.Emit("news", "somebody spoke", socketio.Broadcast())
	})

	ann, bob := connect(srv), connect(srv)
	ann.Emit("say", "hello")
	fmt.Println("ann:", ann.Next())
	fmt.Println("bob:", bob.Next(), bob.Next())
	// Output:
	// ann: news["somebody spoke"]
	// bob: said["hello"] news["somebody spoke"]
}

// Skip leaves out single clients, Except everyone in a room.
func ExampleSkip() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	ann, bob, eve := connect(srv), connect(srv), connect(srv)
	_ = srv.JoinRoom(bob.ID(), "muted")

	_ = srv.Emit("secret", 1, socketio.Skip(eve.ID()), socketio.Except("muted"))
	_ = srv.Emit("public", 2)
	fmt.Println("ann:", ann.Next())
	fmt.Println("bob:", bob.Next())
	fmt.Println("eve:", eve.Next())
	// Output:
	// ann: secret[1]
	// bob: public[2]
	// eve: public[2]
}

// A position is worth nothing when the next one is known: Volatile drops it where
// the connection is busy, instead of having it wait.
func ExampleVolatile() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("move", func(c *socketio.Context, x, y int) error {
		return c.Emit("moved", socketio.Args{c.ID(), x, y}, socketio.Broadcast(), socketio.SkipSelf(), socketio.Volatile())
	})
}

// OnAck has the client's acknowledgement handled without waiting for it.
func ExampleOnAck() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("order", func(c *socketio.Context, what string) error {
		return c.Emit("confirm", what, socketio.OnAck(func(c *socketio.Context, sure bool) error {
			return c.Emit("ordered", sure)
		}))
	})

	ann := connect(srv)
	ann.Emit("order", "tea")
	question := ann.Next()
	fmt.Println(question)
	question.Ack(true)
	fmt.Println(ann.Next())
	// Output:
	// confirm["tea"]
	// ordered[true]
}

// With an error after the Context the function hears of clients that do not answer,
// too: here, of one that is late.
func ExampleAckTimeout() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	heard := make(chan string)
	srv.On("ready", func(c *socketio.Context) error {
		return c.Emit("start", nil, socketio.AckTimeout(10*time.Millisecond),
			socketio.OnAck(func(c *socketio.Context, err error, text string) {
				if errors.Is(err, context.DeadlineExceeded) {
					text = "too late"
				}
				heard <- text
			}))
	})

	ann := connect(srv)
	ann.Emit("ready")
	question := ann.Next()
	fmt.Println(<-heard)
	question.Ack("started") // nobody waits any more
	// Output: too late
}

// Call waits for the client's acknowledgement.
func ExampleCall() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("rename", func(c *socketio.Context, name string) (string, error) {
		ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
		defer cancel()
		sure, err := socketio.Call[bool](ctx, c, "confirm", "Rename to "+name+"?")
		switch {
		case err != nil:
			return "", err // the client has left, or does not answer
		case !sure:
			return "as before", nil
		}
		return name, nil
	})

	ann := connect(srv, socketiotest.Options{Answer: func(question socketiotest.Event) []any {
		fmt.Println(question)
		return []any{true}
	}})
	fmt.Println(ann.Call("rename", "Anna"))
	// Output:
	// confirm["Rename to Anna?"]
	// ["Anna"]
}

// Namespace.Call asks several clients at once.
func ExampleNamespace_Call() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	for _, vote := range []bool{true, false, true} {
		connect(srv, socketiotest.Options{Answer: func(socketiotest.Event) []any { return []any{vote} }})
	}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	replies, err := srv.Call(ctx, "vote", "tea?")
	yes := 0
	for _, r := range replies { // also with an error: those who did answer
		var v bool
		if r.Bind(&v) == nil && v {
			yes++
		}
	}
	fmt.Println(yes, "of", len(replies), err)
	// Output: 2 of 3 <nil>
}

// Handlers join rooms for their client; a server does so for any client.
func ExampleServer_JoinRoom() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	ann, bob := connect(srv), connect(srv)

	fmt.Println(srv.JoinRoom(ann.ID(), "den"), srv.JoinRoom(bob.ID(), "den"))
	members, err := srv.Members("den")
	fmt.Println(len(members), "in the den:", slices.Contains(members, ann.ID()), err)
	fmt.Println("bob is in", srv.Rooms(bob.ID())[1]) // [0] is his own
	fmt.Println(srv.LeaveRoom(bob.ID(), "den"))
	fmt.Println(srv.CloseRoom("den"))
	fmt.Println(srv.CountRoom("den"))
	fmt.Println(srv.CountRoom("")) // never everyone by accident: that is Count
	fmt.Println(errors.Is(srv.JoinRoom("nobody", "den"), socketio.ErrUnknownSocket))
	// Output:
	// <nil> <nil>
	// 2 in the den: true <nil>
	// bob is in den
	// <nil>
	// <nil>
	// 0 <nil>
	// 0 socketio: this cannot be a room's name: its name is empty
	// true
}
