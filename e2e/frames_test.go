package e2e

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
)

// echo is the receiver of an Engine.IO connection that sends back what comes, and ends when asked to.
func echo(c *engineio.Conn) (engineio.Receiver, error) {
	return engineio.ReceiverFuncs{OnMessage: func(data []byte, binary bool) <-chan struct{} {
		switch {
		case binary:
			_ = c.SendBinary(data)
		case string(data) == "close":
			c.Close(engineio.ReasonServerDisconnect, nil)
		case string(data) == "shutdown":
			c.Close(engineio.ReasonServerShutdown, nil)
		default:
			_ = c.SendText(string(data))
		}
		return nil
	}}, nil
}

// WebSocket libraries of others send fragments, pings between them and frames of every size, and break every rule: npm's ws,
// which the official client uses in Node.js, and Python's websockets; over TCP and TLS, with and without permessage-deflate.
func TestFrames(t *testing.T) {
	enable(t)
	t.Parallel()
	for _, secure := range []bool{false, true} {
		for _, compress := range []bool{false, true} {
			name := map[bool]string{false: "TCP", true: "TLS"}[secure] + map[bool]string{true: ", deflate"}[compress]
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				srv, err := engineio.NewServer(&engineio.Options{
					OnConnect:         echo,
					PerMessageDeflate: true,
					Limits:            engineio.Limits{SendQueueLimit: 16 << 20},
				})
				require.NoError(t, err)
				web := httptest.NewUnstartedServer(srv)
				if secure {
					web.StartTLS()
				} else {
					web.Start()
				}
				t.Cleanup(func() {
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
					defer cancel()
					assert.NoError(t, srv.Shutdown(ctx))
					web.Close()
				})
				url := strings.Replace(web.URL, "http", "ws", 1) + "/engine.io/?EIO=4&transport=websocket"
				env, mode := "COMPRESS=", "plain"
				if compress {
					env, mode = "COMPRESS=1", "deflate"
				}
				t.Run("ws", func(t *testing.T) {
					startScript(t, "frames", "SERVER_URL="+url, env).wait()
				})
				t.Run("websockets", func(t *testing.T) {
					cmd := flaskCommand("frames.py")
					cmd.Args = append(cmd.Args, url, mode)
					out, err := cmd.CombinedOutput()
					require.NoError(t, err, "install python3-websockets\n%s", out)
				})
			})
		}
	}
}
