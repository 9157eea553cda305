package nats_test

import (
	"context"
	"log"
	"net/http"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokers/nats"
)

// One of several servers on the same NATS.
func Example() {
	broker, err := nats.New("nats://localhost:4222")
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close() // after Shutdown
	srv := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker}})
	defer srv.Shutdown(context.Background())
	srv.On("say", func(c *socketio.Context, text string) error {
		return c.Emit("said", text, socketio.Broadcast()) // to the clients of all servers
	})

	http.Handle("/socket.io/", srv)
	log.Print(http.ListenAndServe("localhost:8080", nil))
}

// Several servers of NATS, and what a URL cannot say.
func ExampleNew() {
	broker, err := nats.New("tls://one:4222,tls://two:4222", natsgo.UserCredentials("app.creds"))
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
}
