package siotest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/parser"
)

// Fleet is some servers on one memory service.
type Fleet struct {
	T       *testing.T
	Service *brokertest.Memory
	Servers []*socketio.Server
	Brokers []socketio.Broker                     // of the Servers
	Wrap    func(socketio.Broker) socketio.Broker // what the next servers get; nil for the service's
}

// NewFleet starts servers with the same options, in a synctest bubble.
func NewFleet(t *testing.T, n int, opts *socketio.Options) *Fleet {
	t.Helper()
	f := &Fleet{T: t, Service: new(brokertest.Memory)}
	for range n {
		f.Add(opts)
	}
	return f
}

// InFleet runs a test of several servers in a synctest bubble.
func InFleet(t *testing.T, n int, run func(t *testing.T, f *Fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { run(t, NewFleet(t, n, nil)) })
}

// Add starts another server.
func (f *Fleet) Add(opts *socketio.Options) *socketio.Server {
	f.T.Helper()
	var o socketio.Options
	if opts != nil {
		o = *opts
	}
	o.Cluster.Broker = f.Service.Connect()
	if f.Wrap != nil {
		o.Cluster.Broker = f.Wrap(o.Cluster.Broker)
	}
	f.T.Cleanup(func() { require.NoError(f.T, o.Cluster.Broker.Close()) })
	srv := NewServer(f.T, &o)
	f.Brokers = append(f.Brokers, o.Cluster.Broker)
	f.Servers = append(f.Servers, srv)
	synctest.Wait()
	require.True(f.T, srv.BrokerStatus().Connected)
	return srv
}

// Emitter returns an Emitter on the service.
func (f *Fleet) Emitter(opts *socketio.EmitterOptions) *socketio.Emitter {
	f.T.Helper()
	b := f.Service.Connect()
	f.T.Cleanup(func() { require.NoError(f.T, b.Close()) })
	m := socketio.NewEmitter(b, opts)
	f.T.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = m.Close(ctx)
	})
	return m
}

// Parsers are options of servers, with packets in the format of the queue and in another one.
var Parsers = map[string]*socketio.Options{
	"default": nil,
	"own":     {Parser: ownParser{parser.New(nil)}},
}

// ownParser is one that the server does not know.
type ownParser struct{ parser.Parser }
