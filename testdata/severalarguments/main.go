// Package main does not compile: see TestSeveralArgumentsAreOneValue.
package main

import "github.com/seed-d124fa34/socketio"

func main() {
	socketio.NewServer(nil).On("y", func(c *socketio.Context) error { return c.Emit("y", 1, 2) })
}
