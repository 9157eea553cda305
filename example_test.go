package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
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

// Handler puts the server in front of an application that has a handler for
// everything already.
func ExampleServer_Handler() {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "the page ", r.URL.Path) })
	srv := socketio.NewServer(nil)
	web := httptest.NewServer(srv.Handler(app))
	defer web.Close()

	answer, err := http.Get(web.URL + "/about")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	fmt.Printf("%s\n", body)
	// Output: the page /about
}

// What is sensible to set when anybody in the world may connect. All other
// bounds have defaults: see docs/limits.md.
func ExampleOptions() {
	srv := socketio.NewServer(&socketio.Options{
		AllowedOrigins: []string{"https://app.example.com"}, // and the server's own
		Limits: socketio.Limits{
			EventRate:           50, // events a second of one client
			MaxConnectionsPerIP: 100,
			MaxPayload:          100_000,
		},
		TrustForwarded: true, // for MaxConnectionsPerIP: the proxy in front sets X-Forwarded-For
	})
	defer srv.Shutdown(context.Background())

	request := httptest.NewRequest("GET", "https://api.example.com/socket.io/?EIO=4&transport=polling", nil)
	request.Header.Set("Origin", "https://evil.example.net")
	answer := httptest.NewRecorder()
	srv.ServeHTTP(answer, request)
	fmt.Println(answer.Code)
	// Output: 403
}

// What a site's middleware puts into the request's context, or its session, is
// there in every handler.
func ExampleOptions_session() {
	srv := socketio.NewServer(&socketio.Options{
		Session: func(r *http.Request) map[string]any {
			return map[string]any{"lang": r.Header.Get("Accept-Language")} // a site looks at its cookie
		},
	})
	defer srv.Shutdown(context.Background())
	srv.On("hello", func(c *socketio.Context) (string, error) {
		if lang, _ := socketio.SessionValue[string](c.Session(), "lang"); lang == "de" {
			return "Guten Tag", nil
		}
		return "Hello", nil
	})

	ann := connect(srv, socketiotest.Options{Header: http.Header{"Accept-Language": {"de"}}})
	fmt.Println(ann.Call("hello"))
	// Output: ["Guten Tag"]
}

// Stats tells what there is, and totals since the start.
func ExampleServer_Stats() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
	ann := connect(srv)
	ann.Call("join", "den")

	s := srv.Stats()
	fmt.Println(s.WebSocket, "client by WebSocket and", s.Polling, "by polling, in", s.Rooms, "room, sent", s.EventsIn, "event")
	// Output: 1 client by WebSocket and 0 by polling, in 1 room, sent 1 event
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

// What has arrived is handled and answered before a client is closed.
func ExampleServer_Shutdown_handlers() {
	srv := socketio.NewServer(nil)
	saving := make(chan struct{})
	srv.On("save", func(c *socketio.Context, text string) (string, error) {
		close(saving)
		// ... which takes its time
		return "saved " + text, nil
	})
	srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { fmt.Println(why) })

	ann := connect(srv)
	answered := make(chan socketiotest.Args, 1)
	ann.Emit("save", "a poem", func(answer socketiotest.Args) { answered <- answer })
	<-saving
	fmt.Println(srv.Shutdown(context.Background()))
	fmt.Println(<-answered)
	// Output:
	// server shutdown
	// <nil>
	// ["saved a poem"]
}
