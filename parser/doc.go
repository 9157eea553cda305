// Package parser encodes and decodes Socket.IO packets, revision 5 of the
// protocol: the text behind the '4' of an Engine.IO message, and the binary
// messages that follow it.
//
//	<type>[<attachments>-][/namespace,][id][JSON payload]
//
// [New] returns the default format, JSON with binary attachments. One [Parser]
// serves a whole server and may be used from any goroutine; each connection
// has a [Decoder] of its own, which belongs to the goroutine that reads the
// connection.
//
// # Encoding
//
// [Parser.Encode] appends to a buffer of the caller, so that a packet can be
// written behind whatever frame header the transport needs. An Event or Ack
// whose arguments hold []byte anywhere (fields, maps, slices, pointers,
// interfaces, named types) becomes its binary form by itself: each []byte
// leaves the JSON text, in order of appearance, and a placeholder takes its
// place. A nil []byte is null, an empty one is an empty attachment. Values
// with a MarshalJSON or MarshalText method are left to that method, and struct
// tags mean what they mean to encoding/json. Nothing the caller passed is
// changed. Text is not escaped for HTML: other Socket.IO implementations
// send <, > and & as they are.
//
// # Decoding
//
// [Decoder.Decode] reads a message once, from front to back, and refuses
// whatever the protocol does not allow; [Limits] bounds what a peer may ask
// for. What it returns owns its memory. The arguments stay JSON until
// [Args.Bind] decodes one of them into a Go value, where attachments arrive
// as []byte at any depth.
//
// # Other JSON implementations
//
// With a [Codec] of your own, New uses it for every argument except these,
// which are handled here with the result encoding/json would give: when
// encoding, the event name, nil, bool, the integer types and []byte; when
// binding, *string, *bool, the integer types, *float64, *[]byte,
// *json.RawMessage, and an attachment that is itself the argument.
package parser
