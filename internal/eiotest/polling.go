package eiotest

import (
	"compress/gzip"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// openPolling opens a session over long-polling and starts to poll.
func (c *Client) openPolling(ctx context.Context) error {
	resp, err := c.get(ctx)
	if err != nil {
		return err
	}
	if resp.Status != http.StatusOK {
		return &RefusedError{resp}
	}
	if c.old != nil {
		return c.openPollingOld(resp)
	}
	open, rest, more := strings.Cut(resp.Body, Separator)
	hs, err := parseHandshake(open, 4)
	if err != nil {
		return err
	}
	c.hs = *hs
	c.raw.SID = hs.SID
	c.start()
	if packets, err := parsePayload(rest); more && !c.packets(packets, err) {
		return c.Err()
	}
	c.startPolling()
	return nil
}

// startPolling starts the poller unless it runs.
func (c *Client) startPolling() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil && !c.polling {
		c.polling = true
		c.loops.Go(c.poll)
	}
}

// stopPolling notes that the poller ends, if it shall pause or force is set.
func (c *Client) stopPolling(force bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	stop := force || c.upgrading || c.closing || c.closed != nil
	if stop {
		c.polling = false
		c.broadcast()
	}
	return stop
}

// poll is the poller. It ends with the connection, or after the answer to its request when it shall pause.
func (c *Client) poll() {
	for !c.stopPolling(!c.pollOnce()) {
	}
}

// pollOnce sends one poll and handles the answer. It reports whether the connection goes on.
func (c *Client) pollOnce() bool {
	resp, err := c.get(c.ctx)
	c.mu.Lock()
	closing := c.closing
	c.mu.Unlock()
	switch {
	case closing && (err != nil || resp.Status != http.StatusOK):
		return false // Close has yet to see the answer to the close packet
	case err != nil:
		c.end(&CloseError{Kind: CloseNetwork, Err: err})
		return false
	case resp.Status != http.StatusOK:
		c.end(&CloseError{Kind: CloseHTTP, Status: resp.Status, Body: resp.Body})
		return false
	}
	return c.payload(resp)
}

// payload handles the packets of an answer. It reports whether the connection goes on.
func (c *Client) payload(resp *Response) bool {
	var packets []packet
	var err error
	if c.old != nil {
		packets, err = c.old.parse(resp)
	} else {
		packets, err = parsePayload(resp.Body)
	}
	return c.packets(packets, err)
}

// packets handles packets, behind which is what err says.
func (c *Client) packets(packets []packet, err error) bool {
	for _, p := range packets {
		if !c.handle(p) {
			return false
		}
	}
	if err != nil {
		c.violation("payload: %w", err)
		return false
	}
	return true
}

// get sends a poll and decompresses the answer.
func (c *Client) get(ctx context.Context) (*Response, error) {
	resp, err := c.raw.Get(ctx)
	if err != nil {
		return nil, err
	}
	resp.Body, err = Decompress(resp)
	return resp, err
}

// post sends one payload.
func (c *Client) post(batch []packet) {
	var body []byte
	for i, p := range batch {
		if i > 0 {
			body = append(body, Separator...)
		}
		body = p.appendText(body)
	}
	contentType := "text/plain;charset=UTF-8"
	if c.old != nil {
		body, contentType = c.old.body(batch)
	}
	resp, err := c.sendBody(body, contentType)
	switch {
	case err != nil:
		c.end(&CloseError{Kind: CloseNetwork, Err: err})
	case resp.Status != http.StatusOK:
		c.end(&CloseError{Kind: CloseHTTP, Status: resp.Status, Body: resp.Body})
	case resp.Body != "ok":
		c.violation("answer to a POST: %.100q", resp.Body)
	}
}

// Decompress returns the body of a response without its Content-Encoding.
func Decompress(resp *Response) (string, error) {
	var r io.Reader
	var err error
	switch encoding := resp.Header.Get("Content-Encoding"); encoding {
	case "":
		return resp.Body, nil
	case "gzip":
		r, err = gzip.NewReader(strings.NewReader(resp.Body))
	case "deflate": // the zlib format, whatever the name says (RFC 9110, 8.4.1.2)
		r, err = zlib.NewReader(strings.NewReader(resp.Body))
	default:
		err = fmt.Errorf("unknown Content-Encoding %q", encoding)
	}
	if err == nil {
		var b []byte
		if b, err = io.ReadAll(r); err == nil {
			return string(b), nil
		}
	}
	return "", fmt.Errorf("eiotest: response: %w", err)
}

// take takes the packets of the next batch from the queue: all, or as many as the server's limit of a payload allows.
func (c *Client) take(all bool) []packet {
	n, size, most := 0, 0, c.hs.MaxPayload
	if c.old != nil {
		most = oldMaxPayload
	}
	for _, p := range c.out {
		size += p.textLen() + len(Separator)
		if !all && n > 0 && size-len(Separator) > most {
			break
		}
		n++
	}
	batch := c.out[:n:n]
	c.out = c.out[n:]
	return batch
}
