package typescript_test

import (
	"log"
	"os"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/typescript"
)

type Message struct {
	Text string `json:"text"`
}

func save(Message) (id int, err error) { return 1, nil }

func Example() {
	srv, file := socketio.NewServer(nil), os.Stdout
	srv.On("say", func(c *socketio.Context, m Message) (int, error) { return save(m) })
	srv.Declare("said", func(Message) {})
	err := typescript.Write(file, srv.Events(), nil)
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// // Events of a Socket.IO server. Written by github.com/seed-d124fa34/socketio/typescript; do not edit.
	//
	// export interface Message {
	//   text: string;
	// }
	//
	// /** Events that clients of namespace "/" send. */
	// export interface ClientToServerEvents {
	//   say: (arg: Message, ack: (result: number) => void) => void;
	// }
	//
	// /** Events that clients of namespace "/" receive. */
	// export interface ServerToClientEvents {
	//   said: (arg: Message) => void;
	// }
}
