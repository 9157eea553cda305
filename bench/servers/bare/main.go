// Command bare is the cheapest possible server on coder/websocket: it answers in the protocol,
// but with bytes made beforehand, and it decodes nothing. With -queue every connection has a
// queue of frames, and everything that is queued is one write. Without it, every message is a
// call of the library's Write.
//
// It serves one scenario. -answer names the event that it answers.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/bench/internal/control"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

func main() {
	answer := flag.String("answer", workload.Echo, "the event to answer: echo, json, binary, broadcast, room")
	queue := flag.Bool("queue", false, "queue ready frames and write all of them at once")
	flag.Parse()

	s := &server{queue: *queue, rooms: map[string]*room{"": {}}, sessions: map[string]*session{}}
	if err := s.prepare(*answer); err != nil {
		log.Fatal(err)
	}
	ln, err := control.Listen()
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(ln, s)) }()
	version := "coder/websocket " + control.Version("github.com/coder/websocket")
	if err := control.Serve(os.Stdin, os.Stdout, version, ln.Addr().String(), nil); err != nil {
		log.Fatal(err)
	}
}

// prepare makes the answers to an event.
func (s *server) prepare(event string) error {
	// The load generator numbers its packets from 10, see loadgen.
	s.joined = newPacket("4310[]", nil)
	switch event {
	case workload.Echo:
		s.answer = newPacket(fmt.Sprintf(`4310[%q]`, workload.Text), nil)
	case workload.EchoJSON:
		s.answer = newPacket("4310["+string(workload.OrderJSON)+"]", nil)
	case workload.EchoBinary:
		s.answer = newPacket(`461-10[{"_placeholder":true,"num":0}]`, workload.Binary)
	case workload.Broadcast, workload.Room:
		s.answer = newPacket(fmt.Sprintf(`42[%q,%q]`, workload.Message, workload.Text), nil)
		s.fanOut = true
	default:
		return fmt.Errorf("-answer %q: want echo, json, binary, broadcast or room", event)
	}
	s.oneRoom = event == workload.Broadcast
	return nil
}

// packet is a ready message, with an attachment perhaps.
type packet struct {
	text, binary []byte
	framed       []byte // both as WebSocket frames
}

func newPacket(text string, binary []byte) *packet {
	p := &packet{text: []byte(text), binary: binary}
	p.framed = appendFrame(nil, byte(websocket.MessageText), p.text)
	if binary != nil {
		p.framed = appendFrame(p.framed, byte(websocket.MessageBinary), binary)
	}
	return p
}

// appendFrame appends an unmasked frame of less than 64 KiB.
func appendFrame(b []byte, op byte, payload []byte) []byte {
	b = append(b, 0x80|op)
	if len(payload) < 126 {
		b = append(b, byte(len(payload)))
	} else {
		b = append(b, 126, byte(len(payload)>>8), byte(len(payload)))
	}
	return append(b, payload...)
}
