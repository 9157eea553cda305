package engineio

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio/internal/bufpool"
	"github.com/seed-d124fa34/socketio/engineio/internal/outgoing"
	"github.com/seed-d124fa34/socketio/internal/race"
)

// A message to a room of any size is written once for each form that its clients read.
func TestMixedRoomFormsAreMadeOnce(t *testing.T) {
	for _, clients := range []int{1, 100} {
		converted := 0
		s, err := NewServer(&Options{
			OnConnect: func(*Conn) (Receiver, error) { return ReceiverFuncs{}, nil },
			AppendASCII: func(dst, text []byte) []byte {
				converted++
				return append(dst, "ASCII"...)
			},
		})
		require.NoError(t, err)
		r := httptest.NewRequest("GET", "/?j=0&transport=polling", nil)
		f := TextFrames(`51-["é",{"_placeholder":true,"num":0}]`, make([]byte, 1000))
		payloads, wires := make(map[*byte]bool), make(map[*byte]bool)
		for range clients {
			for _, client := range mixedRoom {
				body, _, buf := dialects[client.speak].payload(s, []*outgoing.Unit{&f.unit}, nil, r)
				if client.speak == revision3Script { // has the number of the client's callback in it
					bufpool.Put(buf)
				} else {
					payloads[&body[0]] = true
				}
				wires[&f.unit.WireIn(dialects[client.speak].form(client.speak == revision3Base64))[0]] = true
			}
		}
		assert.Equal(t, 1, converted, clients)
		assert.Len(t, payloads, 3, "answers to polls: revision 4, framed, base64")
		assert.Len(t, wires, 3, "frames: revision 4, with the type, base64")

		text := TextFrames(`2["hello"]`)
		for _, client := range mixedRoom {
			assert.Same(t, &text.unit.Wire()[0], &text.unit.WireIn(dialects[client.speak].form(true))[0], "text is the same for all")
		}
	}
}

// Clients of revision 4 cost the same with and without Options.AllowEIO3.
func TestRevision4AllocatesTheSame(t *testing.T) {
	if race.Enabled {
		t.Skip("with the race detector, pools lose what they get")
	}
	measure := func(allow bool) (allocs [3]float64) {
		s := budgetServer(t, Options{AllowEIO3: allow})
		s.opts.OnConnect = func(*Conn) (Receiver, error) { return ReceiverFuncs{}, nil }
		c := openWith(t, s, "EIO=4")
		get := httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=polling&sid="+c.ID(), nil)
		w := &discarding{header: http.Header{}}
		f := TextFrames(`51-["e",{"_placeholder":true,"num":0}]`, make([]byte, 100))
		steps := []func(){
			func() { // a poll
				if c.Send(f) != nil {
					t.Fatal("closed")
				}
				s.ServeHTTP(w, get)
			},
			func() { // a POST
				post := httptest.NewRequest("POST", "/engine.io/?EIO=4&transport=polling&sid="+c.ID(), strings.NewReader(`4hello`))
				s.ServeHTTP(w, post)
			},
			func() { // a session
				w := httptest.NewRecorder()
				s.ServeHTTP(w, httptest.NewRequest("GET", "/engine.io/?EIO=4&transport=polling", nil))
			},
		}
		for i, step := range steps {
			allocs[i] = testing.AllocsPerRun(50, step)
			for range 4 { // the collector empties the pools now and then
				allocs[i] = min(allocs[i], testing.AllocsPerRun(50, step))
			}
		}
		return allocs
	}
	off, on := measure(false), measure(true)
	t.Log(off)
	assert.Equal(t, off, on, "a poll, a POST, a session")
}
