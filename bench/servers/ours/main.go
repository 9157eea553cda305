// Command ours is the server of this repository, every option at its default; with
// -recovery, connection state recovery is on.
package main

import (
	"flag"
	"log"
	"os"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/bench/internal/ours"
	"github.com/seed-d124fa34/socketio/bench/workload"
	"github.com/seed-d124fa34/socketio/brokers/redis"
)

func main() {
	recovery := flag.Bool("recovery", false, "turn recovery on")
	flag.Parse()
	var opts socketio.Options
	if *recovery {
		opts.Recovery = &socketio.Recovery{}
	}
	if url := os.Getenv(workload.RedisEnv); url != "" {
		broker, err := redis.New(url)
		if err != nil {
			log.Fatal(err)
		}
		opts.Cluster.Broker = broker
	}
	ours.Run(&opts, "this repository")
}
