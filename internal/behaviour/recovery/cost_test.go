package recovery_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// counting is an argument that counts how often it is encoded.
type counting struct{ times *atomic.Int32 }

func (c counting) MarshalJSON() ([]byte, error) {
	c.times.Add(1)
	return []byte(`"x"`), nil
}

// A broadcast is encoded once for all its recipients, those that take part, those that do not, and those that are away.
func TestBroadcastIsEncodedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, socketio.Options{Recovery: &socketio.Recovery{For: func(r *http.Request) bool { return r.Header.Get("Recover") != "" }}})
		var all, away []*siotest.Returner
		var plain []*siotest.Peer
		for range 3 {
			for _, mode := range eiotest.Modes {
				plain = append(plain, siotest.Join(t, srv, mode))
				for i := range 2 {
					c := siotest.NewReturner(t, srv.Server, mode)
					c.Header = http.Header{"Recover": {"yes"}}
					if all = append(all, c.Connect()); i > 0 {
						away = append(away, c)
						c.Drop()
					}
				}
			}
		}
		var times atomic.Int32
		srv.emit(t, "e", socketio.Args{counting{&times}, []byte{9}})
		for _, c := range away {
			c.Connect()
			require.True(t, c.Recovered)
		}
		for _, c := range all {
			c.Want(`["e","x",{"_placeholder":true,"num":0}] b:` + "\x09")
		}
		for _, p := range plain {
			p.Want(`51-["e","x",{"_placeholder":true,"num":0}]`, "b:\x09")
		}
		require.EqualValues(t, 1, times.Load())
	})
}
