package engineio_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// What a POST costs, all three sides together, that reaches its server, and one that another server hands over.
func BenchmarkHandOver(b *testing.B) {
	var urls [2]string
	for i := range urls {
		srv, err := engineio.NewServer(&engineio.Options{
			ServerID: fmt.Sprint(i),
			PeerURL: func(_ context.Context, id string) (*url.URL, error) {
				return url.Parse(urls[id[0]-'0'] + "/engine.io/")
			},
			OnConnect: func(*engineio.Conn) (engineio.Receiver, error) { return engineio.ReceiverFuncs{}, nil },
		})
		require.NoError(b, err)
		web := httptest.NewServer(srv)
		urls[i] = web.URL
		b.Cleanup(func() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = srv.Shutdown(ctx)
			web.Close()
		})
	}
	client := new(http.Transport)
	b.Cleanup(client.CloseIdleConnections)
	raw := &eiotest.Raw{Transport: client, URL: urls[0]}
	_, _, err := raw.Handshake(b.Context())
	require.NoError(b, err)
	for i, name := range []string{"direct", "handed over"} {
		b.Run(name, func(b *testing.B) {
			raw.URL = urls[i]
			b.ReportAllocs()
			for b.Loop() {
				resp, err := raw.Post(b.Context(), "4hello")
				if err != nil || resp.Status != http.StatusOK {
					b.Fatal(err, resp)
				}
			}
		})
	}
}
