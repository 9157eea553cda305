package engineio

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/seed-d124fa34/socketio/engineio/internal/bufpool"
	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
)

// mixedRoom are the dialects of the clients in a room.
var mixedRoom = []struct {
	name  string
	speak dialectID
}{{"revision 4", revision4}, {"revision 3", revision3Binary}, {"base64", revision3Base64}, {"JSONP", revision3Script}}

// BenchmarkMixedRoom is one message to many clients, as their answers to polls and as WebSocket frames: "first" is the
// first client of a dialect, for which the form of its revision is made, and "others" are all later ones.
func BenchmarkMixedRoom(b *testing.B) {
	blob := make([]byte, 1<<10)
	for _, message := range []struct {
		name string
		make func() *Frames
	}{
		{"text", func() *Frames { return TextFrames(`2["my_event","hello"]`) }},
		{"binary", func() *Frames { return TextFrames(`51-["my_event",{"_placeholder":true,"num":0}]`, blob) }},
	} {
		for _, client := range mixedRoom {
			s := benchServer(b)
			r := httptest.NewRequest("GET", "/?j=0&transport=polling", nil)
			poll := func(f *Frames) {
				_, _, buf := dialects[client.speak].payload(s, []*outgoing.Unit{&f.unit}, nil, r)
				bufpool.Put(buf)
			}
			frames := func(f *Frames) { _ = f.unit.WireIn(dialects[client.speak].form(client.speak == revision3Base64)) }
			for transport, send := range map[string]func(*Frames){"polling": poll, "websocket": frames} {
				if transport == "websocket" && client.speak == revision3Script {
					continue
				}
				name := fmt.Sprintf("%s/%s/%s", message.name, transport, client.name)
				b.Run(name+"/first", func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						send(message.make())
					}
				})
				b.Run(name+"/others", func(b *testing.B) {
					f := message.make()
					send(f)
					b.ReportAllocs()
					for b.Loop() {
						send(f)
					}
				})
			}
		}
	}
}
