package calls_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/calls"
	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var errOwn = errors.New("own")

func newGroup() *calls.Group {
	return calls.New(func(err error) error { return fmt.Errorf("explained: %w", err) })
}

func wait(ctx context.Context) error {
	<-ctx.Done()
	return errOwn
}

func TestWhyACallFails(t *testing.T) {
	g := newGroup()
	defer g.Close()
	assert.NoError(t, g.Do(t.Context(), func(context.Context) error { return nil }))
	assert.EqualError(t, g.Do(t.Context(), func(context.Context) error { return errOwn }), "explained: own")
	ctx, cancel := context.WithCancel(t.Context())
	assert.Equal(t, context.Canceled, g.Do(ctx, func(ctx context.Context) error {
		cancel()
		return wait(ctx)
	}))
	assert.Equal(t, context.Canceled, g.Do(ctx, func(context.Context) error {
		t.Error("called although the context has ended")
		return nil
	}))
}

func TestCloseEndsCallsAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup()
		release := make(chan struct{})
		ended, closed := make(chan error, 1), make(chan bool, 1)
		go func() {
			ended <- g.Do(context.Background(), func(ctx context.Context) error {
				err := wait(ctx)
				<-release
				return err
			})
		}()
		synctest.Wait()
		assert.NoError(t, g.Context().Err())
		go func() { closed <- g.Close() }()
		synctest.Wait()
		assert.Empty(t, closed, "Close did not wait")
		assert.Error(t, g.Context().Err())
		close(release)
		assert.Equal(t, broker.ErrClosed, <-ended)
		assert.True(t, <-closed)
		assert.False(t, g.Close())
		assert.Equal(t, broker.ErrClosed, g.Do(t.Context(), wait))
	})
}
