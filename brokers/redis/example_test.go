package redis_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokers/redis"
)

// One of several servers, and of Flask-SocketIO's, on the same Redis.
func Example() {
	broker, err := redis.New("redis://localhost:6379")
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

// A process without clients emits to those of all servers.
func ExampleNew_worker() {
	broker, err := redis.New("redis://localhost:6379")
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
	emitter := socketio.NewEmitter(broker, nil)
	if err := emitter.Emit("report", "done", socketio.To("managers")); err != nil {
		log.Print(err)
	}
	if err := emitter.Close(context.Background()); err != nil { // publishes what waits
		log.Print(err)
	}
}

// libraryLog is a logger for the go-redis library.
type libraryLog struct{ *slog.Logger }

func (l libraryLog) Printf(ctx context.Context, format string, args ...any) {
	l.DebugContext(ctx, "go-redis", "line", fmt.Sprintf(format, args...))
}

// The library logs to the application's logger, at level debug, instead of to standard
// error. This is for the whole process: do it once, when the program starts.
func Example_logging() {
	goredis.SetLogger(libraryLog{slog.Default()})
}

// A server that was cut off from Redis gets what it missed.
func ExampleNewHistory() {
	broker, err := redis.NewHistory("redis://localhost:6379", &redis.HistoryOptions{MaxAge: 10 * time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close() // after Shutdown
	srv := socketio.NewServer(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker, ReplayLimit: 8 << 20}})
	defer srv.Shutdown(context.Background())
}
