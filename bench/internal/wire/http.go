package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// HTTPClient sends requests one after another, on one connection as long as the server keeps it open.
type HTTPClient struct {
	Loop     *Loop
	Waiting  bool                    // it waits for a response
	Response func(body []byte) error // called with the body of a response with status 200, valid during the call
	// Refused is called for a response with another status, and Failed when the
	// connection ends before the response. If they are nil, the run ends.
	Refused func(status int, body []byte) error
	Failed  func(err error) error

	conn    *Conn
	request []byte // it is sent when the connection is open
}

// Do sends a request, which must not be changed until it is answered.
func (h *HTTPClient) Do(request []byte) error {
	if h.Waiting {
		return errors.New("wire: two requests on one connection")
	}
	h.Waiting = true
	if h.conn != nil {
		return h.conn.Write(request)
	}
	c, err := h.Loop.Dial(h)
	if err != nil {
		return err
	}
	h.conn, h.request = c, request
	return nil
}

// Close closes the connection.
func (h *HTTPClient) Close() {
	if h.conn != nil {
		h.conn.Close()
		h.conn = nil
	}
	h.Waiting = false
}

// Reset ends the connection with a reset, like a client that crashes.
func (h *HTTPClient) Reset() {
	if h.conn != nil {
		h.conn.Reset()
	}
	h.Close()
}

func (h *HTTPClient) Opened() {
	if err := h.conn.Write(h.request); err != nil {
		h.Loop.Fail(err)
	}
}

func (h *HTTPClient) Received(b []byte) (int, error) {
	if !h.Waiting {
		return 0, fmt.Errorf("wire: an answer without a request: %.100q", b)
	}
	r, n, err := parseResponse(b, false)
	if err != nil || n == 0 {
		return 0, err
	}
	if r.close {
		h.conn.Close()
		h.conn = nil
	}
	return n, h.answered(r)
}

func (h *HTTPClient) answered(r response) error {
	if r.status != 200 && h.Refused == nil {
		return fmt.Errorf("wire: HTTP status %d: %.200q", r.status, r.body)
	}
	h.Waiting = false
	if r.status != 200 {
		return h.Refused(r.status, r.body)
	}
	return h.Response(r.body)
}

func (h *HTTPClient) Closed(err error) error {
	rest := h.conn.rest
	h.conn = nil
	if !h.Waiting {
		return nil // the server may close idle connections
	}
	if err == io.EOF {
		if r, n, err := parseResponse(rest, true); err == nil && n > 0 {
			return h.answered(r)
		}
	}
	if h.Failed != nil {
		h.Waiting = false
		return h.Failed(err)
	}
	return fmt.Errorf("wire: the connection ended before the answer: %w", err)
}

// response is an HTTP response. Its body may be a part of the buffer from which it was read.
type response struct {
	status int
	close  bool // the connection cannot be used again
	body   []byte
}

var errResponse = errors.New("wire: not an HTTP response")

// parseResponse reads a response. n is its size, or 0 if b does not contain all of it. A response without
// a length ends with the connection: ended reports that the connection has ended.
func parseResponse(b []byte, ended bool) (r response, n int, err error) {
	end := bytes.Index(b, endOfHead)
	if end < 0 {
		return r, 0, nil
	}
	head, body := b[:end], b[end+len(endOfHead):]
	line, headers, _ := bytes.Cut(head, []byte("\r\n"))
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return r, 0, errResponse
	}
	r.close = line[7] == '0'
	if r.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return r, 0, errResponse
	}
	length, chunked := -1, false
	for len(headers) > 0 {
		line, headers, _ = bytes.Cut(headers, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case is(name, "content-length"):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 {
				return r, 0, errResponse
			}
		case is(name, "transfer-encoding"):
			chunked = is(value, "chunked")
		case is(name, "connection"):
			r.close = is(value, "close") || r.close && !is(value, "keep-alive")
		}
	}
	switch {
	case chunked:
		var used int
		if r.body, used, err = parseChunks(body); err != nil || used == 0 {
			return r, 0, err
		}
		return r, end + len(endOfHead) + used, nil
	case length >= 0 && len(body) >= length:
		r.body = body[:length]
		return r, end + len(endOfHead) + length, nil
	case length < 0 && ended:
		r.body = body
		return r, len(b), nil
	}
	return r, 0, nil
}

// parseChunks joins the chunks in b. n is 0 if b does not contain the last one yet.
func parseChunks(b []byte) (body []byte, n int, err error) {
	for {
		line, rest, found := bytes.Cut(b[n:], []byte("\r\n"))
		if !found {
			return nil, 0, nil
		}
		size, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return nil, 0, errResponse
		}
		if len(rest) < int(size)+2 {
			return nil, 0, nil
		}
		body = append(body, rest[:size]...)
		n += len(line) + 2 + int(size) + 2
		if size == 0 {
			return body, n, nil
		}
	}
}

// is compares without regard to case. name is lower case.
func is(b []byte, name string) bool {
	return len(b) == len(name) && bytes.EqualFold(b, []byte(name))
}

// Get returns a GET request of the polling transport. sid is empty for the handshake.
func Get(addr, sid string) []byte {
	return []byte("GET " + pollPath(sid) + " HTTP/1.1\r\nHost: " + addr + "\r\nAccept: */*\r\n\r\n")
}

func Post(addr, sid, body string) []byte {
	return []byte("POST " + pollPath(sid) + " HTTP/1.1\r\nHost: " + addr +
		"\r\nAccept: */*\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

func pollPath(sid string) string {
	path := "/socket.io/?EIO=4&transport=polling"
	if sid != "" {
		path += "&sid=" + sid
	}
	return path
}
