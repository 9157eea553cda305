package engineio

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// discardAnswer is a ResponseWriter that has deadlines, and allocates nothing.
type discardAnswer struct{ header http.Header }

func (w *discardAnswer) Header() http.Header              { return w.header }
func (w *discardAnswer) WriteHeader(int)                  {}
func (w *discardAnswer) Write(p []byte) (int, error)      { return len(p), nil }
func (w *discardAnswer) SetReadDeadline(time.Time) error  { return nil }
func (w *discardAnswer) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkPolling is one POST with a message, and one poll that gets a message, without net/http.
func BenchmarkPolling(b *testing.B) {
	var conn *Conn
	s, err := NewServer(&Options{OnConnect: func(c *Conn) (Receiver, error) { conn = c; return ReceiverFuncs{}, nil }})
	require.NoError(b, err)
	defer func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Shutdown(ctx)
	}()
	w := &discardAnswer{http.Header{}}
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/engine.io/?EIO=4&transport=polling", nil))
	url := "/engine.io/?EIO=4&transport=polling&sid=" + conn.ID()
	get := httptest.NewRequest(http.MethodGet, url, nil)
	text := strings.NewReader("4hello")
	post, body, f := httptest.NewRequest(http.MethodPost, url, text), io.NopCloser(text), TextFrames("hello")
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		_ = conn.Send(f)
		s.ServeHTTP(w, get)
		clear(w.header)
		text.Reset("4hello")
		post.Body = body
		s.ServeHTTP(w, post)
	}
}
