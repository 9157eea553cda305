package socketiotest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/parser"
)

// ConnectError is the refusal of a namespace: a CONNECT_ERROR packet, what
// clients in browsers get as their connect_error event.
type ConnectError struct {
	Namespace string
	Message   string
	Data      json.RawMessage // as the server wrote it; nil if there is none
}

// Error returns the message and the data.
func (e *ConnectError) Error() string {
	s := fmt.Sprintf("socketiotest: namespace %s refused the client: %s", e.Namespace, e.Message)
	if e.Data != nil {
		s += " " + string(e.Data)
	}
	return s
}

// HTTPError is the refusal of a request: an answer with a status that is no
// success.
type HTTPError struct {
	Status  int    // HTTP status
	Code    int    // of the Engine.IO protocol, 0 to 5; -1 if the body has none
	Message string // its "message", or the body
	Detail  string // the header Engineio-Refusal, in which our server says more
}

// Error returns the status, the code, the message and the detail.
func (e *HTTPError) Error() string {
	s := fmt.Sprintf("socketiotest: the server answered with HTTP status %d: %.200s", e.Status, e.Message)
	if e.Code >= 0 {
		s = fmt.Sprintf("socketiotest: the server answered with HTTP status %d: %s (code %d)", e.Status, e.Message, e.Code)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// dialError translates an error of the handshake.
func dialError(err error) error {
	refused, ok := errors.AsType[*eiotest.RefusedError](err)
	if !ok {
		return fmt.Errorf("socketiotest: connecting: %w", err)
	}
	e := &HTTPError{Status: refused.Response.Status, Code: -1, Message: strings.TrimSpace(refused.Response.Body),
		Detail: refused.Response.Header.Get(engineio.RefusalHeader)}
	var body struct {
		Code    *int
		Message string
	}
	if json.Unmarshal([]byte(refused.Response.Body), &body) == nil && body.Code != nil {
		e.Code, e.Message = *body.Code, body.Message
	} else { // a refused WebSocket handshake
		e.Code = slices.Index(codeMessages, e.Message)
	}
	return e
}

// codeMessages are the bodies of refused WebSocket handshakes, by code.
var codeMessages = []string{
	"Transport unknown", "Session ID unknown", "Bad handshake method", "Bad request", "Forbidden", "Unsupported protocol version",
}

// connectError reads a CONNECT_ERROR packet.
func (k *conn) connectError(p parser.Packet) (*ConnectError, error) {
	if k.opts.EIO3 {
		return oldRefusal(p)
	}
	var body struct {
		Message *string         `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	if err := p.Args.Bind(0, &body); err != nil {
		return nil, fmt.Errorf("CONNECT_ERROR of namespace %s: %w", p.Namespace, err)
	}
	if body.Message == nil {
		return nil, fmt.Errorf("CONNECT_ERROR of namespace %s without a message", p.Namespace)
	}
	return &ConnectError{Namespace: p.Namespace, Message: *body.Message, Data: body.Data}, nil
}

// The reasons of the official client.
const (
	reasonServer         = "io server disconnect"
	reasonClient         = "io client disconnect"
	reasonPing           = "ping timeout"
	reasonTransportClose = "transport close"
	reasonTransportError = "transport error"
	reasonParse          = "parse error"
)

// reasonOf translates the end of a connection by the server or the network.
func reasonOf(err *eiotest.CloseError, transport Transport) string {
	switch err.Kind {
	case eiotest.CloseTimeout:
		return reasonPing
	case eiotest.ClosePacket, eiotest.CloseWebSocket:
		return reasonTransportClose
	case eiotest.CloseNetwork:
		return lost(transport)
	}
	return reasonTransportError
}

// lost is what a client sees whose network is cut: its WebSocket closes, its
// request fails.
func lost(transport Transport) string {
	if transport == WebSocket {
		return reasonTransportClose
	}
	return reasonTransportError
}
