package engineio_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// The same over the network: with the transport that the server has itself, and over TLS with the application's.
func TestNetworkHandOver(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			var hosts [2]*host
			var urls [2]string
			var transport http.RoundTripper
			var webs [2]*httptest.Server
			for i := range hosts { // before the servers, whose options want to know
				webs[i] = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hosts[i].srv.ServeHTTP(w, r) }))
				if scheme == "https" {
					webs[i].StartTLS()
					transport = webs[i].Client().Transport // the certificate is the same
				} else {
					webs[i].Start()
				}
				urls[i] = webs[i].URL
				t.Cleanup(webs[i].Close)
			}
			for i := range hosts {
				hosts[i] = newHost(t, &engineio.Options{
					ServerID: fmt.Sprint(i), PeerTransport: transport,
					PeerURL: func(_ context.Context, id string) (*url.URL, error) {
						return url.Parse(urls[id[0]-'0'] + "/engine.io/")
					},
				}, nil)
			}
			hosts[0].echo = true
			client := webs[0].Client().Transport
			raw := &eiotest.Raw{Transport: client, URL: urls[0]}
			_, _, err := raw.Handshake(t.Context())
			require.NoError(t, err)
			p := hosts[0].peer()

			raw.URL = urls[1]
			for i := range 20 {
				answer := get(t, raw)
				resp, err := raw.Post(t.Context(), fmt.Sprint("4hello ", i))
				wantOK(t, resp, err, "ok")
				wantOK(t, next(t, answer), nil, fmt.Sprint("4hello ", i))
				p.want(fmt.Sprint("text hello ", i))
			}
			ws, _, err := raw.DialWS(t.Context(), nil)
			require.NoError(t, err)
			defer ws.CloseNow()
			read := func() string {
				_, data, err := ws.Read(t.Context())
				require.NoError(t, err)
				return string(data)
			}
			require.NoError(t, ws.Write(t.Context(), websocket.MessageText, []byte("2probe")))
			require.Equal(t, "3probe", read())
			require.NoError(t, ws.Write(t.Context(), websocket.MessageText, []byte("5")))
			for size := 1; size < 900_000; size *= 7 {
				message := strings.Repeat("x", size)
				require.NoError(t, ws.Write(t.Context(), websocket.MessageText, []byte("4"+message)))
				require.Equal(t, "4"+message, read())
				p.want("text " + message)
			}
			assert.EqualValues(t, 41, hosts[1].srv.Stats().HandedOver)
			require.NoError(t, ws.Close(websocket.StatusNormalClosure, ""))
			p.wantClosed(engineio.ReasonTransportClose)
		})
	}
}

// Nothing is retried that may have arrived: a poll whose answer is lost on the way between the servers is not sent again.
func TestNetworkHandOverIsNotRepeated(t *testing.T) {
	var polls atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if polls.Add(1) == 1 { // so that there is a connection to be used again
			_, _ = w.Write([]byte("6"))
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	}))
	defer other.Close()
	h := newHost(t, &engineio.Options{
		ServerID: "a",
		PeerURL:  func(context.Context, string) (*url.URL, error) { return url.Parse(other.URL + "/engine.io/") },
	}, nil)
	raw := &eiotest.Raw{Transport: h.tr, SID: "x.b"}
	resp, err := raw.Get(t.Context())
	wantOK(t, resp, err, "6")
	resp, err = raw.Get(t.Context())
	wantRefused(t, resp, err, 502, "1", "Session ID unknown here")
	assert.EqualValues(t, 2, polls.Load())
}
