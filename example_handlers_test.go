package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// Arguments are decoded into the handler's types, and its result is the
// acknowledgement.
func ExampleNamespace_On() {
	type Item struct {
		Name  string  `json:"name"`
		Price float64 `json:"price"`
	}
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("buy", func(c *socketio.Context, item Item, count int) (total float64, err error) {
		return item.Price * float64(count), nil
	})
	srv.On("upload", func(c *socketio.Context, name string, content []byte) (int, error) { // binary data
		return len(content), nil
	})

	ann := connect(srv)
	fmt.Println(ann.Call("buy", Item{"tea", 2.5}, 3))
	fmt.Println(ann.Call("upload", "a.txt", []byte("hello")))
	// Output:
	// [7.5]
	// [5]
}

// A connect handler gets the client's auth payload and may refuse it.
func ExampleNamespace_On_connect() {
	type Auth struct {
		Token string `json:"token"`
	}
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("connect", func(c *socketio.Context, a Auth) error {
		if a.Token != "secret" {
			return &socketio.Error{Message: "unknown token"} // the client's connect_error
		}
		if err := c.Join("members"); err != nil {
			return err
		}
		return c.Emit("welcome", nil) // arrives after the client's connect event
	})

	_, err := socketiotest.TryConnect(new(exampleTB), srv, nil)
	fmt.Println(err)
	ann := connect(srv, socketiotest.Options{Auth: Auth{"secret"}})
	fmt.Println(ann.Next())
	// Output:
	// socketiotest: namespace / refused the client: unknown token
	// welcome[]
}

// A disconnect handler runs once for each client that was let in, however it
// leaves; the client's rooms are still there.
func ExampleNamespace_On_disconnect() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	left := make(chan string)
	srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
	srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
		left <- fmt.Sprintf("%s, was in %s", why, c.Rooms()[1]) // [0] is its own
	})

	ann := connect(srv)
	ann.Call("join", "den")
	ann.Disconnect()
	fmt.Println(<-left)
	// Output: client disconnect, was in den
}

// "*" handles what no other handler does, with the event's name in front of
// the arguments.
func ExampleNamespace_On_catchAll() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("known", func(c *socketio.Context) (string, error) { return "of course", nil })
	srv.On("*", func(c *socketio.Context, event string, args ...any) (string, error) {
		return fmt.Sprint("what is ", event, args, "?"), nil
	})

	ann := connect(srv)
	fmt.Println(ann.Call("known"))
	fmt.Println(ann.Call("mystery", 1, "two"))
	// Output:
	// ["of course"]
	// ["what is mystery[1 two]?"]
}

// With Func the compiler checks the handler.
func ExampleFunc() {
	type Point struct{ X, Y int }
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("move", socketio.Func(func(c *socketio.Context, p Point) error {
		return c.Emit("moved", p, socketio.Broadcast(), socketio.SkipSelf())
	}))

	ann, bob := connect(srv), connect(srv)
	ann.Emit("move", Point{1, 2})
	fmt.Println(bob.Next())
	// Output: moved[{"X":1,"Y":2}]
}

// FuncAck is Func for a handler with a result.
func ExampleFuncAck() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("shout", socketio.FuncAck(func(c *socketio.Context, text string) (string, error) {
		return strings.ToUpper(text), nil
	}))
	fmt.Println(connect(srv).Call("shout", "hello"))
	// Output: ["HELLO"]
}

// A HandlerFunc decodes its arguments itself.
func ExampleContext_Bind() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("draw", socketio.HandlerFunc(func(c *socketio.Context) (socketio.Args, error) {
		var shape string
		if err := c.Bind(&shape); err != nil {
			return nil, err
		}
		switch shape {
		case "circle":
			var radius float64
			err := c.Bind(nil, &radius)
			return socketio.Args{shape, radius}, err
		default:
			var width, height float64
			err := c.Bind(nil, &width, &height)
			return socketio.Args{shape, width, height}, err
		}
	}))

	ann := connect(srv)
	fmt.Println(ann.Call("draw", "circle", 3))
	fmt.Println(ann.Call("draw", "box", 4, 5))
	// Output:
	// ["circle",3]
	// ["box",4,5]
}

