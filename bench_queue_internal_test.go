package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/seed-d124fa34/socketio/internal/sessionid"
)

// deafBroker takes everything, and brings nothing but what is given to handle.
type deafBroker struct {
	handle func(channel string, data []byte)
	ready  chan struct{} // closed when there is a subscription
}

func (*deafBroker) Publish(context.Context, string, []byte) error { return nil }

func (d *deafBroker) Subscribe(ctx context.Context, _ []string, ready func(), handle func(string, []byte)) error {
	ready()
	d.handle = handle
	close(d.ready)
	<-ctx.Done()
	return ctx.Err()
}

func (*deafBroker) Close() error { return nil }

// newQueueServer returns a server with a socket in the room "here", whose client
// does not exist: it ends before the network.
func newQueueServer(b *testing.B) (*Server, *deafBroker) {
	b.Helper()
	d := &deafBroker{ready: make(chan struct{})}
	srv := NewServer(&Options{Cluster: ClusterOptions{Broker: d}, Logger: slog.New(slog.DiscardHandler)})
	b.Cleanup(func() { _ = srv.Shutdown(context.Background()) })
	s := srv.remoteSocket("/", strings.Repeat("s", sessionid.Len))
	s.reason = ReasonTransportClose // what is delivered stops here
	s.membership.Init(s, s.name, s.sid)
	srv.index.Enter(&s.membership)
	srv.index.Join(&s.membership, "here")
	<-d.ready
	return srv, d
}

// queueMessages are an event to a room as Python publishes it, with the payload
// before the room, and as we do.
func queueMessages(room string, size int) map[string][]byte {
	items := make([]map[string]any, 0, size/64)
	for i := range max(1, size/64) {
		items = append(items, map[string]any{"id": i, "name": "some name here", "value": 1.5, "tags": []string{"a", "b"}})
	}
	data, _ := json.Marshal([]any{items})
	return map[string][]byte{
		"python": fmt.Appendf(nil, `{"method": "emit", "event": "news", "data": %s, "binary": false, "namespace": "/", "room": %q, "skip_sid": null, "callback": null, "host_id": "0123456789abcdef0123456789abcdef"}`, data, room),
		"go":     fmt.Appendf(nil, `{"method":"emit","host_id":"0123456789abcdef0123456789abcdef","namespace":"/","room":%q,"skip_sid":null,"callback":null,"event":"news","binary":false,"data":%s}`, room, data),
	}
}

func benchmarkQueue(b *testing.B, room string, ignored uint64) {
	for _, size := range []int{64, 4096, 65536} {
		for _, from := range []string{"python", "go"} {
			b.Run(fmt.Sprintf("from=%s/bytes=%d", from, size), func(b *testing.B) {
				srv, broker := newQueueServer(b)
				msg := queueMessages(room, size)[from]
				b.SetBytes(int64(len(msg)))
				b.ReportAllocs()
				for b.Loop() {
					broker.handle("flask-socketio", msg)
				}
				if n := srv.BrokerStatus().Ignored; n != ignored {
					b.Fatalf("%d messages were ignored", n)
				}
			})
		}
	}
}

// An event for a room that nobody here is in.
func BenchmarkQueueNobody(b *testing.B) { benchmarkQueue(b, "elsewhere", 0) }

// An event for a room that somebody here is in, up to the packet.
func BenchmarkQueueSomebody(b *testing.B) { benchmarkQueue(b, "here", 0) }

// What decoding all of it would cost, for comparison.
func BenchmarkQueueDecoded(b *testing.B) {
	for _, size := range []int{64, 4096, 65536} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			msg := queueMessages("here", size)["python"]
			b.SetBytes(int64(len(msg)))
			b.ReportAllocs()
			for b.Loop() {
				var m map[string]any
				if err := json.Unmarshal(msg, &m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Emit to a room of a server that has a broker, up to the queue's bytes.
func BenchmarkQueueEmit(b *testing.B) {
	for _, size := range []int{64, 4096} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			srv, _ := newQueueServer(b)
			data := strings.Repeat("x", size)
			b.ReportAllocs()
			for b.Loop() {
				if err := srv.Emit("news", data, To("here")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
