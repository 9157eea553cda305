package otel_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/tracing/otel"
)

func save(ctx context.Context, order string) error { return nil }

func Example() {
	provider := sdktrace.NewTracerProvider() // with an exporter: sdktrace.WithBatcher(exporter)
	defer provider.Shutdown(context.Background())

	srv := socketio.NewServer(nil)
	remove, err := otel.Instrument(srv, &otel.Options{TracerProvider: provider})
	if err != nil {
		log.Fatal(err)
	}
	defer remove()
	srv.On("order", func(c *socketio.Context, order string) error {
		return save(c.Context(), order) // its spans are children of the event's
	})

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	fmt.Println(len(srv.Events()), "event traced")
	// Output: 1 event traced
}

// Without options the providers are OpenTelemetry's global ones.
func ExampleInstrument() {
	srv := socketio.NewServer(nil)
	remove, err := otel.Instrument(srv, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer remove()
	http.Handle("/socket.io/", srv)
	log.Print(http.ListenAndServe("localhost:8080", nil))
}