// An Error is acknowledged; any other error is logged and told to nobody.
func ExampleError() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("withdraw", func(c *socketio.Context, amount int) (left int, err error) {
		if amount > 100 {
			return 0, &socketio.Error{Message: "not enough", Data: map[string]int{"balance": 100}}
		}
		return 100 - amount, nil
	})

	ann := connect(srv)
	fmt.Println(ann.Call("withdraw", 30))
	fmt.Println(ann.Call("withdraw", 300))
	// Output:
	// [70]
	// [{"error":{"message":"not enough","data":{"balance":100}}}]
}

// What goes wrong in handlers, panics included, is logged, or handed to an error
// handler, which may answer the client.
func ExampleServer_OnError() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("double", func(c *socketio.Context, n int) (int, error) { return 2 * n, nil })
	srv.On("divide", func(c *socketio.Context, a, b int) (int, error) { return 0, errors.New("no idea how") })
	srv.OnError(func(c *socketio.Context, err error) any {
		if arg, ok := errors.AsType[*socketio.ArgError](err); ok {
			return &socketio.Error{Message: fmt.Sprintf("argument %d is not an %s", arg.Index, arg.Type)}
		}
		fmt.Printf("log: %s: %v\n", c.Event(), err)
		return &socketio.Error{Message: "internal error"}
	})

	ann := connect(srv)
	fmt.Println(ann.Call("double", "two"))
	fmt.Println(ann.Call("divide", 1, 2))
	// Output:
	// [{"error":{"message":"argument 0 is not an int"}}]
	// log: divide: no idea how
	// [{"error":{"message":"internal error"}}]
}

// Middleware sees every event of a namespace, and may keep it from its handler.
func ExampleNamespace_Use() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.Use(func(next socketio.HandlerFunc) socketio.HandlerFunc {
		return func(c *socketio.Context) (socketio.Args, error) {
			if strings.HasPrefix(c.Event(), "admin ") && c.Session().Get("admin") == nil {
				return nil, &socketio.Error{Message: "you may not " + c.Event()}
			}
			return next(c)
		}
	})
	srv.On("admin stop", func(c *socketio.Context) (string, error) { return "stopped", nil })
	srv.On("login", func(c *socketio.Context, password string) { c.Session().Set("admin", password == "secret") })

	ann := connect(srv)
	fmt.Println(ann.Call("admin stop"))
	ann.Call("login", "secret")
	fmt.Println(ann.Call("admin stop"))
	// Output:
	// [{"error":{"message":"you may not admin stop"}}]
	// ["stopped"]
}

// Hooks watch a server: here, how long events are handled, and who comes and goes.
func ExampleServer_AddHooks() {
	srv := socketio.NewServer(nil)
	srv.On("work", func(c *socketio.Context) error { return errors.ErrUnsupported })
	srv.OnError(func(*socketio.Context, error) any { return nil })

	remove := srv.AddHooks(socketio.Hooks{
		Handler: func(ctx context.Context, c *socketio.Context) (context.Context, func(socketio.Args, error)) {
			began := time.Now()
			return ctx, func(_ socketio.Args, err error) {
				fmt.Println(c.Event(), "took less than a minute:", time.Since(began) < time.Minute, "error:", err)
			}
		},
		SocketDisconnected: func(s *socketio.Socket, why socketio.Reason, err error) { fmt.Println("gone:", why) },
	})
	defer remove()

	connect(srv).Call("work")
	_ = srv.Shutdown(context.Background())
	// Output:
	// connect took less than a minute: true error: <nil>
	// work took less than a minute: true error: unsupported operation
	// disconnect took less than a minute: true error: <nil>
	// gone: server shutdown
}

