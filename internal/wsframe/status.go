package wsframe

import "unicode/utf8"

// Status is the status of a close frame (RFC 6455, section 7.4).
type Status uint16

// The statuses that a server sends. StatusNone stands for a close frame without
// one, which the other side sees as 1005.
const (
	StatusNone      Status = 0
	StatusGoingAway Status = 1001
	StatusProtocol  Status = 1002
	StatusNotUTF8   Status = 1007
	StatusPolicy    Status = 1008
	StatusTooBig    Status = 1009
)

// sendable reports whether a close frame may have the status: 1000 to 1014 are
// registered, of which 1004 to 1006 never stand in a frame, and 3000 to 4999 are free.
func (s Status) sendable() bool {
	return s >= 1000 && s <= 1014 && (s < 1004 || s > 1006) || s >= 3000 && s <= 4999
}

// Error says why the Reader has ended.
type Error struct {
	Status Status // of the close frame for the client
	Text   string
}

func (e *Error) Error() string { return "websocket: " + e.Text }

func violation(text string) *Error { return &Error{StatusProtocol, text} }

// The errors of a Reader.
var (
	errReservedBit   = violation("the client sent a frame with a reserved bit, but no extension was negotiated")
	errReservedOp    = violation("the client sent a frame with a reserved opcode")
	errNotMasked     = violation("the client sent a frame without a mask")
	errLongControl   = violation("the client sent a control frame of more than 125 bytes")
	errControlPart   = violation("the client sent a control frame in fragments")
	errLengthForm    = violation("the client sent a frame whose length is not in its shortest form")
	errHugeLength    = violation("the client sent a frame whose length has more than 63 bits")
	errNothingToGoOn = violation("the client sent a continuation frame outside a message")
	errUnfinished    = violation("the client began a message before the end of the last one")
	errCloseLength   = violation("the client sent a close frame with half a status")
	errCloseStatus   = violation("the client sent a close frame with a status that may not be sent")
	errCloseReason   = &Error{StatusNotUTF8, "the client sent a close frame whose reason is not UTF-8"}
	errEmptyParts    = &Error{StatusPolicy, "the client sent a message in too many empty fragments"}

	// ErrNotUTF8 is a text message that is not UTF-8.
	ErrNotUTF8 = &Error{StatusNotUTF8, "the client sent a text message that is not UTF-8"}
	// ErrTooBig is a message above the limit.
	ErrTooBig = &Error{StatusTooBig, "the client sent a message above the limit"}
	// ErrClosed is returned for what follows a close frame, which is ignored.
	ErrClosed = &Error{StatusNone, "the client has sent a close frame"}
)

// checkClose checks the payload of a close frame.
func checkClose(p []byte) *Error {
	switch {
	case len(p) == 0:
		return nil
	case len(p) == 1:
		return errCloseLength
	case !(Status(p[0])<<8 | Status(p[1])).sendable():
		return errCloseStatus
	case !utf8.Valid(p[2:]):
		return errCloseReason
	}
	return nil
}
