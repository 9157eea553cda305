package eiotest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/coder/websocket"
)

// openWebSocket opens a session over WebSocket.
func (c *Client) openWebSocket(ctx context.Context) error {
	ws, _, err := c.raw.DialWS(ctx, c.opts.WebSocket)
	if err != nil {
		return err
	}
	open, err := readText(ctx, ws)
	if err == nil {
		var hs *Handshake
		if hs, err = parseHandshake(open, c.revision()); err == nil {
			c.hs = *hs
			c.raw.SID = hs.SID
			c.start()
			c.switchTo(ws)
			return nil
		}
	}
	_ = ws.CloseNow()
	return err
}

// Upgrade moves a client from long-polling to WebSocket, the way the reference client does: the new transport is probed
// while the old one works; then nothing new is sent, the poll under way is waited for, and what was queued meanwhile
// follows the upgrade packet. If the server does not let it, the error says why and the client goes on polling. ctx
// bounds it.
func (c *Client) Upgrade(ctx context.Context) error {
	c.mu.Lock()
	usable := c.ws == nil && !c.upgrading && !c.closing && c.closed == nil
	c.mu.Unlock()
	if !usable {
		return errors.New("eiotest: upgrade: the client is closed, upgraded or being upgraded")
	}
	if !slices.Contains(c.hs.Upgrades, "websocket") {
		return errors.New("eiotest: upgrade: the server does not offer it")
	}
	ws, _, err := c.raw.DialWS(ctx, c.opts.WebSocket)
	if err != nil {
		return err
	}
	if err = c.probe(ctx, ws); err == nil {
		if err = c.pause(ctx); err == nil {
			if err = ws.Write(ctx, websocket.MessageText, []byte{packetUpgrade}); err == nil {
				c.switchTo(ws)
				return nil
			}
		}
		c.resume()
	}
	_ = ws.CloseNow()
	return fmt.Errorf("eiotest: upgrade: %w", err)
}

// probe asks the server whether it hears us on the new transport.
func (c *Client) probe(ctx context.Context, ws *websocket.Conn) error {
	if err := ws.Write(ctx, websocket.MessageText, []byte("2probe")); err != nil {
		return err
	}
	answer, err := readText(ctx, ws)
	if err != nil {
		return err
	}
	if answer != "3probe" {
		return fmt.Errorf("the answer to the probe is %.100q", answer)
	}
	return nil
}

// pause stops sender and poller once their requests are answered.
func (c *Client) pause(ctx context.Context) error {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return ErrClosed
	}
	c.upgrading = true
	c.broadcast()
	c.mu.Unlock()
	return c.await(ctx, func() bool { return !c.sending && !c.polling })
}

// resume undoes pause.
func (c *Client) resume() {
	c.mu.Lock()
	c.upgrading = false
	c.broadcast()
	c.mu.Unlock()
	c.startPolling()
}

// switchTo makes ws the transport.
func (c *Client) switchTo(ws *websocket.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.upgrading = false
	if c.closed != nil {
		_ = ws.CloseNow()
		return
	}
	c.ws = ws
	c.broadcast()
	c.loops.Go(func() { c.readWebSocket(ws) })
}

// readWebSocket reads the WebSocket, which it closes.
func (c *Client) readWebSocket(ws *websocket.Conn) {
	defer ws.CloseNow()
	for {
		kind, data, err := ws.Read(c.ctx)
		if err != nil {
			why := &CloseError{Kind: CloseNetwork, Code: websocket.CloseStatus(err), Err: err}
			if why.Code != -1 {
				why.Kind = CloseWebSocket
			}
			c.end(why)
			return
		}
		p := packet{packetMessage, data, true}
		if c.old != nil {
			if p, err = c.old.message(data, kind == websocket.MessageText); err != nil {
				c.violation("WebSocket message: %w", err)
				return
			}
		} else if kind == websocket.MessageText {
			p, err = parsePacket(string(data))
			if err == nil && p.binary {
				err = errors.New("base64 in a WebSocket frame")
			}
			if err != nil {
				c.violation("WebSocket frame %.100q: %w", data, err)
				return
			}
		}
		if !c.handle(p) {
			return
		}
	}
}

// writeWebSocket sends packets, one a frame.
func (c *Client) writeWebSocket(ws *websocket.Conn, batch []packet) {
	for _, p := range batch {
		kind, data := websocket.MessageText, p.data
		switch {
		case p.binary && c.old != nil && c.old.base64:
			data = []byte(c.old.text(p))
		case p.binary && c.old != nil:
			kind, data = websocket.MessageBinary, append([]byte{4}, p.data...)
		case p.binary:
			kind = websocket.MessageBinary
		default:
			data = p.appendText(nil)
		}
		if err := ws.Write(c.ctx, kind, data); err != nil {
			<-c.done // what the reader finds, such as a close frame, is more telling
			return
		}
	}
}

// readText reads a text frame.
func readText(ctx context.Context, ws *websocket.Conn) (string, error) {
	kind, data, err := ws.Read(ctx)
	if err == nil && kind != websocket.MessageText {
		err = fmt.Errorf("a binary frame of %d bytes", len(data))
	}
	return string(data), err
}
