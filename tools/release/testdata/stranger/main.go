// The program of somebody who knows the modules by their versions only. It is in a
// testdata folder: the go command builds it where the test puts it.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/adminui"
	"github.com/seed-d124fa34/socketio/brokers/nats"
	"github.com/seed-d124fa34/socketio/brokers/redis"
	"github.com/seed-d124fa34/socketio/metrics/prometheus"
	"github.com/seed-d124fa34/socketio/parsers/msgpack"
	"github.com/seed-d124fa34/socketio/parsers/sonic"
	"github.com/seed-d124fa34/socketio/tracing/otel"
)

func main() {
	broker, err := redis.New("redis://127.0.0.1:1") // nothing listens there: the server serves its own clients
	if err != nil {
		log.Fatal(err)
	}
	srv := socketio.NewServer(&socketio.Options{
		Cluster: socketio.ClusterOptions{Broker: broker},
		Parser:  msgpack.New(),
	})
	if _, err := adminui.Instrument(srv, adminui.Options{Username: "admin", PasswordHash: os.Args[1]}); err != nil {
		log.Fatal(err)
	}
	second := secondServer()
	registry := client.NewRegistry()
	registry.MustRegister(prometheus.New(srv, nil))
	http.Handle("/socket.io/", srv)
	http.Handle("/second/", second)
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("http://" + l.Addr().String()) // the test reads it
	log.Fatal(http.Serve(l, nil))
}

// secondServer is a server with the modules that the first one cannot have as well.
func secondServer() *socketio.Server {
	broker, err := nats.New("nats://127.0.0.1:1") // likewise
	if err != nil {
		log.Fatal(err)
	}
	srv := socketio.NewServer(&socketio.Options{
		Path:    "/second/",
		Cluster: socketio.ClusterOptions{Broker: broker},
		JSON:    sonic.New(),
	})
	if _, err := otel.Instrument(srv, nil); err != nil {
		log.Fatal(err)
	}
	return srv
}
