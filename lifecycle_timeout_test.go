package socketio_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// JS 106, defect S8: a connection that joins nothing is closed; refusals do not stop the clock, the first success does.
func TestConnectTimeout(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		srv.Namespace("/no").On("connect", func(c *socketio.Context) error { return errors.New("no") })
		p := siotest.Dial(t, srv, mode)
		start := time.Now()
		time.Sleep(40 * time.Second)
		p.Send(`0/no,`)
		p.Want(`4/no,{"message":"Connection rejected by server"}`)
		p.Closed()
		require.InDelta(t, 45, time.Since(start).Seconds(), 1)

		p = siotest.Join(t, srv, mode)
		p.Send(`1`)
		time.Sleep(100 * time.Second)
		p.Connect("/")
	})
}

func TestConnectTimeoutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{ConnectTimeout: -1})
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		time.Sleep(time.Hour)
		p.Connect("/")
	})
}

func TestConnectTimeoutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := siotest.NewServer(t, &socketio.Options{ConnectTimeout: time.Second})
		p := siotest.Dial(t, srv, eiotest.WebSocket)
		start := time.Now()
		p.Closed()
		require.Equal(t, time.Second, time.Since(start))
	})
}
