package engineio_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/engineio"
)

// echo sends every message back to the client that sent it.
func echo(c *engineio.Conn) engineio.Receiver {
	return engineio.ReceiverFuncs{OnMessage: func(data []byte, binary bool) (room <-chan struct{}) {
		if binary {
			_ = c.SendBinary(data)
		} else {
			_ = c.SendText(string(data))
		}
		return nil // there is always room for more
	}}
}

// A complete echo server, and a client that speaks the wire format to it.
func Example() {
	srv, err := engineio.NewServer(&engineio.Options{
		OnConnect: func(c *engineio.Conn) (engineio.Receiver, error) {
			if c.Request().URL.Query().Get("token") != "secret" {
				return nil, &engineio.Refusal{Message: "wrong token"}
			}
			return echo(c), nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/engine.io/", srv)
	web := httptest.NewServer(mux)
	defer web.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	url := "ws" + web.URL[len("http"):] + "/engine.io/?EIO=4&transport=websocket&token=secret"
	ws, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	_, open, _ := ws.Read(ctx)
	fmt.Printf("%s\n", open[:8])
	_ = ws.Write(ctx, websocket.MessageText, []byte("4hello"))
	_, reply, _ := ws.Read(ctx)
	fmt.Printf("%s\n", reply)
	_ = ws.Close(websocket.StatusNormalClosure, "")
	_ = srv.Shutdown(ctx)
	// Output:
	// 0{"sid":
	// 4hello
}

// The least that a server needs: what to do with the messages of a client.
func ExampleNewServer() {
	mux := http.NewServeMux()
	srv, err := engineio.NewServer(&engineio.Options{
		OnConnect: func(c *engineio.Conn) (engineio.Receiver, error) {
			return engineio.ReceiverFuncs{
				OnMessage: func(data []byte, binary bool) (room <-chan struct{}) {
					_ = c.SendText("got it")
					return nil
				},
			}, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux.Handle("/engine.io/", srv)
	defer srv.Shutdown(context.Background())

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=polling", nil))
	fmt.Println(answer.Code)
	// Output: 200
}
