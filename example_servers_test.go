package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
)

// Two servers that are one application. Here the broker is in memory; in a
// program it is a service's, such as that of brokers/redis.
func ExampleBroker() {
	service := new(brokertest.Memory)
	one := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: service.Connect()}})
	two := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: service.Connect()}})
	defer one.Shutdown(context.Background())
	defer two.Shutdown(context.Background())
	one.On("say", func(c *socketio.Context, text string) error {
		return c.Emit("said", text, socketio.Broadcast()) // to clients of both
	})

	waitForBroker(one, two)
	ann, bob := connect(one), connect(two)
	ann.Emit("say", "hello")
	fmt.Println("bob:", bob.Next())
	// Output: bob: said["hello"]
}

// waitForBroker waits until servers hear each other.
func waitForBroker(servers ...*socketio.Server) {
	for _, srv := range servers {
		for !srv.BrokerStatus().Connected {
			time.Sleep(time.Millisecond)
		}
	}
}

// A worker without clients of its own emits to those of all servers.
func ExampleNewEmitter() {
	service := new(brokertest.Memory) // Redis or NATS, in a program
	srv := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: service.Connect()}})
	defer srv.Shutdown(context.Background())
	waitForBroker(srv)
	ann := connect(srv)

	worker := socketio.NewEmitter(service.Connect(), nil) // in a process of its own
	if err := worker.Emit("report", "done", socketio.To(ann.ID())); err != nil {
		log.Println(err)
	}
	if err := worker.Close(context.Background()); err != nil {
		log.Println("not everything was sent:", err)
	}
	fmt.Println(ann.Next())
	// Output: report["done"]
}

// Cluster asks all servers, and says whom it does not know about.
func ExampleNamespace_Cluster() {
	service := new(brokertest.Memory)
	one := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: service.Connect()}})
	two := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: service.Connect()}})
	defer one.Shutdown(context.Background())
	defer two.Shutdown(context.Background())
	waitForBroker(one, two)
	ann, bob := connect(one), connect(two)
	_, _ = one.JoinRoom(ann.ID(), "den"), two.JoinRoom(bob.ID(), "den")

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	count, err := one.Cluster().CountRoom(ctx, "den")
	if partial, ok := errors.AsType[*socketio.ClusterError](err); ok {
		log.Printf("at least %d, without those on %v", count, partial.Missing)
	}
	here, err := one.CountRoom("den")
	fmt.Println(err, here, "here,", count, "on", len(one.Cluster().Servers()), "servers")
	there, err := one.Cluster().Connected(ctx, bob.ID())
	fmt.Println(there, err)
	// Output:
	// <nil> 1 here, 2 on 2 servers
	// true <nil>
}
