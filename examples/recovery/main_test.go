package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/socketiotest"
)

// A reader who is away for a while, or whose server is replaced, has every number in the end; one who
// is away for too long does not.
func TestFeedWithoutGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(time.Minute)
		t.Cleanup(func() { require.NoError(t, s.shutdown(context.Background())) })
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		reader := socketiotest.Connect(t, s, nil)
		go s.feed(ctx, time.Second)
		for n := 1; n <= 40; n++ {
			reader.Expect("number", n)
			if n%10 != 0 {
				continue
			}
			if n%20 == 0 {
				s.restart()
				reader.WaitDisconnect()
			} else {
				reader.Drop()
			}
			time.Sleep(5 * time.Second)
			reader = reader.Reconnect()
			require.True(t, reader.Recovered(), n)
		}
		reader.Drop()
		time.Sleep(2 * time.Minute)
		require.False(t, reader.Reconnect().Recovered())
	})
}
