package parser

import (
	"errors"
	"reflect"
	"strconv"
)

// What is wrong with a message, for errors.Is on the errors of a Decoder.
var (
	// ErrMalformed: the message is not a packet of the protocol.
	ErrMalformed = errors.New("parser: malformed packet")
	// ErrReserved: the event has a name Socket.IO keeps for itself, see Reserved.
	ErrReserved = errors.New("parser: reserved event name")
	// ErrOutOfTurn: a text message came while attachments were missing, or a
	// binary message that belongs to no packet.
	ErrOutOfTurn = errors.New("parser: message out of turn")
)

// ErrNoArgument is the cause of a *BindError for an index the packet does not have.
var ErrNoArgument = errors.New("parser: no such argument")

// DecodeError reports a message that breaks the protocol.
type DecodeError struct {
	Kind    error  // ErrMalformed, ErrReserved or ErrOutOfTurn
	Detail  string // what is wrong
	Excerpt string // the message from the place of the fault on, at most 32 bytes
}

func (e *DecodeError) Error() string {
	where := " at the end"
	if e.Excerpt != "" {
		where = " at " + strconv.Quote(e.Excerpt)
	}
	return e.Kind.Error() + ": " + e.Detail + where
}

// Unwrap returns Kind.
func (e *DecodeError) Unwrap() error { return e.Kind }

// LimitError reports a packet that exceeds one of the decoder's Limits.
type LimitError struct {
	Limit string // the field of Limits: "Attachments", "Depth", "IDDigits" or "AttachmentBytes"
	Max   int    // its value
}

func (e *LimitError) Error() string {
	return "parser: packet exceeds Limits." + e.Limit + " (" + strconv.Itoa(e.Max) + ")"
}

// BindError reports an argument that does not decode into its target.
type BindError struct {
	Arg    int          // index of the argument, from 0
	Target reflect.Type // type of the value the pointer refers to; nil if Bind was given no pointer
	Err    error        // the cause: ErrNoArgument, an error of the codec, or a description
}

func (e *BindError) Error() string {
	target := ""
	if e.Target != nil {
		target = " into " + e.Target.String()
	}
	return "parser: binding argument " + strconv.Itoa(e.Arg) + target + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *BindError) Unwrap() error { return e.Err }

const excerptLen = 32

// excerpt copies the beginning of data, for an error message.
func excerpt(data []byte) string {
	return string(data[:min(len(data), excerptLen)])
}

// malformed is not inlined: decoding runs on the stack of each connection's reader, which
// has to stay small.
//
//go:noinline
func malformed(data []byte, at int, detail string) error {
	return &DecodeError{Kind: ErrMalformed, Detail: detail, Excerpt: excerpt(data[min(at, len(data)):])}
}
