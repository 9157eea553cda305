package socketio_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
	"github.com/seed-d124fa34/socketio/typescript"
)

// Namespaces have handlers and rooms of their own, and share the connection.
func ExampleServer_Namespace() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.On("where", func(c *socketio.Context) (string, error) { return "main", nil })
	chat := srv.Namespace("/chat")
	chat.On("where", func(c *socketio.Context) (string, error) { return "chat", nil })

	ann := connect(srv)
	beside := ann.Join("/chat", nil) // on the same connection
	fmt.Println(ann.Call("where"), beside.Call("where"))

	_ = chat.Emit("news", "for the chat only")
	fmt.Println(beside.Next())
	_, err := ann.TryJoin("/nowhere", nil)
	fmt.Println(err)
	// Output:
	// ["main"] ["chat"]
	// news["for the chat only"]
	// socketiotest: namespace /nowhere refused the client: Invalid namespace
}

// InNamespace reaches the same client in another namespace that it is in, or with
// a Server everyone there.
func ExampleInNamespace() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.Namespace("/chat").On("connect", func(*socketio.Context) error { return nil })
	srv.On("order", func(c *socketio.Context, what string) error {
		return c.Emit("notice", what+" is on its way", socketio.InNamespace("/chat"))
	})

	ann := connect(srv)
	chat := ann.Join("/chat", nil)
	ann.Emit("order", "tea")
	fmt.Println(chat.Next())
	// Output: notice["tea is on its way"]
}

// The handlers of "*" serve namespaces that have none of their own: here one
// for each board, whose name the client chooses.
func ExampleServer_Namespace_any() {
	srv := socketio.NewServer(&socketio.Options{Namespaces: []string{"*"}})
	defer srv.Shutdown(context.Background())
	boards := srv.Namespace("*")
	boards.On("connect", func(c *socketio.Context) error {
		var number int
		if _, err := fmt.Sscanf(c.Namespace().Name(), "/board-%d", &number); err != nil {
			return &socketio.Error{Message: "no such board"}
		}
		return nil
	})
	boards.On("draw", func(c *socketio.Context, line string) error {
		return c.Emit("drawn", line, socketio.Broadcast()) // on this board
	})

	ann := connect(srv, socketiotest.Options{Namespace: "/board-7"})
	ann.Emit("draw", "a line")
	fmt.Println(ann.Next())
	_, err := ann.TryJoin("/wall", nil)
	fmt.Println(err)
	// Output:
	// drawn["a line"]
	// socketiotest: namespace /wall refused the client: no such board
}

type Chat struct{ room string }

func (chat *Chat) OnConnect(c *socketio.Context) error { return c.Join(chat.room) }

func (chat *Chat) OnNewMessage(c *socketio.Context, text string) error {
	return c.Emit("message", text, socketio.To(chat.room))
}

// The methods of a value serve a namespace: here OnConnect and OnNewMessage of
//
//	type Chat struct{ room string }
//
//	func (chat *Chat) OnConnect(c *socketio.Context) error { return c.Join(chat.room) }
//
//	func (chat *Chat) OnNewMessage(c *socketio.Context, text string) error {
//		return c.Emit("message", text, socketio.To(chat.room))
//	}
func ExampleServer_Register() {
	srv := socketio.NewServer(nil)
	defer srv.Shutdown(context.Background())
	srv.Register("/chat", &Chat{room: "lobby"})

	ann := connect(srv, socketiotest.Options{Namespace: "/chat"})
	ann.Emit("new_message", "hello")
	fmt.Println(ann.Next())
	// Output: message["hello"]
}

// What a server emits can be declared, beside what it handles, so that the
// compiler of the page's TypeScript checks both.
func ExampleNamespace_Declare() {
	type Message struct {
		From string `json:"from"`
		Text string `json:"text"`
	}
	srv := socketio.NewServer(nil)
	chat := srv.Namespace("/chat")
	chat.On("say", func(c *socketio.Context, text string) (id int, err error) { return 1, nil })
	chat.Declare("said", func(Message) {})
	chat.Declare("ask", func(question string) (answer string) { return "" })

	if err := typescript.Write(os.Stdout, srv.Events(), nil); err != nil {
		log.Fatal(err)
	}
	// Output:
	// // Events of a Socket.IO server. Written by github.com/seed-d124fa34/socketio/typescript; do not edit.
	//
	// export interface Message {
	//   from: string;
	//   text: string;
	// }
	//
	// /** Events that clients of namespace "/chat" send. */
	// export interface ChatClientToServerEvents {
	//   say: (arg: string, ack: (result: number) => void) => void;
	// }
	//
	// /** Events that clients of namespace "/chat" receive. */
	// export interface ChatServerToClientEvents {
	//   ask: (arg: string, ack: (result: string) => void) => void;
	//   said: (arg: Message) => void;
	// }
}
