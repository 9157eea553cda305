package httpbody

import (
	"io"
	"net/http"
	"time"
)

const (
	// dropTime is how long a client may take to send a small body that is not wanted. If
	// the client takes longer, it has as much time again to read the answer, which may be
	// lost when the network connection ends.
	dropTime = time.Second
	// dropSize is the largest small body, in bytes.
	dropSize = 4 << 10
)

// Drop gives up a request's body. net/http would wait for it, before the answer or after
// it, for as long as the client likes. Drop reads a small body that comes soon. After any
// other, the network connection ends soon after the answer. HTTP/2 resets the stream by
// itself.
func Drop(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 1 || !Exists(r) {
		return
	}
	rc := http.NewResponseController(w)
	end := time.Now().Add(dropTime)
	if n := r.ContentLength; n >= 0 && n <= dropSize && r.Header["Expect"] == nil && rc.SetReadDeadline(end) == nil {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			_ = rc.SetReadDeadline(time.Time{})
			r.Body = http.NoBody
			return
		}
	}
	w.Header().Set("Connection", "close")
	_ = rc.SetReadDeadline(end)
}

// Exists reports whether a request has a body.
func Exists(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// spoiled replaces a body whose rest is not waited for.
type spoiled struct{}

func (spoiled) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
func (spoiled) Close() error             { return nil }
