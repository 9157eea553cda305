package eiotest

import (
	"errors"
	"fmt"

	"github.com/coder/websocket"
)

// CloseKind says how a Client's connection ended.
type CloseKind string

// ErrClosed is returned by the methods of a closed Client, wrapped in a *CloseError.
var ErrClosed = errors.New("eiotest: client closed")

// The ways a connection ends.
const (
	CloseLocal     CloseKind = "closed by this client"
	ClosePacket    CloseKind = "close packet"                     // over long-polling
	CloseWebSocket CloseKind = "websocket closed"                 // Code is the status of the close frame, -1 without one
	CloseHTTP      CloseKind = "http status"                      // Status and Body are the answer's
	CloseNetwork   CloseKind = "network error"                    // Err
	CloseTimeout   CloseKind = "no ping from the server in time"  // by this client
	CloseProtocol  CloseKind = "the server violated the protocol" // Err says how; by this client
)

// CloseError says how a connection ended. errors.Is(err, ErrClosed) is true for it.
type CloseError struct {
	Kind   CloseKind
	Code   websocket.StatusCode
	Status int
	Body   string
	Err    error
}

func (e *CloseError) Error() string {
	s := "eiotest: client closed: " + string(e.Kind)
	switch {
	case e.Kind == CloseWebSocket:
		s += fmt.Sprintf(" with code %d", e.Code)
	case e.Kind == CloseHTTP:
		s += fmt.Sprintf(" %d %.200s", e.Status, e.Body)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *CloseError) Is(target error) bool { return target == ErrClosed }
func (e *CloseError) Unwrap() error        { return e.Err }
