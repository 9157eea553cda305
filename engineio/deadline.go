package engineio

import (
	"io"
	"net/http"
	"time"
)

// liftDeadlines takes off the deadlines that http.Server.ReadTimeout and
// WriteTimeout have set, which began with the request and would cut off one that
// waits: over HTTP/1 the network connection, over HTTP/2 the stream. It is called
// when a request that may wait begins to be served. Bodies and answers have
// deadlines of their own (body.readAll, limitAnswer, writePayload).
func (s *Server) liftDeadlines(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	if !hasBody(r) {
		s.noteDeadline(rc.SetReadDeadline(time.Time{}))
	}
	s.noteDeadline(rc.SetWriteDeadline(time.Time{}))
}

// limitAnswer sets the deadline of a small answer. A large one follows its own.
func (s *Server) limitAnswer(w http.ResponseWriter) {
	s.noteDeadline(http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * s.opts.WriteTimeout)))
}

const (
	// dropTime is how long a client may take to send a small body that is not
	// wanted and, if it does not, to read the answer before the network connection
	// ends, which may lose it.
	dropTime = time.Second
	// dropSize is how many bytes are small.
	dropSize = 4 << 10
)

// dropBody gives up a request's body. net/http would wait for it, before the
// answer or after it, for as long as the client likes. A small one is thrown away if
// it comes soon; with any other the network connection ends soon after the
// answer. HTTP/2 resets the stream by itself.
func dropBody(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 1 || !hasBody(r) {
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
	endKeepAlive(w)
	_ = rc.SetReadDeadline(end)
}

// spoiledBody takes the place of a body of which the rest is not worth waiting for.
type spoiledBody struct{}

func (spoiledBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
func (spoiledBody) Close() error             { return nil }

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }
