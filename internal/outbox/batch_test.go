package outbox_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/outbox"
)

// batches adds PublishBatch. Of the first batch it takes some messages and fails
// at the next, if err is set.
type batches struct {
	*fakeBroker
	takes int
	err   error
	sizes []int
}

func (b *batches) PublishBatch(ctx context.Context, channel string, messages [][]byte) (int, error) {
	b.sizes = append(b.sizes, len(messages))
	n, err := len(messages), b.err
	if err != nil {
		n, b.err = b.takes, nil
	}
	for _, m := range messages[:n] {
		if err := b.fakeBroker.Publish(ctx, channel, m); err != nil {
			return 0, err
		}
	}
	return n, err
}

// What waits while a message is published goes out at once, in order; if that fails
// in the middle, it goes on there.
func TestBatches(t *testing.T) {
	for name, c := range map[string]struct {
		err                error
		size               int // of each message
		sizes              []int
		missing            int // in the end
		dropped, published int
		waiting            int // in between
	}{
		"whole":  {sizes: []int{9}, missing: -1, published: 10},
		"big":    {size: 100_000, sizes: []int{2, 2, 2, 2}, missing: -1, published: 10},
		"tooBig": {err: broker.ErrTooBig, sizes: []int{9, 5}, missing: 4, dropped: 1, published: 9},
		"outage": {err: errAway, sizes: []int{9, 6}, missing: -1, published: 10, waiting: 6},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				b := &batches{fakeBroker: &fakeBroker{gate: gate}, takes: 3, err: c.err}
				o, _ := start(t, b, outbox.Options{Keep: 1 << 20})
				pad := strings.Repeat("x", c.size)
				var want []string
				for i := range 10 {
					m := fmt.Sprint(i, pad)
					o.Put(channel, []byte(m))
					if i != c.missing {
						want = append(want, m)
					}
					synctest.Wait()
				}
				close(gate)
				synctest.Wait()
				st := o.Status()
				require.Equal(t, c.waiting, st.Waiting)
				require.Equal(t, c.waiting == 0, st.Connected)
				if c.waiting > 0 {
					time.Sleep(20 * time.Second)
				}
				require.Equal(t, want, b.take())
				st = o.Status()
				require.True(t, st.Connected)
				require.EqualValues(t, c.published, st.Published)
				require.EqualValues(t, c.dropped, st.Dropped)
				require.Equal(t, c.sizes, b.sizes)
			})
		})
	}
}
