package prometheus_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/metrics/prometheus"
)

func Example() {
	srv := socketio.NewServer(nil)
	srv.On("say", func(c *socketio.Context, text string) error {
		return c.Emit("said", text, socketio.Broadcast())
	})

	registry := client.NewRegistry() // or client.DefaultRegisterer
	registry.MustRegister(prometheus.New(srv, nil))

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{})) // for Prometheus only, not for the world

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(answer.Body.String()) {
		if strings.HasPrefix(line, "socketio_connections{") {
			fmt.Print(line)
		}
	}
	// Output:
	// socketio_connections{transport="polling"} 0
	// socketio_connections{transport="websocket"} 0
}

// Two servers of one process, told apart by a label.
func ExampleNew() {
	srv, internal := socketio.NewServer(nil), socketio.NewServer(nil)
	registry := client.NewRegistry()
	client.WrapRegistererWith(client.Labels{"server": "public"}, registry).MustRegister(prometheus.New(srv, nil))
	client.WrapRegistererWith(client.Labels{"server": "internal"}, registry).MustRegister(prometheus.New(internal, nil))

	families, err := registry.Gather()
	if err != nil {
		log.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "socketio_rooms" {
			for _, m := range family.GetMetric() {
				fmt.Println(m.GetLabel()[0].GetValue(), "has", m.GetGauge().GetValue(), "rooms")
			}
		}
	}
	// Output:
	// internal has 0 rooms
	// public has 0 rooms
}
