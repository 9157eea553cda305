package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
)

func Example() {
	type Message struct {
		Room string `json:"room"`
		Text string `json:"text"`
	}
	srv := socketio.NewServer(nil)
	srv.On("join", func(c *socketio.Context, m Message) error { return c.Join(m.Room) })
	srv.On("say", func(c *socketio.Context, m Message) error {
		return c.Emit("said", m, socketio.To(m.Room))
	})
	srv.On("add", func(c *socketio.Context, a, b int) (int, error) { return a + b, nil }) // the acknowledgement

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.HandleFunc("POST /news", func(w http.ResponseWriter, r *http.Request) {
		if err := srv.Emit("news", r.FormValue("text")); err != nil { // to everyone, from anywhere
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:5000", mux))
}

// A connect handler gets the client's auth payload and may refuse it.
func ExampleNamespace_On_connect() {
	type Auth struct {
		Token string `json:"token"`
	}
	srv := socketio.NewServer(nil)
	srv.On("connect", func(c *socketio.Context, a Auth) error {
		if a.Token != "secret" {
			return &socketio.Error{Message: "unknown token"} // the client's connect_error
		}
		c.Session().Set("token", a.Token)
		return c.Join("members")
	})
	srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) {
		log.Printf("%s left: %s", c.ID(), why)
	})
}

// Handlers take what the client sends: several arguments, binary data, or all of it.
func ExampleNamespace_On() {
	srv := socketio.NewServer(nil)
	srv.On("upload", func(c *socketio.Context, name string, content []byte) (int, error) {
		return len(content), nil
	})
	srv.On("*", func(c *socketio.Context, event string, args ...any) {
		log.Printf("%s sent %s with %v", c.ID(), event, args)
	})
}

// With Func the compiler checks the handler.
func ExampleFunc() {
	type Point struct{ X, Y int }
	srv := socketio.NewServer(nil)
	srv.On("move", socketio.Func(func(c *socketio.Context, p Point) error {
		return c.Emit("moved", p, socketio.Broadcast(), socketio.SkipSelf())
	}))
}

// What goes wrong in handlers is logged, or handed to an error handler, which may answer the client.
func ExampleServer_OnError() {
	srv := socketio.NewServer(nil)
	srv.OnError(func(c *socketio.Context, err error) any {
		var arg *socketio.ArgError
		if errors.As(err, &arg) {
			return &socketio.Error{Message: fmt.Sprintf("argument %d is not a %s", arg.Index, arg.Type)}
		}
		log.Printf("%s: %v", c.Event(), err)
		return &socketio.Error{Message: "internal error"}
	})
}

// Middleware sees every event of a namespace.
func ExampleNamespace_Use() {
	srv := socketio.NewServer(nil)
	srv.Use(func(next socketio.HandlerFunc) socketio.HandlerFunc {
		return func(c *socketio.Context) (socketio.Args, error) {
			start := time.Now()
			ack, err := next(c)
			log.Printf("%s took %v", c.Event(), time.Since(start))
			return ack, err
		}
	})
}

// OnAck has the client's acknowledgement handled without waiting for it.
func ExampleOnAck() {
	srv := socketio.NewServer(nil)
	srv.On("leave", func(c *socketio.Context) error {
		return c.Emit("goodbye", nil, socketio.OnAck(func(c *socketio.Context) { c.Disconnect() }))
	})
}

// Call waits for the client's acknowledgement.
func ExampleCall() {
	srv := socketio.NewServer(nil)
	srv.On("rename", func(c *socketio.Context, name string) error {
		ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
		defer cancel()
		sure, err := socketio.Call[bool](ctx, c, "confirm", "Rename to "+name+"?")
		if err != nil || !sure {
			return err
		}
		return c.Emit("renamed", name, socketio.Broadcast())
	})
}

// Namespace.Call asks several clients at once.
func ExampleNamespace_Call() {
	srv := socketio.NewServer(nil)
	vote := func(ctx context.Context, room, question string) (yes int, err error) {
		replies, err := srv.Call(ctx, "vote", question, socketio.To(room))
		for _, r := range replies { // also with an error: those who did answer
			var v bool
			if r.Bind(&v) == nil && v {
				yes++
			}
		}
		return yes, err
	}
	_ = vote
}

type Chat struct{}

func (Chat) OnConnect(c *socketio.Context) error { return c.Join("lobby") }
func (Chat) OnNewMessage(c *socketio.Context, s string) error {
	return c.Emit("message", s, socketio.To("lobby"))
}

// The methods of a value serve a namespace: here "connect" and "new_message" of "/chat".
// Two servers and a worker that share clients. Here the broker is in memory; in
// a program it is a service's, such as that of brokers/redis.
func ExampleNewEmitter() {
	service := new(brokertest.Memory)
	one := socketio.NewServer(&socketio.Options{Broker: service.Connect()})
	two := socketio.NewServer(&socketio.Options{Broker: service.Connect()})
	defer one.Shutdown(context.Background())
	defer two.Shutdown(context.Background())
	one.On("say", func(c *socketio.Context, text string) error {
		return c.Emit("said", text, socketio.Broadcast()) // clients of both
	})

	worker := socketio.NewEmitter(service.Connect(), nil) // a process of its own
	if err := worker.Emit("report", "done", socketio.To("managers")); err != nil {
		log.Println(err)
	}
	if err := worker.Close(context.Background()); err != nil {
		log.Println("not everything was sent:", err)
	}
}

func ExampleServer_Register() {
	srv := socketio.NewServer(nil)
	srv.Register("/chat", Chat{})
}

// Shutdown ends connections before the HTTP server ends, which does not know them.
func ExampleServer_Shutdown() {
	srv := socketio.NewServer(nil)
	web := &http.Server{Addr: "127.0.0.1:5000", Handler: srv}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	go func() {
		if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(srv.Shutdown(end), web.Shutdown(end)); err != nil {
		log.Print(err)
	}
}
