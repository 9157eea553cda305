// Command codec is the server of this repository with another JSON codec in
// Options.JSON: the one its argument names.
package main

import (
	"log"
	"os"

	json "github.com/goccy/go-json"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/bench/internal/control"
	"github.com/seed-d124fa34/socketio/bench/internal/ours"
	"github.com/seed-d124fa34/socketio/parsers/sonic"
)

// goJSON is github.com/goccy/go-json.
type goJSON struct{}

func (goJSON) Marshal(v any) ([]byte, error)      { return json.MarshalNoEscape(v) }
func (goJSON) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: codec sonic | go-json")
	}
	var opts socketio.Options
	version := "this repository with "
	switch os.Args[1] {
	case "sonic":
		opts.JSON = sonic.New()
		version += "parsers/sonic, bytedance/sonic " + control.Version("github.com/bytedance/sonic")
	case "go-json":
		opts.JSON = goJSON{}
		version += "goccy/go-json " + control.Version("github.com/goccy/go-json")
	default:
		log.Fatalf("no codec %q, there are: sonic, go-json", os.Args[1])
	}
	ours.Run(&opts, version)
}
