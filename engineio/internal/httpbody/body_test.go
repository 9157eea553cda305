package httpbody

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// deadlineRecorder is a ResponseWriter with a read deadline, which ends the reads of body.
type deadlineRecorder struct {
	*httptest.ResponseRecorder
	body *io.PipeReader
}

func (w *deadlineRecorder) SetReadDeadline(t time.Time) error {
	if t.Equal(past) {
		_ = w.body.CloseWithError(errors.New("deadline exceeded"))
	}
	return nil
}

// startBody begins to read a body of which nothing has come.
func startBody(s *Budget, length int64) (b *Body, in *io.PipeWriter, ended <-chan error, got *[]byte) {
	out, in := io.Pipe()
	b = s.New(&deadlineRecorder{httptest.NewRecorder(), out})
	r := httptest.NewRequest(http.MethodPost, "/", out)
	r.ContentLength = length
	end := make(chan error, 1)
	got = new([]byte)
	go func() {
		var err error
		*got, err = b.ReadAll(nil, r)
		b.Release()
		end <- err
	}()
	return b, in, end, got
}

var (
	errExceeded = errors.New("the budget is used up")
	errOver     = errors.New("the session is over")
)

// The memory of a body grows as it comes, whatever its Content-Length promises, and is given back.
func TestBodyGrowsAsItComes(t *testing.T) {
	for _, length := range []int64{900_000, -1} {
		synctest.Test(t, func(t *testing.T) {
			s := &Budget{Limit: 64 << 20, MaxSize: 1_000_000, Timeout: time.Minute}
			_, in, ended, got := startBody(s, length)
			sent := strings.Repeat("0123456789", 90_000)
			for i := 0; i < len(sent); i += 1000 {
				synctest.Wait()
				s.mu.Lock()
				assert.LessOrEqual(t, s.held, max(SmallBody, 2*i), "after %d bytes", i)
				s.mu.Unlock()
				_, err := io.WriteString(in, sent[i:i+1000])
				require.NoError(t, err)
			}
			in.Close()
			require.NoError(t, <-ended)
			assert.True(t, sent == string(*got))
			assert.Zero(t, s.held)
			assert.Zero(t, s.order.Len())
		})
	}
}

// When the budget is used up, the bodies that began first are cut off, and those that go on arrive.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exceeded := 0
		s := &Budget{Limit: 1_000_000, MaxSize: 100_000, Timeout: time.Hour, Exceeded: func() error { exceeded++; return errExceeded }}
		var stalled []<-chan error
		for range 20 { // each holds twice what came, at most what it may have
			_, in, ended, _ := startBody(s, 100_000)
			_, err := in.Write(make([]byte, 90_000))
			require.NoError(t, err)
			stalled = append(stalled, ended)
			synctest.Wait()
		}
		s.mu.Lock()
		assert.LessOrEqual(t, s.held, 1_000_000)
		s.mu.Unlock()
		for i, ended := range stalled {
			if i >= 11 {
				assert.Empty(t, ended)
				continue
			}
			require.Equal(t, errExceeded, <-ended, "%d", i)
		}
		assert.Equal(t, 11, exceeded)
		_, in, ended, _ := startBody(s, 100_000)
		_, err := in.Write(make([]byte, 100_000))
		require.NoError(t, err)
		in.Close()
		require.NoError(t, <-ended)

		// The rest ends with the test.
		s.mu.Lock()
		var left []*Body
		for e := s.order.Front(); e != nil; e = e.Next() {
			left = append(left, e.Value.(*Body))
		}
		s.mu.Unlock()
		for _, b := range left {
			b.Cut(errOver)
		}
		for _, ended := range stalled[11+1:] {
			require.Error(t, <-ended)
		}
	})
}

// A body that is cut off while it ends has one of both outcomes.
func TestBodyCutOffAtItsEnd(t *testing.T) {
	s := &Budget{Limit: 64 << 20, MaxSize: 1_000_000, Timeout: time.Minute}
	for range 200 {
		b, in, ended, _ := startBody(s, 1)
		var both sync.WaitGroup
		both.Go(func() { _, _ = in.Write([]byte("4")); in.Close() })
		both.Go(func() { b.Cut(errOver) })
		both.Wait()
		if err := <-ended; err != nil {
			require.Equal(t, errOver, err)
		}
	}
}

// Bodies that are being handled hold back those that are being read, and cut off nobody: it is the server that is slow.
func TestBudgetWaitsForTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Budget{Limit: 1_000_000, MaxSize: 100_000, Timeout: time.Minute, Exceeded: func() error { return errExceeded }}
		var handled []*Body
		for range 8 {
			b, in, ended, _ := startBodyHeld(s, 100_000, nil)
			_, err := in.Write(make([]byte, 100_000))
			require.NoError(t, err)
			in.Close()
			require.NoError(t, <-ended)
			handled = append(handled, b)
		}
		var waits atomic.Int32
		await := func(room <-chan struct{}) {
			waits.Add(1)
			<-room
		}
		first, in, ended, _ := startBodyHeld(s, 100_000, await)
		go func() {
			_, _ = in.Write(make([]byte, 100_000))
			in.Close()
		}()
		synctest.Wait()
		require.NoError(t, <-ended, "there is room for it")
		second, in, ended, _ := startBodyHeld(s, 100_000, await)
		go func() {
			_, _ = in.Write(make([]byte, 100_000))
			in.Close()
		}()
		time.Sleep(10 * time.Minute) // longer than a client may take to send
		assert.Empty(t, ended, "it waits")
		assert.EqualValues(t, 1, waits.Load())
		third, _, cut, _ := startBodyHeld(s, 100_000, await)
		synctest.Wait()
		third.Cut(errOver)
		handled[0].Release()
		require.NoError(t, <-ended)
		require.Equal(t, errOver, <-cut)
		for _, b := range append(handled, first, second, third) {
			b.Release()
			b.Release()
		}
		assert.Zero(t, s.held)
		assert.Zero(t, s.handled)
		assert.Zero(t, s.order.Len())
	})
}

// The memory of a body is used again, unless it counted in the budget: then it may still be cut off.
func TestBodyIsRecycled(t *testing.T) {
	s := &Budget{Limit: 64 << 20, MaxSize: 1_000_000, Timeout: time.Minute}
	read := func(size int) *Body {
		b, in, ended, _ := startBodyHeld(s, int64(size), nil)
		_, err := in.Write(make([]byte, size))
		require.NoError(t, err)
		in.Close()
		require.NoError(t, <-ended)
		b.Release()
		b.Recycle()
		return b
	}
	counted := read(100_000)
	assert.True(t, counted.counted)
	assert.True(t, counted.read, "it is as it was")
	counted.Cut(errOver) // what hold may do late; no other body notices

	b := s.New(httptest.NewRecorder())
	b.Recycle()
	assert.Nil(t, b.budget)
	assert.False(t, b.read)
}

type waiterFunc func(room <-chan struct{})

func (f waiterFunc) AwaitRoom(room <-chan struct{}) { f(room) }

// startBodyHeld is startBody for a body that is handled when it has been read, until it is released.
func startBodyHeld(s *Budget, length int64, await func(<-chan struct{})) (b *Body, in *io.PipeWriter, ended <-chan error, got *[]byte) {
	out, in := io.Pipe()
	b = s.New(&deadlineRecorder{httptest.NewRecorder(), out})
	if await != nil {
		b.Await(waiterFunc(await))
	}
	r := httptest.NewRequest(http.MethodPost, "/", out)
	r.ContentLength = length
	end := make(chan error, 1)
	got = new([]byte)
	go func() {
		var err error
		*got, err = b.ReadAll(nil, r)
		end <- err
	}()
	return b, in, end, got
}

// A body that is longer than what it stands for may be, up to half of the budget.
func TestAllow(t *testing.T) {
	for _, tt := range []struct{ limit, times, want int }{{10_000, 4, 4000}, {6000, 4, 3000}, {2000, 4, 1000}, {1 << 30, 1 << 30, 1 << 29}} {
		s := &Budget{Limit: tt.limit, MaxSize: 1000, Timeout: time.Minute}
		for n, want := range map[int]error{min(tt.want, 5000): nil, tt.want + 1: ErrTooLarge} {
			if n > 5001 {
				continue
			}
			b := s.New(httptest.NewRecorder())
			b.Allow(tt.times)
			_, err := b.ReadAll(nil, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", n))))
			assert.Equal(t, want, err, "%+v %d", tt, n)
			b.Release()
		}
	}
}