// Session keeps values for as long as the connection lives.
func ExampleSession() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("name", func(c *socketio.Context, name string) { c.Session().Set("name", name) })
	srv.On("hello", func(c *socketio.Context) (string, error) {
		name, ok := socketio.SessionValue[string](c.Session(), "name")
		if !ok {
			name = "stranger"
		}
		return fmt.Sprintf("%d. hello, %s", c.Session().Add("greetings", 1), name), nil
	})

	ann := connect(srv)
	fmt.Println(ann.Call("hello"))
	ann.Call("name", "Ann")
	fmt.Println(ann.Call("hello"))
	// Output:
	// ["1. hello, stranger"]
	// ["2. hello, Ann"]
}

// A Socket may be kept and used from any goroutine, and its context ends when
// the client leaves.
func ExampleSocket_Context() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	var watchers sync.WaitGroup
	srv.On("watch", func(c *socketio.Context, symbol string) {
		socket := c.Socket
		watchers.Go(func() {
			ctx := socket.Context()
			for price := 100; ; price++ {
				select {
				case <-ctx.Done():
					fmt.Println("nobody watches any more:", context.Cause(ctx))
					return
				case <-time.After(time.Millisecond):
					_ = socket.Emit("price", socketio.Args{symbol, price}) // the context says when to stop
				}
			}
		})
	})

	ann := connect(srv)
	ann.Emit("watch", "GOOG")
	fmt.Println(ann.Next())
	fmt.Println(ann.Next())
	ann.Disconnect()
	watchers.Wait()
	// Output:
	// price["GOOG",100]
	// price["GOOG",101]
	// nobody watches any more: socketio: the client has left the namespace: client disconnect
}

// Disconnect makes a client leave, from its handler or from elsewhere.
func ExampleServer_Disconnect() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("quit", func(c *socketio.Context) { c.Disconnect() })

	ann, bob := connect(srv), connect(srv)
	ann.Emit("quit")
	fmt.Println("ann:", ann.WaitDisconnect())
	fmt.Println(srv.Disconnect(bob.ID()))
	fmt.Println("bob:", bob.WaitDisconnect())
	fmt.Println(errors.Is(srv.Disconnect("nobody"), socketio.ErrUnknownSocket))
	// Output:
	// ann: io server disconnect
	// <nil>
	// bob: io server disconnect
	// true
}

// DeferAck acknowledges later, while the client's next events are handled.
func ExampleContext_DeferAck() {
	type Job struct{ N int }
	ready := make(chan bool)
	work := func(j Job) (int, error) {
		<-ready
		return j.N * j.N, nil
	}
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("slow", func(c *socketio.Context, j Job) error {
		ack := c.DeferAck()
		go func() { ack(work(j)) }() // func work(Job) (Result, error)
		return nil
	})
	srv.On("quick", func(c *socketio.Context) string { return "already here" })

	ann := connect(srv)
	answered := make(chan socketiotest.Args)
	ann.Emit("slow", Job{7}, func(answer socketiotest.Args) { answered <- answer })
	fmt.Println(ann.Call("quick"))
	close(ready)
	fmt.Println(<-answered)
	// Output:
	// ["already here"]
	// [49]
}

// NoAck leaves an event unanswered, although the client asks and nothing failed.
func ExampleContext_NoAck() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("token", func(c *socketio.Context, guess string) bool {
		if guess != "sesame" {
			c.NoAck() // the client's timeout tells it, and slows it down
		}
		return true
	})

	ann := connect(srv)
	ann.Emit("token", "open", func(socketiotest.Args) { fmt.Println("never printed") })
	fmt.Println(ann.Call("token", "sesame"))
	// Output: [true]
}

// A relay passes on what it got, whatever that is: all digits, binary data, the order of keys.
func ExampleContext_RawArgs() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("*", func(c *socketio.Context) error {
		return c.Emit(c.Event(), c.RawArgs(), socketio.Broadcast(), socketio.SkipSelf())
	})

	ann, bob := connect(srv), connect(srv)
	ann.Emit("drawing", json.RawMessage(`{"id":9007199254740993,"at":[1.50,2]}`))
	fmt.Println(bob.Expect("drawing"))
	// Output: drawing[{"id":9007199254740993,"at":[1.50,2]}]
}
