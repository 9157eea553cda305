package engineio

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

var errPostOverlap = errors.New("engineio: a POST came while another one was being read")

// servePost takes the packets of a POST and answers at once, whatever becomes
// of the messages.
func (c *Conn) servePost(w http.ResponseWriter, r *http.Request) *Refusal {
	c.mu.Lock()
	refusal := c.refuseRequestLocked()
	switch {
	case refusal != nil:
	case c.closed && c.reason == ReasonServerShutdown:
		c.mu.Unlock()
		return c.srv.serveGone(w, r)
	case c.closed:
		refusal = refuseUnknownSID
	case c.posting:
		c.mu.Unlock()
		c.end(ReasonTransportError, errPostOverlap, told)
		return refuseOverlap
	default:
		c.posting = true
	}
	c.mu.Unlock()
	if refusal == nil {
		refusal = c.readPost(w, r)
	}
	if refusal == nil {
		answerPost(w)
	}
	return refusal
}

func answerPost(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = htmlText, noStore
	_, _ = io.WriteString(w, "ok")
}

func (c *Conn) readPost(w http.ResponseWriter, r *http.Request) *Refusal {
	defer func() { // before the answer: the client may send the next one as soon as it has it
		c.mu.Lock()
		c.posting = false
		c.mu.Unlock()
	}()
	limit := c.srv.opts.MaxPayload
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/octet-stream") {
		err := &parseError{"a POST of binary data: in revision 4 of the protocol the payload is text, with binary messages in base64"}
		c.endFor(err)
		return badRequest("Bad request: " + err.what)
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		err := &parseError{"a POST with a Content-Encoding: clients send payloads as they are"}
		c.endFor(err)
		return badRequest("Bad request: " + err.what)
	}
	buf := payloadPool.Get().(*[]byte)
	defer putPayload(buf)
	body, err := c.srv.readBody((*buf)[:0], w, r)
	*buf = body
	switch {
	case err == errBodyTooLarge:
		err := errTooLarge(limit)
		c.end(ReasonTransportError, err, told)
		return c.srv.refuseTooLarge(w, err)
	case err != nil:
		c.end(ReasonTransportError, err, told)
		return badRequest("Bad request: the body could not be read")
	}
	if !utf8.Valid(body) {
		err := &parseError{"a POST that is not UTF-8"}
		c.endFor(err)
		return badRequest("Bad request: " + err.what)
	}
	c.flusher.traffic.received(bytes.Count(body, []byte{separator})+1, len(body))
	if err := c.receivePayload(body); err != nil {
		c.endFor(err)
		if !errors.Is(err, errClientClosed) {
			return badRequest("Bad request: " + strings.TrimPrefix(err.Error(), "engineio: "))
		}
	}
	return nil
}
