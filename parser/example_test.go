package parser_test

import (
	"fmt"

	"github.com/seed-d124fa34/socketio/parser"
)

// An event with an attachment, from one side to the other.
func Example() {
	type upload struct {
		Name string `json:"name"`
		Data []byte `json:"data"`
	}
	p := parser.New(nil)

	// 4 is the Engine.IO packet type of a message.
	h := parser.Header{Type: parser.Event, Namespace: "/files", ID: 7, HasID: true}
	text, attachments, err := p.Encode([]byte("4"), h, []any{"upload", upload{"a.txt", []byte("hello")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s and %d attachment\n", text, len(attachments))

	d := p.NewDecoder(parser.Limits{})
	if _, _, err := d.Decode(text[1:], false); err != nil {
		fmt.Println(err)
		return
	}
	packet, ok, err := d.Decode(attachments[0], true)
	if err != nil || !ok {
		fmt.Println(err)
		return
	}
	var u upload
	if err := packet.Args.Bind(0, &u); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s in %s, to be answered as %d: %s holds %q\n", packet.Event, packet.Namespace, packet.ID, u.Name, u.Data)

	// Output:
	// 451-/files,7["upload",{"name":"a.txt","data":{"_placeholder":true,"num":0}}] and 1 attachment
	// upload in /files, to be answered as 7: a.txt holds "hello"
}

func ExampleDecodeError() {
	d := parser.New(nil).NewDecoder(parser.Limits{})
	_, _, err := d.Decode([]byte(`2{"not":"an array"}`), false)
	fmt.Println(err)
	// Output:
	// parser: malformed packet: payload of EVENT must be an array at "{\"not\":\"an array\"}"
}
