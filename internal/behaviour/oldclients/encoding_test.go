package oldclients_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// counting is an argument that counts how often it is encoded.
type counting struct{ times *atomic.Int32 }

func (c counting) MarshalJSON() ([]byte, error) {
	c.times.Add(1)
	return []byte(`"ü"`), nil
}

// A broadcast is encoded once, whichever clients are in the room and how many.
func TestMixedRoomIsEncodedOnce(t *testing.T) {
	for _, each := range []int{1, 5} {
		synctest.Test(t, func(t *testing.T) {
			srv := newServer(t, socketio.Options{})
			srv.On("connect", func(c *socketio.Context) error { return c.Join("room") })
			var times atomic.Int32
			old := make(map[*siotest.Peer]eiotest.Mode)
			var fresh []*siotest.Peer
			for range each {
				for _, mode := range eiotest.OldModes {
					old[dial(t, srv, mode)] = mode
				}
				for _, mode := range eiotest.Modes {
					fresh = append(fresh, siotest.Join(t, srv, mode))
				}
			}
			require.NoError(t, srv.Emit("news", socketio.Args{counting{&times}, []byte{9}}, socketio.To("room")))
			for p, mode := range old {
				want(p, mode, `51-["news","ü",{"_placeholder":true,"num":0}]`, "b:\x09")
			}
			for _, p := range fresh {
				p.Want(`51-["news","ü",{"_placeholder":true,"num":0}]`, "b:\x09")
			}
			assert.EqualValues(t, 1, times.Load(), each)
		})
	}
}
