package engineio

import (
	"errors"
	"io"
	"net/http"
	"time"
)

var errBodyTooLarge = errors.New("engineio: body too large")

// readBody appends the body of a POST to b, which is empty. Its client may take
// as long as until a silent one is gone.
func (s *Server) readBody(b []byte, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limit := s.opts.MaxPayload
	if r.ContentLength > int64(limit) {
		return b, errBodyTooLarge
	}
	rc := http.NewResponseController(w)
	s.noteDeadline(rc.SetReadDeadline(time.Now().Add(s.opts.PingInterval + s.opts.PingTimeout)))
	b, err := readInto(b, r.Body, int(max(r.ContentLength, 0)), limit)
	_ = rc.SetReadDeadline(time.Time{})
	return b, err
}

func (s *Server) refuseTooLarge(w http.ResponseWriter, err error) *Refusal {
	s.stats.limits.add(limitPayload)
	// The rest of the body is not worth reading.
	w.Header().Set("Connection", "close")
	return &Refusal{http.StatusRequestEntityTooLarge, codeBadRequest, "Payload too large: " + err.Error(), causeTooLarge}
}

// readInto appends what r holds, about size bytes, to b, which is empty. More
// than limit is errBodyTooLarge.
func readInto(b []byte, r io.Reader, size, limit int) ([]byte, error) {
	if need := min(size, maxPooled) + 1 - cap(b); need > 0 { // one more, to meet the end without growing
		b = make([]byte, 0, max(size+1, 512))
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if len(b) > limit {
			return b, errBodyTooLarge
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}
