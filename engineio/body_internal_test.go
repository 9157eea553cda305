package engineio

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
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
func startBody(s *Server, length int64) (b *body, in *io.PipeWriter, ended <-chan error, got *[]byte) {
	out, in := io.Pipe()
	b = s.newBody(&deadlineRecorder{httptest.NewRecorder(), out})
	r := httptest.NewRequest(http.MethodPost, "/", out)
	r.ContentLength = length
	end := make(chan error, 1)
	got = new([]byte)
	go func() {
		var err error
		*got, err = b.readAll(nil, r)
		b.release()
		end <- err
	}()
	return b, in, end, got
}

func bodyServer(t *testing.T, opts Options) *Server {
	t.Helper()
	opts.OnConnect = func(*Conn) (Receiver, error) { return nil, errors.New("none") }
	s, err := NewServer(&opts)
	require.NoError(t, err)
	return s
}

// The memory of a body grows as it comes, whatever its Content-Length promises, and is given back.
func TestBodyGrowsAsItComes(t *testing.T) {
	for _, length := range []int64{900_000, -1} {
		synctest.Test(t, func(t *testing.T) {
			s := bodyServer(t, Options{})
			_, in, ended, got := startBody(s, length)
			sent := strings.Repeat("0123456789", 90_000)
			for i := 0; i < len(sent); i += 1000 {
				synctest.Wait()
				s.bodies.mu.Lock()
				assert.LessOrEqual(t, s.bodies.held, max(firstBody, 2*i), "after %d bytes", i)
				s.bodies.mu.Unlock()
				_, err := io.WriteString(in, sent[i:i+1000])
				require.NoError(t, err)
			}
			in.Close()
			require.NoError(t, <-ended)
			assert.True(t, sent == string(*got))
			assert.Zero(t, s.bodies.held)
			assert.Zero(t, s.bodies.order.Len())
		})
	}
}

// When the budget is used up, the bodies that began first are cut off, and those that go on arrive.
func TestPostBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bodyServer(t, Options{Limits: Limits{MaxPayload: 100_000, PostBudget: 1_000_000}})
		var stalled []<-chan error
		for range 20 { // each holds twice what came, at most what it may have
			_, in, ended, _ := startBody(s, 100_000)
			_, err := in.Write(make([]byte, 90_000))
			require.NoError(t, err)
			stalled = append(stalled, ended)
			synctest.Wait()
		}
		s.bodies.mu.Lock()
		assert.LessOrEqual(t, s.bodies.held, 1_000_000)
		s.bodies.mu.Unlock()
		for i, ended := range stalled {
			if i >= 11 {
				assert.Empty(t, ended)
				continue
			}
			var limit *limitError
			require.ErrorAs(t, <-ended, &limit, "%d", i)
			assert.Equal(t, "PostBudget", limit.option)
		}
		assert.EqualValues(t, 11, s.Stats().LimitHits["PostBudget"])
		_, in, ended, _ := startBody(s, 100_000)
		_, err := in.Write(make([]byte, 100_000))
		require.NoError(t, err)
		in.Close()
		require.NoError(t, <-ended)

		// The rest ends with the test.
		s.bodies.mu.Lock()
		var left []*body
		for e := s.bodies.order.Front(); e != nil; e = e.Next() {
			left = append(left, e.Value.(*body))
		}
		s.bodies.mu.Unlock()
		for _, b := range left {
			b.cut(errSessionOver)
		}
		for _, ended := range stalled[11+1:] {
			require.Error(t, <-ended)
		}
	})
}

// A body that is cut off while it ends has one of both outcomes.
func TestBodyCutOffAtItsEnd(t *testing.T) {
	s := bodyServer(t, Options{})
	for range 200 {
		b, in, ended, _ := startBody(s, 1)
		var both sync.WaitGroup
		both.Go(func() { _, _ = in.Write([]byte("4")); in.Close() })
		both.Go(func() { b.cut(errSessionOver) })
		both.Wait()
		if err := <-ended; err != nil {
			require.Equal(t, errSessionOver, err)
		}
	}
}
