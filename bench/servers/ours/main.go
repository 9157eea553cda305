// Command ours is the server of this repository, every option at its default.
package main

import "github.com/seed-d124fa34/socketio/bench/internal/ours"

func main() { ours.Run(nil, "this repository") }
