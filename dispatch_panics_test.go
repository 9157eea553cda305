package socketio_test

import (
	"errors"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/parser"
)

// A panic of the app's costs the event it happens in, and nothing else: it is logged with its stack and counted, the
// client's other events, its other namespaces and other clients go on, and what the client had is cleaned up. The same
// holds for runtime.Goexit, but for the stack.
func TestPanics(t *testing.T) {
	for _, b := range userFunctions {
		t.Run(b.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { b.run(t, false) })
		})
		if len(b.exits) == 1 && b.exits[0] == "-" {
			continue
		}
		t.Run(b.name+", exits", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { b.run(t, true) })
		})
	}
}

func (b bomb) run(t *testing.T, exit bool) {
	var log siotest.Logs
	var rec siotest.Record
	booms := 0
	boom := func() {
		booms++
		if exit {
			runtime.Goexit()
		}
		panic("ouch")
	}
	opts := &socketio.Options{Logger: siotest.Logger(&log)}
	if b.opts != nil {
		b.opts(opts, boom)
	}
	srv := siotest.NewServer(t, opts)
	b.set(srv, boom)
	srv.On("ok", func(c *socketio.Context) {})
	srv.Namespace("/beside").On("disconnect", func(c *socketio.Context) { rec.Add("left") })
	p := siotest.Join(t, srv, eiotest.WebSocket, "/", "/beside")
	beside := srv.Namespace("/beside").Socket(p.SID)
	other := siotest.Join(t, srv, eiotest.WebSocket)
	time.Sleep(time.Minute) // for EventRate
	for _, packet := range b.send {
		p.Send(packet)
		synctest.Wait()
	}
	want := b.want
	if exit && b.exits != nil {
		want = b.exits
	}
	for _, w := range want {
		if w == "0/boom," || w == "0/class," {
			p.Connected(w[1 : len(w)-1])
			continue
		}
		p.Want(w)
	}
	p.Quiet()
	require.Equal(t, 1, booms)
	time.Sleep(time.Minute)
	for _, r := range []*siotest.Peer{p, other} { // they go on
		r.Send(`29["ok"]`)
		r.Want(`39[]`)
	}
	if exit {
		require.Zero(t, srv.Stats().Panics)
		require.Contains(t, log.String(), "runtime.Goexit")
		require.NotZero(t, srv.Stats().HandlerErrors)
	} else {
		require.EqualValues(t, 1, srv.Stats().Panics)
		require.Contains(t, log.String(), b.logged)
		require.Contains(t, log.String(), "ouch")
		require.Contains(t, log.String(), "dispatch_panics_test.go", "the stack")
	}
	synctest.Wait()
	require.Zero(t, beside.Queued())
	rec.Want(t)
	p.Client.Close()
	rec.Want(t, "left")
}

// What cannot go on without the function that panicked ends: a connection whose session cannot be seeded or whose packets
// cannot be decoded. The others go on.
func TestPanicsThatEndTheConnection(t *testing.T) {
	ok := func(t *testing.T, srv *socketio.Server, tr *eiotest.Transport) {
		p := siotest.DialWith(t, srv, eiotest.Options{Mode: eiotest.WebSocket, Transport: tr})
		p.Connect("/")
		p.Send(`21["ok"]`)
		p.Want(`31[]`)
	}
	for name, tt := range map[string]struct {
		opts   func(boom func()) *socketio.Options
		status int // of the refusal, or 0
		header http.Header
	}{
		"Session": {func(boom func()) *socketio.Options {
			return &socketio.Options{Session: func(*http.Request) map[string]any { boom(); return nil }}
		}, 500, nil},
		"AllowOrigin": {func(boom func()) *socketio.Options {
			return &socketio.Options{AllowOrigin: func(*http.Request, string) bool { boom(); return true }}
		}, 403, http.Header{"Origin": {"https://elsewhere.test"}}},
		"ClientIP": {func(boom func()) *socketio.Options {
			return &socketio.Options{Limits: socketio.Limits{MaxConnectionsPerIP: 10}, ClientIP: func(*http.Request) string { boom(); return "" }}
		}, 403, nil},
		"NewDecoder": {func(boom func()) *socketio.Options {
			return &socketio.Options{Parser: decoderBomb{Parser: parser.New(nil), new: boom}}
		}, 403, nil},
		"Decode": {func(boom func()) *socketio.Options {
			return &socketio.Options{Parser: decoderBomb{Parser: parser.New(nil), decode: boom}}
		}, 0, nil},
	} {
		for _, exit := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", exits"}[exit], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log siotest.Logs
					armed := true
					opts := tt.opts(func() {
						switch {
						case !armed:
						case exit:
							runtime.Goexit()
						default:
							panic("ouch")
						}
					})
					opts.Logger = siotest.Logger(&log)
					srv := siotest.NewServer(t, opts)
					var rec siotest.Record
					srv.On("ok", func(*socketio.Context) {})
					srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
					tr := eiotest.Serve(t, srv, nil)
					c, err := eiotest.Dial(t.Context(), nil, &eiotest.Options{Path: "/socket.io/", Mode: eiotest.WebSocket, Transport: tr, Header: tt.header})
					if tt.status == 0 {
						require.NoError(t, err)
						p := siotest.NewPeer(t, c)
						armed = false
						p.Connect("/")
						armed = true
						require.NoError(t, c.Send(`2["ok"]`))
						<-c.Closed()
						rec.Want(t, "server disconnect")
					} else if !exit {
						var refused *eiotest.RefusedError
						require.ErrorAs(t, err, &refused)
						status := tt.status
						if refused.Response.Body == "Forbidden" { // to a WebSocket handshake, as the reference server does
							status = 400
						}
						require.Equal(t, status, refused.Response.Status)
						require.NotContains(t, refused.Response.Body, "ouch")
					} else {
						require.Error(t, err)
					}
					synctest.Wait()
					st := srv.Stats()
					require.Zero(t, st.Polling+st.WebSocket)
					if !exit {
						require.EqualValues(t, 1, st.Panics)
						require.Contains(t, log.String(), "ouch")
						require.Contains(t, log.String(), "dispatch_panics_test.go", "the stack")
					}
					armed = false
					ok(t, srv, tr)
				})
			})
		}
	}
}

type decoderBomb struct {
	parser.Parser
	new, decode func()
	dec         parser.Decoder
}

func (d decoderBomb) NewDecoder(l parser.Limits) parser.Decoder {
	if d.new != nil {
		d.new()
	}
	d.dec = d.Parser.NewDecoder(l)
	return d
}

func (d decoderBomb) Decode(data []byte, binary bool) (parser.Packet, bool, error) {
	if d.decode != nil {
		d.decode()
	}
	return d.dec.Decode(data, binary)
}

// Whoever emits what cannot be encoded without a panic gets an error, wherever that is: it must not end the program.
func TestEmitPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, nil)
		p := siotest.Join(t, srv, eiotest.WebSocket)
		bad := fuse{func() { panic(errors.ErrUnsupported) }}
		_, callErr := srv.Call(t.Context(), "e", bad)
		for _, err := range []error{srv.Emit("e", bad), srv.Socket(p.SID).Emit("e", bad), callErr} {
			var e *socketio.PanicError
			require.ErrorAs(t, err, &e)
			require.Contains(t, string(e.Stack), "dispatch_panics_test.go")
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorContains(t, err, `socketio: emit "e": socketio: encoding panicked`)
		}
		p.Quiet()
		require.EqualValues(t, 3, srv.Stats().Panics)
		require.NoError(t, srv.Emit("e", 1))
		p.Want(`2["e",1]`)
	})
}
