// Command ours is the server of this repository, every option at its default.
package main

import (
	"log"
	"os"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/bench/internal/ours"
	"github.com/seed-d124fa34/socketio/bench/workload"
	"github.com/seed-d124fa34/socketio/brokers/redis"
)

func main() {
	url := os.Getenv(workload.RedisEnv)
	if url == "" {
		ours.Run(nil, "this repository")
		return
	}
	broker, err := redis.New(url)
	if err != nil {
		log.Fatal(err)
	}
	ours.Run(&socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker}}, "this repository")
}
