package loadgen

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/bench/internal/wire"
)

// fakeServer is a Server in this process that hands each connection to f.
type fakeServer struct{ addr string }

func (s fakeServer) Addr() string                { return s.addr }
func (s fakeServer) CPU() (time.Duration, error) { return wire.CPUTime(), nil }
func (s fakeServer) RSS() (int64, error)         { return 0, nil }
func (s fakeServer) Collect() error              { return nil }
func (s fakeServer) Begin() error                { return nil }
func (s fakeServer) End() error                  { return nil }

func serve(t *testing.T, f func(c net.Conn)) fakeServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	return fakeServer{ln.Addr().String()}
}

const pong = 0xA // opcode, RFC 6455, section 5.2

// serverFrame makes a short frame as servers do.
func serverFrame(first byte, payload []byte) []byte {
	return append([]byte{first, byte(len(payload))}, payload...)
}

// readFrame reads a frame of a client.
func readFrame(r *bufio.Reader) (op byte, payload string, err error) {
	var head [6]byte // short frames only
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, "", err
	}
	b := make([]byte, head[1]&0x7f)
	if _, err := io.ReadFull(r, b); err != nil {
		return 0, "", err
	}
	for i := range b {
		b[i] ^= head[2+i%4]
	}
	return head[0] & 0xf, string(b), nil
}

// A server may split what it sends anywhere, ping, and fragment its messages.
func TestClientWithAwkwardServer(t *testing.T) {
	pongs := make(chan string, 100)
	srv := serve(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		dribble := func(b []byte) {
			for i := range b {
				if _, err := c.Write(b[i : i+1]); err != nil {
					return
				}
			}
		}
		dribble([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"))
		dribble(serverFrame(0x81, []byte(`0{"sid":"x"}`)))
		for {
			op, payload, err := readFrame(in)
			switch {
			case err != nil:
				return
			case op == pong:
				pongs <- payload
			case payload == "40":
				dribble(serverFrame(0x01, []byte("4")))
				dribble(serverFrame(0x89, []byte("are you there"))) // between fragments
				dribble(serverFrame(0x00, []byte("0{}")))
				dribble(serverFrame(0x80, nil))
				dribble(serverFrame(0x81, []byte("2")))
			case payload == "3":
				pongs <- "3"
			default:
				answer := "43" + payload[2:4] + "[" + payload[len(`4210["echo",`):]
				b := append(serverFrame(0x01, []byte(answer[:10])), serverFrame(0x80, []byte(answer[10:]))...)
				dribble(b)
			}
		}
	})
	sc, err := Select("echo@2", true)
	require.NoError(t, err)
	r, err := Run(t.Context(), Config{Scenario: sc[0], Server: srv, Measure: 100 * time.Millisecond, Timeout: 20 * time.Second})
	require.NoError(t, err)
	require.Positive(t, r.Messages)
	require.Positive(t, r.Latency.P50)
	require.GreaterOrEqual(t, r.Latency.Max, r.Latency.P50)
	got := []string{<-pongs, <-pongs, <-pongs, <-pongs}
	require.ElementsMatch(t, []string{"are you there", "3", "are you there", "3"}, got)
}

func TestRunReportsFailures(t *testing.T) {
	sc, err := Select("echo@1", true)
	require.NoError(t, err)
	run := func(ctx context.Context, f func(c net.Conn)) error {
		_, err := Run(ctx, Config{Scenario: sc[0], Server: serve(t, f), Measure: 10 * time.Millisecond, Timeout: 300 * time.Millisecond})
		return err
	}
	t.Run("silent server", func(t *testing.T) {
		require.ErrorIs(t, run(t.Context(), func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), wire.ErrTimeout)
	})
	t.Run("refusal", func(t *testing.T) {
		err := run(t.Context(), func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		})
		require.ErrorContains(t, err, "400 Bad Request")
	})
	t.Run("disconnect", func(t *testing.T) {
		require.ErrorContains(t, run(t.Context(), func(net.Conn) {}), "client 0 was disconnected")
	})
	t.Run("cancelled", func(t *testing.T) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		require.ErrorIs(t, run(ctx, func(c net.Conn) {
			cancel(cause)
			_, _ = io.Copy(io.Discard, c)
		}), cause)
	})
}

func TestCheck(t *testing.T) {
	require.NoError(t, check([]byte(`4310["a"]`), `["a"]`))
	require.NoError(t, check([]byte(`43[{"b":1,"a":[2]}]`), `[{"a":[2],"b":1}]`))
	for _, bad := range []string{`4310["b"]`, `4310[]`, `4310`, `4310["a"`, `4310["a","a"]`} {
		require.Error(t, check([]byte(bad), `["a"]`), bad)
	}
}

func names(scenarios []Scenario) (all []string) {
	for _, sc := range scenarios {
		all = append(all, sc.Name)
	}
	return all
}

func TestSelect(t *testing.T) {
	all, err := Select("", false)
	require.NoError(t, err)
	require.Contains(t, names(all), "echo")
	require.NotContains(t, names(all), "cross", "it needs Redis")
	named, err := Select(strings.Join(Names(), ","), false)
	require.NoError(t, err)
	require.Equal(t, Names(), names(named))
	some, err := Select("echo@18000,idle,rooms-own@20000", true)
	require.NoError(t, err)
	require.Equal(t, "echo@18000", some[0].Name)
	require.Equal(t, 18_000, some[0].Clients)
	require.Contains(t, some[0].Title, "18,000 clients")
	require.True(t, some[1].Memory)
	require.Less(t, some[1].Clients, 10_000, "-quick")
	for _, bad := range []string{"nothing", "echo@", "echo@0", "echo@x", "echo@20000", ","} {
		_, err := Select(bad, false)
		require.Error(t, err, bad)
	}
}
