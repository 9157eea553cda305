package e2e

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokers/nats"
	"github.com/seed-d124fa34/socketio/brokers/redis"
)

// messageQueue is a running broker that the test has started.
type messageQueue struct {
	url         string
	kill, start func()
}

// newBroker connects to the queue at a URL.
func newBroker(url string) (socketio.Broker, error) {
	if strings.HasPrefix(url, "nats:") {
		return nats.New(url)
	}
	return redis.New(url)
}

func redisQueue(t *testing.T) messageQueue {
	t.Helper()
	d, url := startRedis(t)
	return messageQueue{url: url, kill: d.kill, start: d.start}
}

func natsQueue(t *testing.T) messageQueue {
	t.Helper()
	port, err := strconv.Atoi(freePort(t))
	require.NoError(t, err)
	var p *process
	q := messageQueue{
		url:  fmt.Sprintf("nats://127.0.0.1:%d", port),
		kill: func() { p.kill() },
		start: func() {
			ready := make(chan struct{})
			p = startProcess(t, "nats", port, func([]byte) { close(ready) })
			select {
			case <-ready:
			case <-p.ended:
				require.FailNow(t, "NATS ended")
			}
		},
	}
	q.start()
	return q
}

// natsProgram is a NATS server in a process of its own. It prints its port when
// it serves.
func natsProgram() {
	var port int
	programConfig(&port)
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoSigs: true})
	if err != nil {
		panic(err)
	}
	go srv.Start()
	if !srv.ReadyForConnections(20 * time.Second) {
		panic("the server does not start")
	}
	programPrint(srv.Addr().(*net.TCPAddr).Port)
	srv.WaitForShutdown()
}
