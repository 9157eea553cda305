package recovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokers/nats"
	"github.com/seed-d124fa34/socketio/brokers/redis"
)

// The kinds of brokers.
const (
	Redis = "redis"
	NATS  = "nats" // with JetStream, because moving a session needs one order of all messages
)

// startBroker starts a broker for one scenario.
func startBroker(ctx context.Context, kind string) (url string, stop func(), err error) {
	switch kind {
	case Redis, "":
		return startRedis(ctx)
	case NATS:
		return startNATS()
	}
	return "", nil, fmt.Errorf("there is no broker %q", kind)
}

// newBroker returns the broker of our server.
func newBroker(config programConfig) (socketio.Broker, error) {
	switch {
	case strings.HasPrefix(config.Broker, "nats:"):
		return nats.NewHistory(config.Broker, nil)
	case config.History:
		return redis.NewHistory(config.Broker, nil)
	}
	return redis.New(config.Broker)
}

// startNATS starts a NATS server with JetStream in this process.
func startNATS() (url string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "socketio-recovery-")
	if err != nil {
		return "", nil, err
	}
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: dir,
	})
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop = func() {
		srv.Shutdown()
		srv.WaitForShutdown()
		_ = os.RemoveAll(dir)
	}
	srv.Start()
	if !srv.ReadyForConnections(startTimeout) {
		stop()
		return "", nil, errors.New("the NATS server does not start")
	}
	return srv.ClientURL(), stop, nil
}

// startRedis starts a Redis that writes nothing to disk.
func startRedis(ctx context.Context) (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	dir, err := os.MkdirTemp("", "socketio-recovery-")
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir)
	if err := cmd.Start(); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(filepath.Clean(dir))
	}
	for end := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
			return "redis://" + addr, stop, nil
		}
		if time.Now().After(end) {
			stop()
			return "", nil, err
		}
	}
}
